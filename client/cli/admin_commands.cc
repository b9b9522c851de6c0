// cairn admin: the cluster as its administrators see it.
#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "client/cli/admin_text.h"
#include "client/cli/commands.h"

namespace cairn::cli {
namespace {

absl::Status Report(Context& context, bool json) {
  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  if (json) {
    ASSIGN_OR_RETURN(const std::string text, admin->ReportJson());
    context.out().Write(text + "\n");
  } else {
    ASSIGN_OR_RETURN(const AdminReport report, admin->Report());
    context.out().Write(ReportText(report));
  }
  return absl::OkStatus();
}

absl::Status Nodes(Context& context, bool json) {
  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  if (json) {
    ASSIGN_OR_RETURN(const std::string text, admin->NodesJson());
    context.out().Write(text + "\n");
  } else {
    ASSIGN_OR_RETURN(const AdminReport report, admin->Report());
    context.out().Write(NodesText(report.datanodes));
  }
  return absl::OkStatus();
}

absl::Status Health(Context& context, bool json, uint32_t limit) {
  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  if (json) {
    ASSIGN_OR_RETURN(const std::string text, admin->HealthJson(limit));
    context.out().Write(text + "\n");
  } else {
    ASSIGN_OR_RETURN(const HealthReport health, admin->Health(limit));
    context.out().Write(HealthText(health));
  }
  return absl::OkStatus();
}

absl::Status Repair(Context& context, bool json, uint64_t max) {
  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  if (json) {
    ASSIGN_OR_RETURN(const std::string text, admin->RepairJson(max));
    context.out().Write(text + "\n");
  } else {
    ASSIGN_OR_RETURN(const RepairRound round, admin->Repair(max));
    context.out().Write(RepairText(round));
  }
  return absl::OkStatus();
}

absl::Status AwaitSafeModeOff(Context& context, AdminClient& admin) {
  constexpr int64_t kPollMs = 300;
  while (true) {
    ASSIGN_OR_RETURN(const SafeModeState state, admin.GetSafeMode());
    if (!state.on) return absl::OkStatus();
    RETURN_IF_ERROR(context.interrupt().Sleep(kPollMs));
  }
}

absl::Status SafeMode(Context& context, const Operands& operands) {
  const std::string& action = operands.front();
  if (action != "get" && action != "enter" && action != "leave" && action != "wait") {
    return UsageError(fmt::format("'{}' is not one of get|enter|leave|wait", action));
  }
  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  if (action == "wait") return AwaitSafeModeOff(context, *admin);
  const absl::StatusOr<SafeModeState> state = action == "get"     ? admin->GetSafeMode()
                                              : action == "enter" ? admin->EnterSafeMode()
                                                                  : admin->LeaveSafeMode();
  if (!state.ok()) return state.status();
  if (action == "get") context.out().Write(state->on ? "on\n" : "off\n");
  return absl::OkStatus();
}

absl::Status Checkpoint(Context& context, const Operands&) {
  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  ASSIGN_OR_RETURN(const TxId txid, admin->Checkpoint());
  context.out().Write(fmt::format("the image holds all edits up to {}\n", txid));
  return absl::OkStatus();
}

void AddRepairCommand(Cli& cli) {
  struct RepairOptions {
    bool json = false;
    int64_t max = 0;
  };
  auto options = std::make_shared<RepairOptions>();
  Command& repair =
      cli.Add("admin repair", "", 0, 0,
              "plan the copies of blocks that lack some now, not at the next round",
              [options](Context& context, const Operands&) {
                return Repair(context, options->json, static_cast<uint64_t>(options->max));
              });
  repair.Example("cairn admin repair").Example("cairn admin repair --max 100 --json");
  repair.options().AddInt(
      "max", &options->max, 0, std::numeric_limits<int64_t>::max(),
      "blocks to plan at most; 0: as many as the pacing of each DataNode allows");
  repair.options().AddBool("json", &options->json, "as JSON");
}

}  // namespace

void AddAdminCommands(Cli& cli) {
  auto report_json = std::make_shared<bool>(false);
  Command& report = cli.Add(
      "admin report", "", 0, 0, "show the cluster and its DataNodes",
      [report_json](Context& context, const Operands&) { return Report(context, *report_json); });
  report.Example("cairn admin report").Example("cairn admin report --json | jq .cluster");
  report.options().AddBool("json", report_json.get(), "as JSON");

  struct HealthOptions {
    bool json = false;
    int64_t limit = 1000;
  };
  auto health_options = std::make_shared<HealthOptions>();
  Command& health = cli.Add(
      "admin health", "", 0, 0, "show the blocks that lack copies, or have too many",
      [health_options](Context& context, const Operands&) {
        return Health(context, health_options->json, static_cast<uint32_t>(health_options->limit));
      });
  health.Example("cairn admin health").Example("cairn admin health --json --limit 10");
  health.options().AddBool("json", &health_options->json, "as JSON");
  health.options().AddInt("limit", &health_options->limit, 1, std::numeric_limits<int32_t>::max(),
                          "entries of each list");

  auto nodes_json = std::make_shared<bool>(false);
  Command& nodes = cli.Add(
      "admin nodes", "", 0, 0, "show the DataNodes",
      [nodes_json](Context& context, const Operands&) { return Nodes(context, *nodes_json); });
  nodes.Example("cairn admin nodes");
  nodes.options().AddBool("json", nodes_json.get(), "as JSON");

  cli.Add("admin safe-mode", "get|enter|leave|wait", 1, 1,
          "show or change whether writes wait; wait returns when they do not", SafeMode)
      .Example("cairn admin safe-mode get          # on or off")
      .Example("cairn admin safe-mode wait && cairn put a.csv /data/");

  AddRepairCommand(cli);

  cli.Add("admin checkpoint", "", 0, 0, "write an image of the namespace now", Checkpoint)
      .Example("cairn admin checkpoint");
}

}  // namespace cairn::cli
