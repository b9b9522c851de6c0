// What absl::Cord lacks: memory of anybody's, shared without a copy. Thread-safe as a Cord is.
#pragma once

#include <string_view>
#include <utility>

#include "absl/strings/cord.h"
#include "common/strings.h"

namespace cairn {

// A Cord of memory that lives until `release`, which may own it, was called.
template <typename Release>
absl::Cord ShareInCord(std::string_view bytes, Release release) {
  return absl::MakeCordFromExternal(ToAbsl(bytes), std::move(release));
}

}  // namespace cairn
