#include "client/cli/mode.h"

#include <fmt/format.h>

#include <charconv>

#include "common/strings.h"

namespace cairn::cli {
namespace {

constexpr uint32_t kSticky = 01000;
constexpr uint32_t kAll = 0777;

absl::Status Wrong(std::string_view text) {
  return absl::InvalidArgumentError(fmt::format(
      "'{}' is not a mode; write it in octal, like 755, or in symbols, like u+x,go-w", text));
}

// One class of users: its bits' mask. The sticky bit goes with the others, as chmod(1) has it.
uint32_t WhoMask(char c) {
  switch (c) {
    case 'u':
      return 0700;
    case 'g':
      return 0070;
    case 'o':
      return 0007 | kSticky;
    case 'a':
      return kAll | kSticky;
    default:
      return 0;
  }
}

// rwx for all three classes.
uint32_t PermissionBits(char c) {
  switch (c) {
    case 'r':
      return 0444;
    case 'w':
      return 0222;
    case 'x':
      return 0111;
    default:
      return 0;
  }
}

int ClassShift(char c) { return c == 'u' ? 6 : c == 'g' ? 3 : c == 'o' ? 0 : -1; }

}  // namespace

absl::StatusOr<ModeChange> ModeChange::Parse(std::string_view text) {
  ModeChange change;
  if (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    uint32_t bits = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits, 8);
    if (error != std::errc() || end != text.data() + text.size() || bits > (kSticky | kAll)) {
      return Wrong(text);
    }
    change.clauses_.push_back(
        {.who = kAll | kSticky, .bits = bits & kAll, .sticky = (bits & kSticky) != 0});
    return change;
  }
  const std::vector<std::string> parts = SplitList(text, ',');
  if (parts.empty()) return Wrong(text);
  for (const std::string& part : parts) {
    if (!ParseClauses(part, &change.clauses_).ok()) return Wrong(text);
  }
  return change;
}

// "ug+rw-x": who, then operations one after another.
absl::Status ModeChange::ParseClauses(std::string_view text, std::vector<Clause>* clauses) {
  size_t i = 0;
  uint32_t who = 0;
  for (; i < text.size() && WhoMask(text[i]) != 0; ++i) who |= WhoMask(text[i]);
  if (who == 0) who = kAll | kSticky;
  if (i == text.size()) return Wrong(text);
  while (i < text.size()) {
    Clause clause{.who = who, .operation = text[i]};
    if (text[i] != '+' && text[i] != '-' && text[i] != '=') return Wrong(text);
    for (++i; i < text.size() && text[i] != '+' && text[i] != '-' && text[i] != '='; ++i) {
      if (PermissionBits(text[i]) != 0) {
        clause.bits |= PermissionBits(text[i]);
      } else if (text[i] == 'X') {
        clause.execute_if_any = true;
      } else if (text[i] == 't') {
        clause.sticky = true;
      } else if (ClassShift(text[i]) >= 0) {
        clause.copy_from = ClassShift(text[i]);
      } else {
        return Wrong(text);
      }
    }
    clauses->push_back(clause);
  }
  return absl::OkStatus();
}

uint32_t ModeChange::Apply(uint32_t mode, bool is_directory) const {
  for (const Clause& clause : clauses_) {
    uint32_t bits = clause.bits | (clause.sticky ? kSticky : 0);
    if (clause.execute_if_any && (is_directory || (mode & 0111) != 0)) bits |= 0111;
    if (clause.copy_from >= 0) bits |= ((mode >> clause.copy_from) & 7) * 0111;
    bits &= clause.who;
    if (clause.operation == '+') {
      mode |= bits;
    } else if (clause.operation == '-') {
      mode &= ~bits;
    } else {
      mode = (mode & ~clause.who) | bits;
    }
  }
  return mode;
}

std::string FormatMode(uint32_t mode, bool is_directory) {
  std::string text(1, is_directory ? 'd' : '-');
  for (int shift = 6; shift >= 0; shift -= 3) {
    text += (mode >> shift & 4) != 0 ? 'r' : '-';
    text += (mode >> shift & 2) != 0 ? 'w' : '-';
    text += (mode >> shift & 1) != 0 ? 'x' : '-';
  }
  if ((mode & kSticky) != 0) text.back() = (mode & 1) != 0 ? 't' : 'T';
  return text;
}

}  // namespace cairn::cli
