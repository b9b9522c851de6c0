#include "namenode/namespace/digest.h"

#include <fmt/format.h>
#include <xxhash.h>

namespace cairn::namenode {

std::string ToHex(const Digest& digest) {
  return fmt::format("{:016x}{:016x}", digest.high, digest.low);
}

void EntityBytes::Grow(size_t size) {
  const bool was_inline = more_.empty();
  capacity_ = 2 * (size_ + size);
  more_.resize(capacity_);
  if (was_inline) std::memcpy(more_.data(), inline_, size_);
  bytes_ = more_.data();
}

Digest EntityBytes::Hash() const {
  const XXH128_hash_t hash = XXH3_128bits(bytes_, size_);
  return {hash.high64, hash.low64};
}

}  // namespace cairn::namenode
