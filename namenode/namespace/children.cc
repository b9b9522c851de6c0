#include "namenode/namespace/children.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace cairn::namenode {
namespace {

constexpr size_t kTagBytes = 2;
constexpr size_t kRefBytes = 6;
constexpr size_t kStep = 16;  // entries by which larger leaves grow and shrink

uint16_t TagOf(std::string_view name) {
  return static_cast<uint16_t>(XXH3_64bits(name.data(), name.size()));
}

// Room for at least `entries`: 4, 8, 16, and so on in steps.
size_t CapacityFor(size_t entries) {
  if (entries <= 4) return 4;
  if (entries <= 8) return 8;
  return (entries + kStep - 1) / kStep * kStep;
}

}  // namespace

// --- One leaf
// ---------------------------------------------------------------------------------------

NameRef Children::Leaf::At(size_t i) const {
  uint64_t address = 0;
  std::memcpy(&address, data + capacity * kTagBytes + i * kRefBytes, kRefBytes);
  return NameRef(reinterpret_cast<const unsigned char*>(static_cast<uintptr_t>(address)));
}

uint16_t Children::Leaf::TagAt(size_t i) const {
  uint16_t tag;
  std::memcpy(&tag, data + i * kTagBytes, kTagBytes);
  return tag;
}

void Children::Leaf::Set(size_t i, NameRef entry, uint16_t tag) {
  const uint64_t address = reinterpret_cast<uintptr_t>(entry.record());
  std::memcpy(data + i * kTagBytes, &tag, kTagBytes);
  std::memcpy(data + capacity * kTagBytes + i * kRefBytes, &address, kRefBytes);
}

void Children::Leaf::Move(size_t from, size_t to, size_t count) {
  unsigned char* refs = data + capacity * kTagBytes;
  std::memmove(data + to * kTagBytes, data + from * kTagBytes, count * kTagBytes);
  std::memmove(refs + to * kRefBytes, refs + from * kRefBytes, count * kRefBytes);
}

void Children::Leaf::CopyTo(Leaf& other, size_t from, size_t to, size_t count) const {
  std::memcpy(other.data + to * kTagBytes, data + from * kTagBytes, count * kTagBytes);
  std::memcpy(other.data + other.capacity * kTagBytes + to * kRefBytes,
              data + capacity * kTagBytes + from * kRefBytes, count * kRefBytes);
}

void Children::Leaf::Resize(size_t entries) {
  Leaf other;
  other.capacity = static_cast<uint16_t>(CapacityFor(entries));
  other.data = new unsigned char[other.capacity * (kTagBytes + kRefBytes)];
  if (size > 0) CopyTo(other, 0, 0, size);
  delete[] data;
  data = other.data;
  capacity = other.capacity;
}

