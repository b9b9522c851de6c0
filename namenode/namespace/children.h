// The entries of a directory, by name in byte order, in about 9 bytes each.
//
// Why: in a set of references to names every comparison of a search is a miss of the cache, some
// ten of them in a directory of a thousand entries. Here sorted leaves of up to kMaxLeaf entries
// keep 16 bits of each name's hash beside its reference (6 bytes): a search compares a few first
// names to find the leaf, scans its hashes, and looks at one name. Order is needed by inserting and
// listing alone. Leaves grow and shrink in small steps and split in halves, or at the end where
// names come in order, so that they are full then. The list of leaves is a vector: 1 MB at 16
// million entries, a fraction of a millisecond to move. Not thread-safe; owned by a DirectoryBody.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "namenode/namespace/name_pool.h"

namespace cairn::namenode {

class Children {
 public:
  // Goes through the entries by name; invalid after a change.
  class Iterator {
   public:
    NameRef operator*() const { return children_->leaves_[leaf_].At(at_); }
    Iterator& operator++();
    friend bool operator==(const Iterator& a, const Iterator& b) {
      return a.leaf_ == b.leaf_ && a.at_ == b.at_;
    }

   private:
    friend class Children;
    Iterator(const Children* children, size_t leaf, size_t at)
        : children_(children), leaf_(leaf), at_(at) {}

    const Children* children_;
    size_t leaf_;
    size_t at_;
  };

  Children() = default;
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Iterator begin() const { return {this, 0, 0}; }
  Iterator end() const { return {this, leaves_.size(), 0}; }
  // The first entry behind `name`, which need not be there. O(log n).
  Iterator UpperBound(std::string_view name) const;
  // The entry, or nothing (no record).
  NameRef Find(std::string_view name) const;

  // False: an entry of that name is there already.
  bool Insert(NameRef entry);
  void Erase(NameRef entry);  // must be there

  static constexpr size_t kMaxLeaf = 512;

 private:
  // Two arrays in one allocation: `capacity` hashes of 2 bytes, then as many references of 6.
  struct Leaf {
    NameRef first;  // what At(0) is, nearer
    unsigned char* data = nullptr;
    uint16_t size = 0;
    uint16_t capacity = 0;

    NameRef At(size_t i) const;
    uint16_t TagAt(size_t i) const;
    void Set(size_t i, NameRef entry, uint16_t tag);
    void Move(size_t from, size_t to, size_t count);  // within the leaf
    void CopyTo(Leaf& other, size_t from, size_t to, size_t count) const;
    void Resize(size_t entries);  // capacity for so many
    size_t LowerBound(std::string_view name) const;
    // The entry of this name, and hash, among those in [from, to).
    NameRef FindAmong(size_t from, size_t to, uint16_t tag, std::string_view name) const;
  };

  // The leaf where `name` belongs; there is at least one.
  size_t LeafOf(std::string_view name) const;
  void InsertAt(Leaf& leaf, size_t at, NameRef entry);
  // Makes room in a full leaf for an entry at `at`; returns the leaf for it and updates `at`.
  size_t Split(size_t leaf, size_t* at);
  // Joins a small leaf with the next one when they are small together.
  void JoinWithNext(size_t leaf);

  std::vector<Leaf> leaves_;  // none is empty
  size_t size_ = 0;
};

}  // namespace cairn::namenode
