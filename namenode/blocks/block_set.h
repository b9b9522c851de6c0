// A set of block ids that stays small, is walked in order and never stalls.
//
// Why: every storage has the list of its blocks, and every block of a node that dies enters a list
// of what is to be repaired: millions of ids, whose numbers are close together. Ids are kept by
// pages of 65,536: a page with few of them holds them sorted, in 2 bytes each and a little room to
// grow, one with many is a bitmap of 8 KiB (as the containers of Roaring do: Chambi et al. 2016,
// "Better bitmap performance with Roaring bitmaps"). No change moves more than one page; the list
// of pages has one entry of 24 bytes for 65,536 ids. Thread-compatible. Used by the reported state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/ids.h"

namespace cairn::namenode {

class BlockSet {
 public:
  bool contains(BlockId id) const;
  bool insert(BlockId id);  // false when it was there
  bool erase(BlockId id);   // false when it was not
  void clear();
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // The lowest id that is at least `from`.
  std::optional<BlockId> First(BlockId from = 0) const;
  // The lowest ids that are at least `from`, at most `max`, in order.
  std::vector<BlockId> From(BlockId from, size_t max) const;
  // Takes in all of `other`: page by page, whatever their number of ids.
  void Merge(BlockSet other);

  // Of memory, without what the allocator adds.
  size_t bytes() const;

 private:
  static constexpr int kPageBits = 16;
  static constexpr uint32_t kWords = (1u << kPageBits) / 16;  // of a bitmap
  static constexpr uint32_t kDense = kWords;                  // ids whose bitmap is smaller
  static constexpr uint32_t kSparse = kDense * 7 / 8;         // ... up to which the list is, again

  // The ids of one page, by their low 16 bits: sorted, or as a bitmap.
  struct Page {
    explicit Page(uint64_t number) : number(number) {}
    bool dense() const { return capacity == kWords; }
    uint32_t LowerBound(uint16_t low) const;  // of the sorted ones
    bool contains(uint16_t low) const;
    bool insert(uint16_t low);
    bool erase(uint16_t low);
    void Resize(uint32_t room);  // of the sorted ones
    void MakeDense();
    void MakeSparse();
    void Merge(const Page& other);
    // Calls fn(low) for those from `from` on, in order, until it returns false.
    template <typename Fn>
    void Walk(uint16_t from, Fn&& fn) const;

    uint64_t number;        // id >> kPageBits
    uint32_t count = 0;     // ids
    uint32_t capacity = 0;  // words
    std::unique_ptr<uint16_t[]> words;
  };

  size_t LowerBound(uint64_t number) const;  // the first page that is not before it
  const Page* Find(uint64_t number) const;

  std::vector<Page> pages_;  // by number
  size_t size_ = 0;
};

}  // namespace cairn::namenode
