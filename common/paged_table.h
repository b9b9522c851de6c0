// A table from 64-bit ids to values that never moves what it holds.
//
// Why: a vector of millions of INodes or blocks that doubles stalls the NameNode for tenths of a
// second, and a hash map rehashes. Here ids pick a page of 2^kPageBits entries inside a directory
// of pages; both are allocated when their first entry comes and freed when their last one goes, so
// ids may be sequential (dense, the usual case) or far apart. Pointers to entries stay valid until
// the entry is erased. Iteration is in the order of the ids, hence deterministic.
// Thread-compatible: the owner's lock guards it. Used by the namespace and the block map.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace cairn {

template <typename T, int kPageBits = 12>
class PagedTable {
 public:
  PagedTable() = default;
  PagedTable(PagedTable&& other) noexcept
      : directories_(std::move(other.directories_)), size_(std::exchange(other.size_, 0)) {}
  PagedTable& operator=(PagedTable&& other) noexcept {
    directories_ = std::move(other.directories_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  // The entry of `id`, or nullptr.
  T* Find(uint64_t id) { return const_cast<T*>(std::as_const(*this).Find(id)); }
  const T* Find(uint64_t id) const {
    const Page* page = FindPage(id);
    if (page != nullptr) __builtin_prefetch(page->bytes + Slot(id) * sizeof(T));  // beside `used`
    return page != nullptr && page->used[Slot(id)] ? page->at(Slot(id)) : nullptr;
  }

  // Puts T(args...) at `id`. Returns the entry, and false when one was there already (which stays
  // as it is).
  template <typename... Args>
  std::pair<T*, bool> Emplace(uint64_t id, Args&&... args) {
    Page& page = MakePage(id);
    const size_t slot = Slot(id);
    if (page.used[slot]) return {page.at(slot), false};
    T* entry = new (page.at(slot)) T(std::forward<Args>(args)...);
    page.used.set(slot);
    ++page.count;
    ++size_;
    return {entry, true};
  }
  std::pair<T*, bool> Insert(uint64_t id, T value) { return Emplace(id, std::move(value)); }

  // Returns false when there is no entry.
  bool Erase(uint64_t id) {
    const size_t directory_index = LowerBound(DirectoryNumber(id));
    if (directory_index == directories_.size()) return false;
    Directory& directory = *directories_[directory_index];
    if (directory.number != DirectoryNumber(id)) return false;
    std::unique_ptr<Page>& page = directory.pages[PageSlot(id)];
    if (page == nullptr || !page->used[Slot(id)]) return false;
    page->at(Slot(id))->~T();
    page->used.reset(Slot(id));
    --size_;
    if (--page->count == 0) {
      page.reset();
      if (--directory.count == 0) directories_.erase(directories_.begin() + directory_index);
    }
    return true;
  }

  void Clear() {
    directories_.clear();
    size_ = 0;
  }

  // Calls fn(id, entry) for every entry in the order of the ids. `fn` must not insert or erase.
  template <typename Fn>
  void ForEach(Fn&& fn) {
    VisitFrom(*this, 0, [&](uint64_t id, T& entry) { return fn(id, entry), true; });
  }
  template <typename Fn>
  void ForEach(Fn&& fn) const {
    VisitFrom(*this, 0, [&](uint64_t id, const T& entry) { return fn(id, entry), true; });
  }
  // The same from `first` on, until fn(id, entry) returns false: to walk a large table in slices.
  template <typename Fn>
  void ForEachFrom(uint64_t first, Fn&& fn) {
    VisitFrom(*this, first, fn);
  }
  template <typename Fn>
  void ForEachFrom(uint64_t first, Fn&& fn) const {
    VisitFrom(*this, first, fn);
  }

  // Pages allocated: each takes (sizeof(T) << kPageBits) bytes.
  size_t pages() const {
    size_t pages = 0;
    for (const auto& directory : directories_) pages += directory->count;
    return pages;
  }

 private:
  static constexpr int kDirectoryBits = 12;
  static constexpr size_t kPageEntries = size_t{1} << kPageBits;
  static constexpr size_t kDirectoryPages = size_t{1} << kDirectoryBits;

  struct Page {
    Page() = default;
    ~Page() {
      if constexpr (!std::is_trivially_destructible_v<T>) {
        for (size_t i = 0; count > 0 && i < kPageEntries; ++i) {
          if (used[i]) at(i)->~T();
        }
      }
    }
    Page(const Page&) = delete;
    Page& operator=(const Page&) = delete;
    T* at(size_t i) { return std::launder(reinterpret_cast<T*>(bytes + i * sizeof(T))); }
    const T* at(size_t i) const {
      return std::launder(reinterpret_cast<const T*>(bytes + i * sizeof(T)));
    }

    alignas(T) unsigned char bytes[kPageEntries * sizeof(T)];  // entries are alive where `used`
    std::bitset<kPageEntries> used;
    size_t count = 0;
  };

  struct Directory {
    uint64_t number = 0;  // of the first id: id >> (page bits + directory bits)
    size_t count = 0;     // pages in use
    std::unique_ptr<Page> pages[kDirectoryPages];
  };

  static uint64_t DirectoryNumber(uint64_t id) { return id >> (kPageBits + kDirectoryBits); }
  static size_t PageSlot(uint64_t id) { return (id >> kPageBits) & (kDirectoryPages - 1); }
  static size_t Slot(uint64_t id) { return id & (kPageEntries - 1); }

  // The first directory whose number is not below `number`. One directory covers 16 M ids: there
  // are few.
  size_t LowerBound(uint64_t number) const {
    return std::lower_bound(
               directories_.begin(), directories_.end(), number,
               [](const auto& directory, uint64_t n) { return directory->number < n; }) -
           directories_.begin();
  }

  const Page* FindPage(uint64_t id) const {
    const size_t i = LowerBound(DirectoryNumber(id));
    if (i == directories_.size() || directories_[i]->number != DirectoryNumber(id)) return nullptr;
    return directories_[i]->pages[PageSlot(id)].get();
  }

  Page& MakePage(uint64_t id) {
    const size_t i = LowerBound(DirectoryNumber(id));
    if (i == directories_.size() || directories_[i]->number != DirectoryNumber(id)) {
      auto directory = std::make_unique<Directory>();
      directory->number = DirectoryNumber(id);
      directories_.insert(directories_.begin() + i, std::move(directory));
    }
    std::unique_ptr<Page>& page = directories_[i]->pages[PageSlot(id)];
    if (page == nullptr) {
      page.reset(new Page);  // not make_unique: the entries' bytes need no zeroing
      ++directories_[i]->count;
    }
    return *page;
  }

  template <typename Table, typename Fn>
  static void VisitFrom(Table& table, uint64_t first, Fn&& fn) {
    for (size_t d = table.LowerBound(DirectoryNumber(first)); d < table.directories_.size(); ++d) {
      auto& directory = *table.directories_[d];
      const bool first_directory = directory.number == DirectoryNumber(first);
      for (size_t p = first_directory ? PageSlot(first) : 0; p < kDirectoryPages; ++p) {
        if (directory.pages[p] == nullptr) continue;
        std::conditional_t<std::is_const_v<Table>, const Page, Page>& page = *directory.pages[p];
        const uint64_t base = ((directory.number << kDirectoryBits) | p) << kPageBits;
        for (size_t slot = base < first ? Slot(first) : 0; slot < kPageEntries; ++slot) {
          if (page.used[slot] && !fn(base | slot, *page.at(slot))) return;
        }
      }
    }
  }

  std::vector<std::unique_ptr<Directory>> directories_;  // sorted by number
  size_t size_ = 0;
};

}  // namespace cairn
