// Any bytes as what people type: paths, patterns, modes of chmod, names in the trash. An error, or
// something that stays what it is when it is read again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "client/cli/glob.h"
#include "client/cli/mode.h"
#include "client/cli/paths.h"
#include "common/trash_names.h"
#include "namenode/namespace/paths.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

void ReadPath(std::string_view text) {
  using cairn::cli::NormalizePath;
  const auto names = cairn::namenode::SplitPath(text, {});
  if (names.ok()) {
    std::string joined;
    for (const std::string_view name : *names) joined.append("/").append(name);
    if (joined.empty()) joined = "/";
    const auto again = cairn::namenode::SplitPath(joined, {});
    Check(again.ok() && *again == *names);
  }
  if (text.empty() || text.front() != '/') return;
  const std::string normal = NormalizePath(text);
  Check(NormalizePath(normal) == normal && normal.front() == '/');
  Check(cairn::cli::IsWithin(normal, "/"));
  const std::string name = cairn::cli::BaseName(normal);
  if (!name.empty()) Check(cairn::cli::JoinPath(cairn::cli::ParentPath(normal), name) == normal);
}

void ReadPattern(std::string_view text) {
  using namespace cairn::cli;
  const size_t half = text.size() / 2;
  (void)GlobMatch(text.substr(0, half), text.substr(half));
  const std::string literal = Unescape(text);
  if (!HasGlob(text) && text.find('/') == std::string_view::npos) Check(GlobMatch(text, literal));
  Check(GlobMatch("*", text));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  ReadPath(text);
  ReadPattern(text);
  const auto mode = cairn::cli::ModeChange::Parse(text);
  if (mode.ok()) Check((mode->Apply(0644, false) & ~01777u) == 0);
  const auto time_ms = cairn::ParseTrashCheckpoint(text);
  if (time_ms) Check(text.starts_with(cairn::TrashCheckpointName(*time_ms)));
  return 0;
}
