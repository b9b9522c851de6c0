// Any bytes as an image: an error, or a state whose digest is right.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "namenode/codec/image.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto image =
      cairn::namenode::LoadImage([&](char* buffer, size_t wanted) -> absl::StatusOr<size_t> {
        const size_t taken = std::min(wanted, size);
        std::memcpy(buffer, data, taken);
        data += taken;
        size -= taken;
        return taken;
      });
  if (image.ok() && image->state.digest() != image->state.RecomputeDigest()) std::abort();
  return 0;
}
