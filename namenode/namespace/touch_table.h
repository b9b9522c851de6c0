// Which edit last touched what, so that an answer can wait for the edits that it reveals (P2).
//
// Why: a txid in every INode would cost 8 bytes a file, and only those of the last moments matter:
// all others are durable. So the newest txid is kept by a slot that many entities share. It is an
// upper bound: two that meet in a slot delay an answer by a group commit at most, and nothing is
// ever revealed early. Not part of the state or its digest; all 0 after an image was loaded. Not
// thread-safe; owned by FsState.
#pragma once

#include <cstddef>
#include <memory>

#include "common/ids.h"

namespace cairn::namenode {

// What may be touched on its own: who walks through a directory need not wait for a file that was
// just made in it.
enum class Aspect : uint8_t {
  kINode = 0,     // the INode itself, and of a file its blocks
  kChildren = 1,  // the set of a directory's children, or its mtime by it
  kTotals = 2,    // what the subtree holds
};

class TouchTable {
 public:
  static constexpr size_t kSlots = size_t{1} << 16;

  TouchTable() : slots_(std::make_unique<TxId[]>(kSlots)) {}

  // `txid` is not below any earlier one.
  void Touch(Aspect aspect, INodeId id, TxId txid) { slots_[SlotOf(aspect, id)] = txid; }
  TxId Find(Aspect aspect, INodeId id) const { return slots_[SlotOf(aspect, id)]; }

 private:
  // Ids that are near each other, and the aspects of one, have slots of their own.
  static size_t SlotOf(Aspect aspect, INodeId id) {
    return (id * 3 + static_cast<size_t>(aspect)) % kSlots;
  }

  std::unique_ptr<TxId[]> slots_;
};

}  // namespace cairn::namenode
