// What `find` asks of each file: name, type, size, age.
//
// Pure, thread-safe. Used by find.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "client/types.h"
#include "common/status.h"

namespace cairn::cli {

// "+5": more than 5; "-5": less; "5": exactly.
struct Comparison {
  enum class Kind { kLess, kEqual, kMore };
  Kind kind = Kind::kEqual;
  uint64_t number = 0;

  bool Holds(uint64_t value) const;
};
// Sizes may have units: "+10M". INVALID_ARGUMENT for what is no number.
absl::StatusOr<Comparison> ParseComparison(std::string_view text);

struct FindTests {
  std::string name;                 // a pattern; empty: any
  std::string iname;                // the same without regard to case (of ASCII letters)
  std::string type;                 // "f", "d" or empty
  std::optional<Comparison> size;   // bytes of a file; directories never match
  std::optional<Comparison> mtime;  // whole days since it was modified, as find(1) counts

  bool Match(std::string_view base_name, const FileStatus& status, int64_t now_ms) const;
};

}  // namespace cairn::cli
