// Names of INodes, packed: each beside the id of its INode, in slabs that never move.
//
// Why: a std::string costs 32 bytes and an allocation beside its characters. Here a name of 20
// bytes takes 28, and since the record holds the INode's id, a directory's ordered set needs only a
// reference of 8 bytes an entry and looks at one place for each comparison. Records come in classes
// of size, 4 bytes apart; freed ones are reused by names of their class and not given back. Not
// thread-safe; owned by FsState.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "namenode/namespace/types.h"

namespace cairn::namenode {

// A record of a NamePool: one byte of length, six of the INode's id, the name. Valid until it is
// removed; copied freely.
class NameRef {
 public:
  NameRef() = default;
  explicit NameRef(const unsigned char* record) : record_(record) {}

  std::string_view name() const {
    return {reinterpret_cast<const char*>(record_ + kHeadBytes), record_[0]};
  }
  INodeId id() const {
    static_assert(std::endian::native == std::endian::little);
    uint64_t head;
    std::memcpy(&head, record_, sizeof(head));  // a record has at least 8 bytes
    return (head >> 8) & ((uint64_t{1} << 48) - 1);
  }
  const unsigned char* record() const { return record_; }
  explicit operator bool() const { return record_ != nullptr; }

  static constexpr size_t kHeadBytes = 7;

  friend bool operator==(NameRef a, NameRef b) = default;

 private:
  const unsigned char* record_ = nullptr;
};

class NamePool {
 public:
  NamePool() = default;
  NamePool(NamePool&&) noexcept = default;
  NamePool& operator=(NamePool&&) noexcept = default;

  // `name` has at most kMaxNameBytes, `id` at most 48 bits.
  NameRef Add(std::string_view name, INodeId id);
  void Remove(NameRef name);

  size_t size() const { return size_; }                             // records in use
  size_t slab_bytes() const { return slabs_.size() * kSlabBytes; }  // taken from the heap

 private:
  static constexpr size_t kStep = 4;  // between classes
  static constexpr size_t kSlabBytes = 64 << 10;
  static constexpr size_t kClasses = (NameRef::kHeadBytes + kMaxNameBytes) / kStep + 2;

  struct SizeClass {
    unsigned char* free = nullptr;  // a list through the first 8 bytes of its records
    unsigned char* next = nullptr;  // unused rest of the newest slab
    unsigned char* end = nullptr;
  };

  static size_t ClassOf(size_t name_bytes) {
    const size_t steps = (NameRef::kHeadBytes + name_bytes + kStep - 1) / kStep;
    return steps < 2 ? 2 : steps;  // room for the list's pointer
  }

  std::array<SizeClass, kClasses> classes_;
  std::vector<std::unique_ptr<unsigned char[]>> slabs_;
  size_t size_ = 0;
};

}  // namespace cairn::namenode
