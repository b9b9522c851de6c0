#include "namenode/namespace/digest.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace cairn::namenode {

std::string ToHex(const Digest& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

EntityBytes& EntityBytes::Add(uint64_t number) {
  char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(number >> (8 * i));
  bytes_.insert(bytes_.end(), bytes, bytes + sizeof(bytes));
  return *this;
}

EntityBytes& EntityBytes::Add(std::string_view text) {
  Add(text.size());
  bytes_.insert(bytes_.end(), text.begin(), text.end());
  return *this;
}

Digest EntityBytes::Hash() const {
  const XXH128_hash_t hash = XXH3_128bits(bytes_.data(), bytes_.size());
  return {hash.high64, hash.low64};
}

}  // namespace cairn::namenode
