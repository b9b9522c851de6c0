#include "client/cli/admin_text.h"

#include <fmt/format.h>

#include "client/cli/listing.h"
#include "common/units.h"

namespace cairn::cli {
namespace {

constexpr auto kLeft = Table::Align::kLeft;
constexpr auto kRight = Table::Align::kRight;

std::string Line(std::string_view name, std::string_view value) {
  return fmt::format("{:<17} {}\n", name, value);
}

std::string State(const DataNodeReport& node) {
  return node.admin_state.empty() || node.admin_state == "in_service"
             ? node.status
             : fmt::format("{}, {}", node.status, node.admin_state);
}

std::string Reason(const DataNodeReport& node) {
  const bool both = !node.reason.empty() && !node.admin_reason.empty();
  return node.reason + (both ? "; " : "") + node.admin_reason;
}

std::string IssueLine(const ReplicationIssue& issue) {
  return fmt::format("  {}: block {}: {} of {} copies, on {}\n", issue.path, issue.block_id,
                     issue.current_replicas, issue.target_replicas, fmt::join(issue.nodes, " "));
}

}  // namespace

std::string NodesText(const std::vector<DataNodeReport>& nodes) {
  if (nodes.empty()) return "no DataNodes have registered\n";
  Table table({kLeft, kLeft, kLeft, kLeft, kRight, kRight, kRight, kRight, kRight, kRight, kRight,
               kLeft, kLeft});
  table.Add({"node", "address", "state", "rack", "blocks", "used", "free", "use%", "read",
             "written", "errors", "heard from", "reason"});
  for (const DataNodeReport& node : nodes) {
    table.Add({node.id, node.address, State(node), node.rack, std::to_string(node.blocks),
               FormatSize(node.used_bytes), FormatSize(node.remaining_bytes),
               fmt::format("{:.1f}%", node.utilization_percent), FormatSize(node.bytes_read),
               FormatSize(node.bytes_written), std::to_string(node.errors),
               fmt::format("{:.1f}s ago", static_cast<double>(node.last_heartbeat_ms_ago) / 1000),
               Reason(node)});
  }
  return table.Take();
}

std::string ReportText(const AdminReport& report) {
  const ClusterReport& cluster = report.cluster;
  std::string text =
      Line("nodes", fmt::format("{}: {} healthy, {} degraded, {} failed, {} recovering",
                                cluster.nodes_total, cluster.nodes_healthy, cluster.nodes_degraded,
                                cluster.nodes_failed, cluster.nodes_recovering));
  text +=
      Line("space", fmt::format("{} of {} used ({:.1f}%), {} free", FormatSize(cluster.used_bytes),
                                FormatSize(cluster.capacity_bytes), cluster.utilization_percent,
                                FormatSize(cluster.remaining_bytes)));
  text += Line("files", std::to_string(cluster.files_total));
  text += Line("blocks", fmt::format("{}: {} under-replicated, {} over-replicated, {} corrupt, "
                                     "{} missing",
                                     cluster.blocks_total, cluster.under_replicated_blocks,
                                     cluster.over_replicated_blocks, cluster.corrupt_blocks,
                                     cluster.missing_blocks));
  text += Line("defaults", fmt::format("{} copies, blocks of {}", cluster.default_replication,
                                       FormatSize(cluster.block_size_bytes)));
  text += Line("safe mode", cluster.safe_mode ? "on" : "off");
  text += Line("health score", fmt::format("{:g} of 100", cluster.health_score));
  return text + "\n" + NodesText(report.datanodes);
}

std::string RepairText(const RepairRound& round) {
  std::string text = Line("planned now", std::to_string(round.planned));
  text += Line("under way", std::to_string(round.in_flight));
  text += Line("waiting", std::to_string(round.waiting));
  if (!round.reason.empty()) text += Line("because", round.reason);
  return text;
}

std::string HealthText(const HealthReport& health) {
  std::string text =
      Line("health score", fmt::format("{:g} of 100", health.replication_health_score));
  text += Line("blocks", std::to_string(health.totals.blocks));
  const auto section = [&](std::string_view name, uint64_t total, const std::string& lines) {
    text += Line(name, std::to_string(total)) + lines;
  };
  std::string lines;
  for (const MissingIssue& issue : health.missing_blocks) {
    lines += fmt::format("  {}: block {}\n", issue.path, issue.block_id);
  }
  section("missing", health.totals.missing, lines);
  lines.clear();
  for (const CorruptIssue& issue : health.corrupt_blocks) {
    lines += fmt::format("  {}: block {} on {}\n", issue.path, issue.block_id, issue.node);
  }
  section("corrupt", health.totals.corrupt, lines);
  lines.clear();
  for (const ReplicationIssue& issue : health.under_replicated_blocks) lines += IssueLine(issue);
  section("under-replicated", health.totals.under_replicated, lines);
  lines.clear();
  for (const ReplicationIssue& issue : health.over_replicated_blocks) lines += IssueLine(issue);
  section("over-replicated", health.totals.over_replicated, lines);
  if (health.truncated) text += "the lists are cut; --limit N shows more\n";
  return text;
}

}  // namespace cairn::cli
