#include "client/cli/find_tests.h"

#include <algorithm>
#include <cctype>

#include "client/cli/glob.h"
#include "common/units.h"

namespace cairn::cli {
namespace {

constexpr int64_t kDayMs = 86'400'000;

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

}  // namespace

bool Comparison::Holds(uint64_t value) const {
  switch (kind) {
    case Kind::kLess:
      return value < number;
    case Kind::kMore:
      return value > number;
    case Kind::kEqual:
      break;
  }
  return value == number;
}

absl::StatusOr<Comparison> ParseComparison(std::string_view text) {
  Comparison result;
  if (text.starts_with('+')) result.kind = Comparison::Kind::kMore;
  if (text.starts_with('-')) result.kind = Comparison::Kind::kLess;
  if (result.kind != Comparison::Kind::kEqual) text.remove_prefix(1);
  ASSIGN_OR_RETURN(result.number, ParseSize(text));
  return result;
}

bool FindTests::Match(std::string_view base_name, const FileStatus& status, int64_t now_ms) const {
  if (!name.empty() && !GlobMatch(name, base_name)) return false;
  if (!iname.empty() && !GlobMatch(Lower(iname), Lower(base_name))) return false;
  if (!type.empty() && (type == "d") != status.is_directory()) return false;
  if (size && (status.is_directory() || !size->Holds(status.length))) return false;
  if (mtime) {
    const int64_t age_ms = std::max<int64_t>(now_ms - status.mtime_ms, 0);
    if (!mtime->Holds(static_cast<uint64_t>(age_ms / kDayMs))) return false;
  }
  return true;
}

}  // namespace cairn::cli
