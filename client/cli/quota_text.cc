#include "client/cli/quota_text.h"

#include <fmt/format.h>

#include <optional>

#include "common/units.h"

namespace cairn::cli {
namespace {

int64_t Left(uint64_t limit, uint64_t used) { return static_cast<int64_t>(limit - used); }

std::string LimitColumn(const std::optional<uint64_t>& limit) {
  return limit ? std::to_string(*limit) : "none";
}

std::string LeftColumn(const std::optional<uint64_t>& limit, uint64_t used) {
  return limit ? std::to_string(Left(*limit, used)) : "inf";
}

// "12 of 100, 88 left", "12, no quota", "12 of 10, 2 too many".
std::string Usage(const std::optional<uint64_t>& limit, uint64_t used,
                  std::string (*show)(uint64_t)) {
  if (!limit) return fmt::format("{}, no quota", show(used));
  if (used > *limit) {
    return fmt::format("{} of {}, {} too many", show(used), show(*limit), show(used - *limit));
  }
  return fmt::format("{} of {}, {} left", show(used), show(*limit), show(*limit - used));
}

std::string ShowNumber(uint64_t number) { return std::to_string(number); }

}  // namespace

std::string QuotaText(const ContentSummary& summary) {
  std::string text = fmt::format("names  {}\nspace  {}",
                                 Usage(summary.name_quota, summary.names_used(), ShowNumber),
                                 Usage(summary.space_quota, summary.space_used(), FormatSize));
  if (summary.promised > 0) {
    text += fmt::format(" ({} for blocks that are being written)", FormatSize(summary.promised));
  }
  return text + "\n";
}

std::vector<std::string> CountQuotaRow(std::string_view path, const ContentSummary& summary) {
  return {
      LimitColumn(summary.name_quota),     LeftColumn(summary.name_quota, summary.names_used()),
      LimitColumn(summary.space_quota),    LeftColumn(summary.space_quota, summary.space_used()),
      std::to_string(summary.directories), std::to_string(summary.files),
      std::to_string(summary.length),      std::string(path)};
}

}  // namespace cairn::cli
