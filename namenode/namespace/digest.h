// The digest of the journaled state: a 128-bit sum of the hashes of its entities.
//
// Why: replay, a standby and an image must arrive at the same state; a sum can follow every change
// without going over the rest, and does not depend on order. Each entity (INode, block, node, ...)
// adds the XXH3 128-bit hash of its canonical bytes, both halves modulo 2^64. Changing an entity
// subtracts its old hash and adds the new one. Pure values; used inside this room and by codec/.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace cairn::namenode {

struct Digest {
  uint64_t high = 0;
  uint64_t low = 0;

  Digest& operator+=(const Digest& other) {
    high += other.high;
    low += other.low;
    return *this;
  }
  Digest& operator-=(const Digest& other) {
    high -= other.high;
    low -= other.low;
    return *this;
  }
  friend Digest operator+(Digest a, const Digest& b) { return a += b; }
  friend bool operator==(const Digest&, const Digest&) = default;
};

// 32 hexadecimal digits.
std::string ToHex(const Digest& digest);

// The canonical bytes of one entity: a tag that tells kinds apart, then its fields. Numbers are
// little-endian and 8 bytes wide, strings follow their length, so that no two entities share bytes.
class EntityBytes {
 public:
  explicit EntityBytes(char tag) { inline_[0] = tag; }
  EntityBytes(const EntityBytes&) = delete;
  EntityBytes& operator=(const EntityBytes&) = delete;

  EntityBytes& Add(uint64_t number) {
    static_assert(std::endian::native == std::endian::little);
    std::memcpy(Room(sizeof(number)), &number, sizeof(number));
    return *this;
  }
  EntityBytes& Add(std::string_view text) {
    Add(text.size());
    if (!text.empty()) std::memcpy(Room(text.size()), text.data(), text.size());
    return *this;
  }
  Digest Hash() const;

 private:
  // The next `size` bytes, to be written.
  char* Room(size_t size) {
    if (size_ + size > capacity_) Grow(size);
    char* room = bytes_ + size_;
    size_ += size;
    return room;
  }
  void Grow(size_t size);

  char inline_[512];  // most entities fit
  std::string more_;  // the bytes of those that do not
  char* bytes_ = inline_;
  size_t size_ = 1;
  size_t capacity_ = sizeof(inline_);
};

}  // namespace cairn::namenode
