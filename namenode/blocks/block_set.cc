#include "namenode/blocks/block_set.h"

#include <algorithm>
#include <utility>

namespace cairn::namenode {
namespace {

constexpr uint16_t Low(BlockId id) { return static_cast<uint16_t>(id); }

}  // namespace

// --- One page -------------------------------------------------------------------------------

uint32_t BlockSet::Page::LowerBound(uint16_t low) const {
  // Ids come mostly in order.
  if (count == 0 || words[count - 1] < low) return count;
  return static_cast<uint32_t>(std::lower_bound(words.get(), words.get() + count, low) -
                               words.get());
}

bool BlockSet::Page::contains(uint16_t low) const {
  if (dense()) return (words[low >> 4] >> (low & 15) & 1) != 0;
  const uint32_t at = LowerBound(low);
  return at < count && words[at] == low;
}

void BlockSet::Page::Resize(uint32_t room) {
  std::unique_ptr<uint16_t[]> moved(new uint16_t[room]);
  std::copy_n(words.get(), count, moved.get());
  words = std::move(moved);
  capacity = room;
}

void BlockSet::Page::MakeDense() {
  auto bitmap = std::make_unique<uint16_t[]>(kWords);
  for (uint32_t i = 0; i < count; ++i) {
    bitmap[words[i] >> 4] |= static_cast<uint16_t>(1u << (words[i] & 15));
  }
  words = std::move(bitmap);
  capacity = kWords;
}

void BlockSet::Page::MakeSparse() {
  std::unique_ptr<uint16_t[]> sorted(new uint16_t[count]);
  uint32_t next = 0;
  Walk(0, [&](uint16_t low) { return sorted[next++] = low, true; });
  words = std::move(sorted);
  capacity = count;
}

bool BlockSet::Page::insert(uint16_t low) {
  if (!dense()) {
    const uint32_t at = LowerBound(low);
    if (at < count && words[at] == low) return false;
    if (count + 1 >= kDense) {
      MakeDense();
    } else {
      if (count == capacity) Resize(std::min(kDense - 1, count + count / 8 + 4));
      std::copy_backward(words.get() + at, words.get() + count, words.get() + count + 1);
      words[at] = low;
      ++count;
      return true;
    }
  }
  const auto bit = static_cast<uint16_t>(1u << (low & 15));
  if ((words[low >> 4] & bit) != 0) return false;
  words[low >> 4] |= bit;
  ++count;
  return true;
}

bool BlockSet::Page::erase(uint16_t low) {
  if (dense()) {
    const auto bit = static_cast<uint16_t>(1u << (low & 15));
    if ((words[low >> 4] & bit) == 0) return false;
    words[low >> 4] &= static_cast<uint16_t>(~bit);
    if (--count <= kSparse) MakeSparse();
    return true;
  }
  const uint32_t at = LowerBound(low);
  if (at == count || words[at] != low) return false;
  std::copy(words.get() + at + 1, words.get() + count, words.get() + at);
  --count;
  if (count > 0 && count + count / 2 + 8 < capacity) Resize(count + 4);
  return true;
}

template <typename Fn>
void BlockSet::Page::Walk(uint16_t from, Fn&& fn) const {
  if (!dense()) {
    for (uint32_t i = LowerBound(from); i < count; ++i) {
      if (!fn(words[i])) return;
    }
    return;
  }
  uint32_t bits = words[from >> 4] & (0xffffu << (from & 15));
  for (uint32_t word = from >> 4;;) {
    for (; bits != 0; bits &= bits - 1) {
      if (!fn(static_cast<uint16_t>(word << 4 | static_cast<uint32_t>(__builtin_ctz(bits))))) {
        return;
      }
    }
    if (++word == kWords) return;
    bits = words[word];
  }
}

void BlockSet::Page::Merge(const Page& other) {
  if (!dense() && (other.dense() || count + other.count >= kDense)) MakeDense();
  if (dense() && other.dense()) {
    count = 0;
    for (uint32_t i = 0; i < kWords; ++i) {
      words[i] |= other.words[i];
      count += static_cast<uint32_t>(__builtin_popcount(words[i]));
    }
    return;
  }
  if (!dense()) Resize(count + other.count);
  other.Walk(0, [&](uint16_t low) { return insert(low), true; });
  if (dense() && count <= kSparse) MakeSparse();
}

// --- The set --------------------------------------------------------------------------------

size_t BlockSet::LowerBound(uint64_t number) const {
  if (pages_.empty() || pages_.back().number < number) return pages_.size();
  return static_cast<size_t>(
      std::lower_bound(pages_.begin(), pages_.end(), number,
                       [](const Page& page, uint64_t n) { return page.number < n; }) -
      pages_.begin());
}

const BlockSet::Page* BlockSet::Find(uint64_t number) const {
  const size_t i = LowerBound(number);
  return i < pages_.size() && pages_[i].number == number ? &pages_[i] : nullptr;
}

bool BlockSet::contains(BlockId id) const {
  const Page* page = Find(id >> kPageBits);
  return page != nullptr && page->contains(Low(id));
}

bool BlockSet::insert(BlockId id) {
  const uint64_t number = id >> kPageBits;
  const size_t i = LowerBound(number);
  if (i == pages_.size() || pages_[i].number != number) {
    pages_.emplace(pages_.begin() + static_cast<ptrdiff_t>(i), number);
  }
  if (!pages_[i].insert(Low(id))) return false;
  ++size_;
  return true;
}

bool BlockSet::erase(BlockId id) {
  const uint64_t number = id >> kPageBits;
  const size_t i = LowerBound(number);
  if (i == pages_.size() || pages_[i].number != number || !pages_[i].erase(Low(id))) return false;
  if (pages_[i].count == 0) pages_.erase(pages_.begin() + static_cast<ptrdiff_t>(i));
  --size_;
  return true;
}

void BlockSet::clear() {
  pages_ = std::vector<Page>();
  size_ = 0;
}

std::optional<BlockId> BlockSet::First(BlockId from) const {
  const std::vector<BlockId> found = From(from, 1);
  if (found.empty()) return std::nullopt;
  return found[0];
}

std::vector<BlockId> BlockSet::From(BlockId from, size_t max) const {
  std::vector<BlockId> found;
  found.reserve(std::min(max, size_));
  const uint64_t first = from >> kPageBits;
  for (size_t i = LowerBound(first); i < pages_.size() && found.size() < max; ++i) {
    const Page& page = pages_[i];
    page.Walk(page.number == first ? Low(from) : 0, [&](uint16_t low) {
      found.push_back(page.number << kPageBits | low);
      return found.size() < max;
    });
  }
  return found;
}

void BlockSet::Merge(BlockSet other) {
  if (size_ < other.size_) std::swap(*this, other);
  for (Page& page : other.pages_) {
    const size_t i = LowerBound(page.number);
    if (i < pages_.size() && pages_[i].number == page.number) {
      size_ -= pages_[i].count;
      pages_[i].Merge(page);
      size_ += pages_[i].count;
    } else {
      size_ += page.count;
      pages_.insert(pages_.begin() + static_cast<ptrdiff_t>(i), std::move(page));
    }
  }
}

size_t BlockSet::bytes() const {
  size_t bytes = pages_.capacity() * sizeof(Page);
  for (const Page& page : pages_) bytes += page.capacity * sizeof(uint16_t);
  return bytes;
}

}  // namespace cairn::namenode
