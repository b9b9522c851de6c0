// Small string helpers, and the bridge between std::string_view and Debian's Abseil, whose
// absl::string_view is a type of its own: look up hash maps through StringMap/StringSet; build
// strings with fmt::format, not absl::StrCat.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"

namespace cairn {

inline std::string_view ToStd(absl::string_view s) { return {s.data(), s.size()}; }
inline absl::string_view ToAbsl(std::string_view s) { return {s.data(), s.size()}; }

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view s) const { return absl::HashOf(ToAbsl(s)); }
};
struct StringEq {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return a == b; }
};
template <typename V>
using StringMap = absl::flat_hash_map<std::string, V, StringHash, StringEq>;
using StringSet = absl::flat_hash_set<std::string, StringHash, StringEq>;

std::vector<std::string> SplitList(std::string_view text,
                                   char separator);  // trims, drops empty items
std::string HexEncode(std::string_view bytes);
bool IsValidUtf8(std::string_view bytes);
// 16 random bytes from the kernel; and the same as a lower-case UUID string (RFC 4122, version 4).
std::string RandomBytes16();
std::string NewUuid();
uint64_t RandomU64();  // from the kernel

}  // namespace cairn
