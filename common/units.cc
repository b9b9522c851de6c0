#include "common/units.h"

#include <fmt/format.h>

#include <array>
#include <cctype>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace cairn {
namespace {

// A decimal number [0-9]+(\.[0-9]+)? and what follows it.
struct Number {
  uint64_t whole = 0;
  long double fraction = 0;  // in [0, 1)
  std::string_view rest;
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::optional<Number> TakeNumber(std::string_view text) {
  Number number;
  size_t i = 0;
  for (; i < text.size() && IsDigit(text[i]); ++i) {
    const uint64_t digit = static_cast<uint64_t>(text[i] - '0');
    if (number.whole > (std::numeric_limits<uint64_t>::max() - digit) / 10) return std::nullopt;
    number.whole = number.whole * 10 + digit;
  }
  if (i == 0) return std::nullopt;
  if (i < text.size() && text[i] == '.') {
    const size_t first = ++i;
    long double place = 1;
    for (; i < text.size() && IsDigit(text[i]); ++i) {
      place /= 10;
      number.fraction += place * (text[i] - '0');
    }
    if (i == first) return std::nullopt;
  }
  number.rest = text.substr(i);
  return number;
}

// number * unit, rounded down; nullopt when it is above `max`.
std::optional<uint64_t> Scale(const Number& number, uint64_t unit, uint64_t max) {
  // The small addend keeps 0.1 * 10 from falling to 0.
  const auto part =
      static_cast<uint64_t>(std::floor(number.fraction * static_cast<long double>(unit) + 1e-9L));
  if (part > max || number.whole > (max - part) / unit) return std::nullopt;
  return number.whole * unit + part;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

std::optional<uint64_t> SizeUnit(std::string_view suffix) {
  std::string unit = Lower(suffix);
  uint64_t bytes = 1;
  if (!unit.empty()) {
    constexpr std::string_view kLetters = "kmgt";
    if (const size_t power = kLetters.find(unit.front()); power != std::string_view::npos) {
      bytes = uint64_t{1} << (10 * (power + 1));
      unit.erase(0, 1);
    }
  }
  if (!unit.empty() && unit != "b" && unit != "ib") return std::nullopt;
  return bytes;
}

constexpr std::array<std::pair<std::string_view, int64_t>, 5> kDurationUnits = {
    {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};

}  // namespace

absl::StatusOr<uint64_t> ParseSize(std::string_view text) {
  const std::optional<Number> number = TakeNumber(text);
  const std::optional<uint64_t> unit = number ? SizeUnit(number->rest) : std::nullopt;
  if (!unit) {
    return absl::InvalidArgumentError(
        fmt::format("'{}' is not a size; write it like 64K, 128M or 1.5G", text));
  }
  const auto bytes = Scale(*number, *unit, std::numeric_limits<int64_t>::max());
  if (!bytes) return absl::InvalidArgumentError(fmt::format("the size '{}' is too large", text));
  return *bytes;
}

absl::StatusOr<int64_t> ParseDurationMs(std::string_view text) {
  const std::optional<Number> number = TakeNumber(text);
  if (number && number->rest.empty() && number->whole == 0 && number->fraction == 0) return 0;
  std::optional<int64_t> unit;
  for (const auto& [name, ms] : kDurationUnits) {
    if (number && number->rest == name) unit = ms;
  }
  if (!unit) {
    const bool only_unit_missing = number && number->rest.empty();
    return absl::InvalidArgumentError(
        only_unit_missing
            ? fmt::format("the duration '{}' needs a unit (ms, s, m, h or d), like {}s", text, text)
            : fmt::format("'{}' is not a duration; write it like 250ms, 3s, 20m, 1h or 21d", text));
  }
  const auto ms = Scale(*number, static_cast<uint64_t>(*unit), std::numeric_limits<int64_t>::max());
  if (!ms) return absl::InvalidArgumentError(fmt::format("the duration '{}' is too long", text));
  return static_cast<int64_t>(*ms);
}

std::string FormatSize(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes);
  constexpr std::string_view kUnits = "KMGTPE";
  // In tenths of the unit, rounded up as `ls -h` does: nothing looks smaller than it is.
  size_t power = 0;
  unsigned __int128 unit = 1024;
  auto tenths = [&] {
    return static_cast<uint64_t>(((static_cast<unsigned __int128>(bytes) * 10) + unit - 1) / unit);
  };
  auto rounded = [&] {  // one decimal below 10, none above
    const uint64_t t = tenths();
    return t < 100 ? t : (t + 9) / 10 * 10;
  };
  while (rounded() >= 10240 && power + 1 < kUnits.size()) {
    unit *= 1024;
    ++power;
  }
  const uint64_t value = rounded();
  if (value % 10 == 0) return fmt::format("{}{}", value / 10, kUnits[power]);
  return fmt::format("{}.{}{}", value / 10, value % 10, kUnits[power]);
}

std::string FormatDurationMs(int64_t ms) {
  if (ms == 0) return "0s";
  for (const auto& [name, unit] : kDurationUnits) {
    if (ms % unit == 0) return fmt::format("{}{}", ms / unit, name);
  }
  return fmt::format("{}ms", ms);
}

UtcTime ToUtc(int64_t wall_ms) {
  const std::chrono::sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds(wall_ms)};
  const auto midnight = std::chrono::floor<std::chrono::days>(at);
  const std::chrono::year_month_day date(midnight);
  const auto of_day = static_cast<uint64_t>((at - midnight).count());
  return {.year = static_cast<int>(date.year()),
          .month = static_cast<unsigned>(date.month()),
          .day = static_cast<unsigned>(date.day()),
          .hour = static_cast<unsigned>(of_day / 3'600'000),
          .minute = static_cast<unsigned>(of_day / 60'000 % 60),
          .second = static_cast<unsigned>(of_day / 1000 % 60),
          .ms = static_cast<unsigned>(of_day % 1000)};
}

std::optional<int64_t> FromUtc(const UtcTime& time) {
  const std::chrono::year_month_day date{
      std::chrono::year(time.year), std::chrono::month(time.month), std::chrono::day(time.day)};
  if (!date.ok() || time.hour > 23 || time.minute > 59 || time.second > 59 || time.ms > 999) {
    return std::nullopt;
  }
  const std::chrono::milliseconds midnight = std::chrono::sys_days(date).time_since_epoch();
  return midnight.count() + time.hour * int64_t{3'600'000} + time.minute * int64_t{60'000} +
         time.second * int64_t{1000} + time.ms;
}

std::string FormatUtc(int64_t wall_ms) {
  const UtcTime t = ToUtc(wall_ms);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", t.year, t.month, t.day, t.hour,
                     t.minute, t.second, t.ms);
}

}  // namespace cairn
