// The name under which a file is written before it is published. Pure function, thread-safe; for
// this room alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace cairn {

inline constexpr size_t kMaxNameBytes = 255;  // of one path component, as the NameNode limits it

// "/dir/NAME" -> "/dir/NAME._COPYING_.<id>"; NAME is cut, between UTF-8 characters, so that the
// whole fits in kMaxNameBytes.
std::string TemporaryName(std::string_view path, uint64_t id);

}  // namespace cairn
