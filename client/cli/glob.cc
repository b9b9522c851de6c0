#include "client/cli/glob.h"

namespace cairn::cli {
namespace {

// Bytes of the UTF-8 character at the start; 1 where it is none.
size_t CharacterBytes(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  return bytes <= text.size() ? bytes : 1;
}

// The length of the bracket expression at the start of `pattern`, 0 when it is not closed. Sets
// *matches for the byte `c`.
size_t MatchBracket(std::string_view pattern, char c, bool* matches) {
  size_t i = 1;
  const bool negated = i < pattern.size() && (pattern[i] == '!' || pattern[i] == '^');
  if (negated) ++i;
  const size_t first = i;
  const auto byte = static_cast<unsigned char>(c);
  bool found = false;
  for (; i < pattern.size() && (pattern[i] != ']' || i == first); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    const auto low = static_cast<unsigned char>(pattern[i]);
    auto high = low;
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      i += 2;
      high = static_cast<unsigned char>(pattern[i]);
    }
    found = found || (low <= byte && byte <= high);
  }
  if (i >= pattern.size()) return 0;
  *matches = found != negated;
  return i + 1;
}

// The pattern's first element against the start of `name`. Returns false when it does not match;
// else takes both away. The element is never '*'.
bool TakeOne(std::string_view& pattern, std::string_view& name) {
  if (name.empty()) return false;
  if (pattern.front() == '?') {
    pattern.remove_prefix(1);
    name.remove_prefix(CharacterBytes(name));
    return true;
  }
  if (pattern.front() == '[') {
    bool matches = false;
    if (const size_t length = MatchBracket(pattern, name.front(), &matches); length > 0) {
      pattern.remove_prefix(length);
      name.remove_prefix(1);
      return matches;
    }
  }
  if (pattern.front() == '\\' && pattern.size() > 1) pattern.remove_prefix(1);
  const bool same = pattern.front() == name.front();
  pattern.remove_prefix(1);
  name.remove_prefix(1);
  return same;
}

}  // namespace

bool HasGlob(std::string_view pattern) {
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\') {
      ++i;
    } else if (pattern[i] == '*' || pattern[i] == '?' || pattern[i] == '[') {
      return true;
    }
  }
  return false;
}

bool GlobMatch(std::string_view pattern, std::string_view name) {
  // Where to go on when the rest does not match: the last '*' takes one byte more.
  std::string_view star_pattern, star_name;
  bool star = false;
  while (true) {
    if (pattern.empty() && name.empty()) return true;
    if (!pattern.empty() && pattern.front() == '*') {
      pattern.remove_prefix(1);
      star = true;
      star_pattern = pattern;
      star_name = name;
      continue;
    }
    if (!pattern.empty() && TakeOne(pattern, name)) continue;
    if (!star || star_name.empty()) return false;
    star_name.remove_prefix(1);
    pattern = star_pattern;
    name = star_name;
  }
}

std::string Unescape(std::string_view pattern) {
  std::string name;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) ++i;
    name += pattern[i];
  }
  return name;
}

}  // namespace cairn::cli
