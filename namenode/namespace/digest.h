// The digest of the journaled state: a 128-bit sum of the hashes of its entities.
//
// Why: replay, a standby and an image must arrive at the same state; a sum can follow every change
// without going over the rest, and does not depend on order. Each entity (INode, block, node, ...)
// adds the XXH3 128-bit hash of its canonical bytes, both halves modulo 2^64. Changing an entity
// subtracts its old hash and adds the new one. Pure values; used inside this room and by codec/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/container/inlined_vector.h"

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
  explicit EntityBytes(char tag) { bytes_.push_back(tag); }
  EntityBytes& Add(uint64_t number);
  EntityBytes& Add(std::string_view text);
  Digest Hash() const;

 private:
  absl::InlinedVector<char, 256> bytes_;  // most entities fit
};

}  // namespace cairn::namenode