size_t Children::Leaf::LowerBound(std::string_view name) const {
  size_t low = 0;
  size_t high = size;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (At(middle).name() < name) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

// --- The whole
// --------------------------------------------------------------------------------------

Children::~Children() {
  for (const Leaf& leaf : leaves_) delete[] leaf.data;
}

Children::Iterator& Children::Iterator::operator++() {
  if (++at_ == children_->leaves_[leaf_].size) {
    ++leaf_;
    at_ = 0;
  }
  return *this;
}

size_t Children::LeafOf(std::string_view name) const {
  const auto above =
      std::upper_bound(leaves_.begin() + 1, leaves_.end(), name,
                       [](std::string_view n, const Leaf& leaf) { return n < leaf.first.name(); });
  return static_cast<size_t>(above - leaves_.begin()) - 1;
}

Children::Iterator Children::UpperBound(std::string_view name) const {
  if (empty()) return end();
  const size_t index = LeafOf(name);
  const Leaf& leaf = leaves_[index];
  size_t at = leaf.LowerBound(name);
  if (at < leaf.size && leaf.At(at).name() == name) ++at;
  return at < leaf.size ? Iterator(this, index, at) : Iterator(this, index + 1, 0);
}

NameRef Children::Find(std::string_view name) const {
  if (empty()) return NameRef();
  const Leaf& leaf = leaves_[LeafOf(name)];
  const uint16_t tag = TagOf(name);
  size_t at = 0;
  for (; at + kStep <= leaf.capacity; at += kStep) {  // many at once: without a branch each
    uint16_t tags[kStep];
    std::memcpy(tags, leaf.data + at * kTagBytes, sizeof(tags));
    uint16_t found = 0;
    for (size_t i = 0; i < kStep; ++i) found |= static_cast<uint16_t>(tags[i] == tag ? 1 : 0);
    if (found == 0) continue;
    const NameRef entry = leaf.FindAmong(at, at + kStep, tag, name);
    if (entry) return entry;
  }
  return leaf.FindAmong(at, leaf.capacity, tag, name);
}

NameRef Children::Leaf::FindAmong(size_t from, size_t to, uint16_t tag,
                                  std::string_view name) const {
  for (size_t i = from; i < std::min<size_t>(to, size); ++i) {
    if (TagAt(i) == tag && At(i).name() == name) return At(i);
  }
  return NameRef();
}

bool Children::Insert(NameRef entry) {
  const std::string_view name = entry.name();
  if (leaves_.empty()) leaves_.emplace_back();
  // Names often come in order.
  size_t index = leaves_.size() - 1;
  size_t at = leaves_[index].size;
  if (at > 0 && leaves_[index].At(at - 1).name() >= name) {
    index = LeafOf(name);
    at = leaves_[index].LowerBound(name);
    if (at < leaves_[index].size && leaves_[index].At(at).name() == name) return false;
  }
  if (leaves_[index].size == kMaxLeaf) index = Split(index, &at);
  InsertAt(leaves_[index], at, entry);
  ++size_;
  return true;
}

void Children::InsertAt(Leaf& leaf, size_t at, NameRef entry) {
  if (leaf.size == leaf.capacity) leaf.Resize(leaf.size + 1);
  leaf.Move(at, at + 1, leaf.size - at);
  leaf.Set(at, entry, TagOf(entry.name()));
  ++leaf.size;
  if (at == 0) leaf.first = entry;
}

size_t Children::Split(size_t index, size_t* at) {
  const bool at_end = index + 1 == leaves_.size() && *at == kMaxLeaf;
  const size_t kept = at_end ? kMaxLeaf : kMaxLeaf / 2;
  leaves_.emplace(leaves_.begin() + static_cast<ptrdiff_t>(index) + 1);
  Leaf& left = leaves_[index];
  Leaf& right = leaves_[index + 1];
  const size_t moved = kMaxLeaf - kept;
  right.Resize(moved + 1);
  if (moved > 0) {
    left.CopyTo(right, kept, 0, moved);
    right.size = static_cast<uint16_t>(moved);
    right.first = right.At(0);
    left.size = static_cast<uint16_t>(kept);
    left.Resize(kept + 1);
  }
  if (*at < kept || (*at == kept && !at_end)) return index;
  *at -= kept;
  return index + 1;
}

void Children::Erase(NameRef entry) {
  const std::string_view name = entry.name();
  const size_t index = LeafOf(name);
  Leaf& leaf = leaves_[index];
  const size_t at = leaf.LowerBound(name);
  leaf.Move(at + 1, at, leaf.size - at - 1);
  --leaf.size;
  --size_;
  if (leaf.size == 0) {
    delete[] leaf.data;
    leaves_.erase(leaves_.begin() + static_cast<ptrdiff_t>(index));
    return;
  }
  if (at == 0) leaf.first = leaf.At(0);
  if (leaf.size + 2 * kStep <= leaf.capacity) leaf.Resize(leaf.size);
  JoinWithNext(index);
  if (index > 0) JoinWithNext(index - 1);
}

void Children::JoinWithNext(size_t index) {
  if (index + 1 >= leaves_.size()) return;
  Leaf& left = leaves_[index];
  Leaf& right = leaves_[index + 1];
  const size_t sum = size_t{left.size} + right.size;
  if (sum > kMaxLeaf / 4) return;
  left.Resize(sum);
  right.CopyTo(left, 0, left.size, right.size);
  left.size = static_cast<uint16_t>(sum);
  delete[] right.data;
  leaves_.erase(leaves_.begin() + static_cast<ptrdiff_t>(index) + 1);
}

}  // namespace cairn::namenode
