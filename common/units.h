// Sizes and durations as users write and read them. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/status.h"

namespace cairn {

// "128M", "1.5 G" is wrong, "64KiB", "10": [0-9]+(\.[0-9]+)? with optional K M G T (any case), then
// optional B or iB; binary; bare means bytes. INVALID_ARGUMENT with what is wrong and an example.
absl::StatusOr<uint64_t> ParseSize(std::string_view text);
// "3s", "250ms", "20m", "1.5h", "21d" -> milliseconds; a unit is needed, except for 0.
absl::StatusOr<int64_t> ParseDurationMs(std::string_view text);

std::string FormatSize(uint64_t bytes);  // "128M", "1.5G": at most one decimal, as `ls -h`
std::string FormatDurationMs(
    int64_t ms);  // "3s", "250ms", "20m"; exact: ParseDurationMs gives it back

// Wall time (ms since the epoch), in UTC.
struct UtcTime {
  int year = 1970;
  unsigned month = 1;  // 1 to 12
  unsigned day = 1;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  unsigned ms = 0;
};
UtcTime ToUtc(int64_t wall_ms);
// The other way; nullopt for a day or an hour that no calendar has.
std::optional<int64_t> FromUtc(const UtcTime& time);
std::string FormatUtc(int64_t wall_ms);  // "2026-11-28T02:11:05.123Z"

}  // namespace cairn
