#include "common/trash_names.h"

#include <fmt/format.h>

#include <algorithm>

#include "common/units.h"

namespace cairn {
namespace {

constexpr size_t kTimeDigits = 12;
constexpr int kCentury = 2000;

bool AllDigits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

unsigned TwoDigits(std::string_view text, size_t index) {
  return static_cast<unsigned>((text[2 * index] - '0') * 10 + (text[2 * index + 1] - '0'));
}

}  // namespace

std::string TrashRootOf(std::string_view user) {
  return fmt::format("{}/{}/{}", kHomes, user, kTrash);
}

std::string TrashCheckpointName(int64_t wall_ms) {
  const UtcTime t = ToUtc(wall_ms);
  return fmt::format("{:02}{:02}{:02}{:02}{:02}{:02}", t.year % 100, t.month, t.day, t.hour,
                     t.minute, t.second);
}

std::optional<int64_t> ParseTrashCheckpoint(std::string_view name) {
  const std::string_view time = name.substr(0, kTimeDigits);
  if (time.size() < kTimeDigits || !AllDigits(time)) return std::nullopt;
  name.remove_prefix(kTimeDigits);
  if (!name.empty() && (name.front() != '-' || !AllDigits(name.substr(1)))) return std::nullopt;
  return FromUtc({.year = kCentury + static_cast<int>(TwoDigits(time, 0)),
                  .month = TwoDigits(time, 1),
                  .day = TwoDigits(time, 2),
                  .hour = TwoDigits(time, 3),
                  .minute = TwoDigits(time, 4),
                  .second = TwoDigits(time, 5)});
}

}  // namespace cairn
