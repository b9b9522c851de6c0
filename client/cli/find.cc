// cairn find: paths of a tree that pass tests.
#include <limits>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/find_tests.h"
#include "client/cli/paths.h"
#include "client/cli/tree.h"
#include "common/clock.h"

namespace cairn::cli {
namespace {

constexpr int64_t kMaxDepth = std::numeric_limits<int>::max();

struct FindOptions {
  FindTests tests;
  std::string size;
  std::string mtime;
  int64_t max_depth = kMaxDepth;
  int64_t min_depth = 0;
};

absl::Status ParseTest(std::string_view option, const std::string& text,
                       std::optional<Comparison>* result) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<Comparison> parsed = ParseComparison(text);
  if (!parsed.ok()) {
    return UsageError(std::string(option) + ": '" + text + "' is not a number like 5, +5 or -5");
  }
  *result = *parsed;
  return absl::OkStatus();
}

absl::Status Find(Context& context, FindOptions& options, const Operands& operands) {
  RETURN_IF_ERROR(ParseTest("--size", options.size, &options.tests.size));
  RETURN_IF_ERROR(ParseTest("--mtime", options.mtime, &options.tests.mtime));
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> roots, context.Expand(operands));
  const int64_t now_ms = NewSystemClock()->WallMs();
  TreeVisitor visitor;
  visitor.enter = [&](const ClusterPath& path, const FileStatus& status, int depth) {
    const std::string base = path.path == "/" ? "/" : BaseName(path.path);
    if (depth >= options.min_depth && options.tests.Match(base, status, now_ms)) {
      context.out().Write(path.shown);
      context.out().Write("\n");
    }
    return depth < options.max_depth;
  };
  for (const ClusterPath& root : roots) RETURN_IF_ERROR(WalkTree(context, root, visitor));
  return context.Continue();
}

}  // namespace

void AddFind(Cli& cli) {
  auto options = std::make_shared<FindOptions>();
  Command& command = cli.Add("find", "PATH...", 1, Command::kAnyNumber,
                             "print the paths of a tree that pass all tests",
                             [options](Context& context, const Operands& operands) {
                               return Find(context, *options, operands);
                             });
  command.Example("cairn find /data -name '*.csv' -type f      # one dash or two")
      .Example("cairn find / --size +1G --mtime -7         # large, and changed this week");
  OptionTable& table = command.options();
  table.AddString("name", &options->tests.name, "the last part of the path matches").Value("GLOB");
  table.AddString("iname", &options->tests.iname, "the same without regard to case").Value("GLOB");
  table.AddChoice("type", &options->tests.type, {"f", "d"}, "a file or a directory");
  table.AddString("size", &options->size, "a file of this size; +: larger, -: smaller")
      .Value("[+-]SIZE");
  table.AddString("mtime", &options->mtime, "changed this many days ago; +: longer, -: less long")
      .Value("[+-]DAYS");
  table.AddInt("maxdepth", &options->max_depth, 0, kMaxDepth, "levels to go down").Default("all");
  table.AddInt("mindepth", &options->min_depth, 0, kMaxDepth, "levels to go down at least");
}

}  // namespace cairn::cli
