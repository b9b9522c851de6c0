// The blocks of a file that has more than one, by index.
//
// Why: a file may have a million blocks, and a vector of them that doubles would stall every other
// call. The first chunk grows like a vector, so that a file of two blocks stays small; from there
// on chunks of kChunk ids are added and dropped. Not thread-safe; owned by its INode.
#pragma once

#include <array>
#include <cstddef>
#include <iterator>
#include <memory>
#include <vector>

#include "common/ids.h"

namespace cairn::namenode {

class BlockList {
 public:
  size_t size() const { return size_; }
  BlockId operator[](size_t i) const {
    return i < kChunk ? first_[i] : (*rest_[i / kChunk - 1])[i % kChunk];
  }
  void Push(BlockId id) {
    if (size_ < kChunk) {
      first_.push_back(id);
    } else {
      if (size_ % kChunk == 0) rest_.push_back(std::make_unique<Chunk>());
      (*rest_.back())[size_ % kChunk] = id;
    }
    ++size_;
  }
  void Pop() {  // the last one
    --size_;
    if (size_ < kChunk) {
      first_.pop_back();
    } else if (size_ % kChunk == 0) {
      rest_.pop_back();
    }
  }

 private:
  static constexpr size_t kChunk = 512;
  using Chunk = std::array<BlockId, kChunk>;

  size_t size_ = 0;
  std::vector<BlockId> first_;
  std::vector<std::unique_ptr<Chunk>> rest_;  // 2,000 pointers at a million blocks
};

// The blocks of any file, read only: none, one, or those of a list. Valid until they change.
class BlockIds {
 public:
  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = BlockId;
    using difference_type = std::ptrdiff_t;
    using pointer = const BlockId*;
    using reference = BlockId;

    Iterator() = default;
    Iterator(BlockId only, const BlockList* list, size_t index)
        : only_(only), list_(list), index_(index) {}
    BlockId operator*() const { return list_ != nullptr ? (*list_)[index_] : only_; }
    Iterator& operator++() { return ++index_, *this; }
    Iterator operator++(int) { return {only_, list_, index_++}; }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.index_ == b.index_; }

   private:
    BlockId only_ = 0;
    const BlockList* list_ = nullptr;
    size_t index_ = 0;
  };

  explicit BlockIds(BlockId only) : only_(only) {}  // 0: none
  explicit BlockIds(const BlockList* list) : list_(list) {}

  size_t size() const { return list_ != nullptr ? list_->size() : only_ != 0 ? 1 : 0; }
  bool empty() const { return size() == 0; }
  BlockId operator[](size_t i) const { return list_ != nullptr ? (*list_)[i] : only_; }
  BlockId back() const { return (*this)[size() - 1]; }
  Iterator begin() const { return {only_, list_, 0}; }
  Iterator end() const { return {only_, list_, size()}; }

 private:
  BlockId only_ = 0;
  const BlockList* list_ = nullptr;
};

}  // namespace cairn::namenode
