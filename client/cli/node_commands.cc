// cairn admin decommission, recommission, maintenance: DataNodes out of service, and back.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/node_wait.h"
#include "common/mutex.h"

namespace cairn::cli {
namespace {

constexpr int64_t kPollMs = 500;

using ChangeFn = absl::StatusOr<std::string> (AdminClient::*)(const std::string& node);

struct NodeCommand {
  ChangeFn change;
  NodeGoal goal;
  const char* begun;    // said of the node at once
  const char* reached;  // ... with --wait, at the end
};

// The numbers of the last report, for the line that is drawn on a thread of its own.
class WaitedNode {
 public:
  void Update(const DataNodeReport& node) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    numbers_.blocks_left = node.blocks_left;
    numbers_.most_blocks_left = std::max(numbers_.most_blocks_left, node.blocks_left);
    numbers_.obstacle = Obstacle(node);
    numbers_.reason = node.admin_reason.empty() ? node.reason : node.admin_reason;
  }
  std::string Line(int64_t elapsed_ms, size_t columns) ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    numbers_.elapsed_ms = elapsed_ms;
    return FormatNodeWait(numbers_, columns);
  }

 private:
  Mutex mu_;
  NodeWaitNumbers numbers_ ABSL_GUARDED_BY(mu_);
};

absl::StatusOr<DataNodeReport> FindNode(AdminClient& admin, const std::string& id) {
  ASSIGN_OR_RETURN(AdminReport report, admin.Report());
  for (DataNodeReport& node : report.datanodes) {
    if (node.id == id) return std::move(node);
  }
  return absl::NotFoundError(fmt::format("DataNode {} is not in the report any more", id));
}

absl::Status Await(Context& context, AdminClient& admin, NodeGoal goal, const std::string& id) {
  WaitedNode waited;
  std::string told;
  ProgressLine line(context.console(), [&](int64_t elapsed_ms, size_t columns) {
    return waited.Line(elapsed_ms, columns);
  });
  while (true) {
    ASSIGN_OR_RETURN(const DataNodeReport node, FindNode(admin, id));
    ASSIGN_OR_RETURN(const bool reached, Reached(goal, node));
    if (reached) return absl::OkStatus();
    waited.Update(node);
    // Where no line is drawn, what is in the way is said once.
    if (std::string obstacle = Obstacle(node); obstacle != told) {
      told = std::move(obstacle);
      if (!told.empty() && !context.console().is_terminal()) {
        context.console().PrintLine(fmt::format("{}: {}", id, node.admin_reason));
      }
    }
    RETURN_IF_ERROR(context.interrupt().Sleep(kPollMs));
  }
}

absl::Status Run(Context& context, const NodeCommand& command, bool wait,
                 const Operands& operands) {
  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  ASSIGN_OR_RETURN(const std::string id, (admin->*command.change)(operands.front()));
  if (wait) RETURN_IF_ERROR(Await(context, *admin, command.goal, id));
  context.out().Write(fmt::format("{} {}\n", id, wait ? command.reached : command.begun));
  return absl::OkStatus();
}

Command& Add(Cli& cli, const char* name, const char* help, const char* wait_help,
             const NodeCommand& what) {
  auto wait = std::make_shared<bool>(false);
  Command& command =
      cli.Add(name, "NODE", 1, 1, help, [wait, what](Context& context, const Operands& operands) {
        return Run(context, what, *wait, operands);
      });
  command.options().AddBool("wait", wait.get(), wait_help);
  return command;
}

}  // namespace

void AddNodeCommands(Cli& cli) {
  Add(cli, "admin decommission", "take a DataNode out of service for good",
      "return once nothing depends on it any more",
      {&AdminClient::Decommission, NodeGoal::kDecommissioned, "is being decommissioned",
       "is decommissioned and may go"})
      .Example(
          "cairn admin decommission 10.0.0.7:9866          # an id, the beginning of one, or "
          "an address")
      .Example("cairn admin decommission --wait 3f1c && ssh node7 systemctl stop cairn-datanode");
  Add(cli, "admin recommission", "take a DataNode back into service, out of maintenance too",
      "return once it serves, its full report taken in",
      {&AdminClient::Recommission, NodeGoal::kInService, "is in service", "is in service"})
      .Example("cairn admin recommission 3f1c");
  Add(cli, "admin maintenance", "let a DataNode be gone for a while, without copying what it holds",
      "return once every block has a copy on another node",
      {&AdminClient::StartMaintenance, NodeGoal::kMaintenance, "enters maintenance",
       "is in maintenance and may be stopped"})
      .Example("cairn admin maintenance --wait 3f1c && ssh node7 reboot");
}

}  // namespace cairn::cli
