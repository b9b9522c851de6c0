// cairn fsck: every block of a tree against what it should be.
#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/fsck_report.h"
#include "client/cli/tree.h"

namespace cairn::cli {
namespace {

absl::Status Fsck(Context& context, bool json, const Operands& operands) {
  ASSIGN_OR_RETURN(const ClusterPath root, context.Resolve(operands.front()));
  FsckReport report{.path = root.shown};
  std::vector<FsckProblem> problems;  // for JSON; as text they are printed as they are found
  bool started = false;
  TreeVisitor visitor;
  visitor.enter = [&](const ClusterPath& path, const FileStatus& status, int) {
    started = true;
    if (status.is_directory()) {
      ++report.directories;
      return true;
    }
    const absl::StatusOr<std::vector<LocatedBlock>> blocks = path.fs->GetBlockLocations(path.path);
    if (!blocks.ok()) {
      // A file that was removed meanwhile has no blocks to check.
      if (!absl::IsNotFound(blocks.status())) context.Fail(path.shown, blocks.status());
      return false;
    }
    for (FsckProblem& problem : report.Add(path.shown, status, *blocks)) {
      if (json) {
        problems.push_back(std::move(problem));
      } else {
        context.out().Write(FsckLine(problem) + "\n");
      }
    }
    return false;
  };
  RETURN_IF_ERROR(WalkTree(context, root, visitor));
  if (!started) return absl::OkStatus();  // it is not there; that was told
  context.out().Write(json ? report.Json(problems) + "\n" : report.Text());
  if (!report.healthy()) context.RaiseExitStatus(1);
  return absl::OkStatus();
}

}  // namespace

void AddFsck(Cli& cli) {
  auto json = std::make_shared<bool>(false);
  Command& fsck = cli.Add("fsck", "PATH", 1, 1,
                          "check the copies of every block; exits with 1 if one is lost or corrupt",
                          [json](Context& context, const Operands& operands) {
                            return Fsck(context, *json, operands);
                          });
  fsck.Example("cairn fsck /").Example("cairn fsck /data --json | jq '.problems[].path'");
  fsck.options().AddBool("json", json.get(), "as JSON");
}

}  // namespace cairn::cli
