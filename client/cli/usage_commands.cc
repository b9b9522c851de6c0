// cairn du, df and count: how much there is.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/listing.h"
#include "client/cli/quota_text.h"

namespace cairn::cli {
namespace {

constexpr auto kLeft = Table::Align::kLeft;
constexpr auto kRight = Table::Align::kRight;

struct UsageOptions {
  bool summarize = false;
  bool human = false;
};

// One line: bytes, bytes with all copies, path.
absl::Status AddUsage(const ClusterPath& path, bool human, Table& table) {
  ASSIGN_OR_RETURN(const ContentSummary summary, path.fs->GetContentSummary(path.path));
  table.Add({SizeColumn(summary.length, human), SizeColumn(summary.space, human), path.shown});
  return absl::OkStatus();
}

absl::Status DiskUsageOf(Context& context, const UsageOptions& options, const ClusterPath& path,
                         Table& table) {
  if (options.summarize) return AddUsage(path, options.human, table);
  ASSIGN_OR_RETURN(const FileStatus status, path.fs->GetFileInfo(path.path));
  if (!status.is_directory()) return AddUsage(path, options.human, table);
  return path.fs->ForEachEntry(path.path, [&](const FileStatus& entry) {
    const ClusterPath child = path.Child(entry.name);
    if (absl::Status added = AddUsage(child, options.human, table); !added.ok()) {
      context.Fail(child.shown, added);
    }
    return context.Continue();
  });
}

absl::Status DiskUsage(Context& context, const UsageOptions& options, const Operands& operands) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.Expand(operands));
  Table table({kRight, kRight, kLeft});
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(context.Continue());
    const absl::Status status = DiskUsageOf(context, options, path, table);
    if (!status.ok()) context.Fail(path.shown, status);
    context.out().Write(table.Take());
  }
  return context.Continue();
}

// Every path must exist; the figures are those of the whole cluster.
absl::Status DiskFree(Context& context, bool human, const Operands& operands) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.Expand(operands));
  size_t found = 0;
  for (const ClusterPath& path : paths) {
    if (!path.prefix().empty()) {
      return UsageError(fmt::format(
          "{}: it shows the cluster of --namenode alone; name that one instead", path.shown));
    }
  }
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(context.Continue());
    const absl::StatusOr<FileStatus> status = path.fs->GetFileInfo(path.path);
    if (!status.ok()) context.Fail(path.shown, status.status());
    if (status.ok()) ++found;
  }
  if (!operands.empty() && found == 0) return context.Continue();

  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  ASSIGN_OR_RETURN(const AdminReport report, admin->Report());
  const ClusterReport& cluster = report.cluster;
  Table table({kRight, kRight, kRight, kRight});
  table.Add({"size", "used", "available", "use%"});
  table.Add({SizeColumn(cluster.capacity_bytes, human), SizeColumn(cluster.used_bytes, human),
             SizeColumn(cluster.remaining_bytes, human),
             fmt::format("{:.1f}%", cluster.utilization_percent)});
  context.out().Write(table.Take());
  return absl::OkStatus();
}

absl::Status Count(Context& context, bool quota, const Operands& operands) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.Expand(operands));
  std::vector<Table::Align> columns(quota ? 7 : 3, kRight);
  columns.push_back(kLeft);
  Table table(std::move(columns));
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(context.Continue());
    const absl::StatusOr<ContentSummary> summary = path.fs->GetContentSummary(path.path);
    if (!summary.ok()) {
      context.Fail(path.shown, summary.status());
      continue;
    }
    if (quota) {
      table.Add(CountQuotaRow(path.shown, *summary));
    } else {
      table.Add({std::to_string(summary->directories), std::to_string(summary->files),
                 std::to_string(summary->length), path.shown});
    }
  }
  context.out().Write(table.Take());
  return context.Continue();
}

}  // namespace

void AddUsageCommands(Cli& cli) {
  auto usage = std::make_shared<UsageOptions>();
  Command& du = cli.Add("du", "PATH...", 1, Command::kAnyNumber,
                        "show bytes, bytes with all copies, and path of what is in a directory",
                        [usage](Context& context, const Operands& operands) {
                          return DiskUsage(context, *usage, operands);
                        });
  du.Example("cairn du -h /data").Example("cairn du -s /data /logs        # one line for each");
  du.options()
      .AddBool("summarize", &usage->summarize, "one line for each path, all below it included")
      .Short('s');
  du.options().AddBool("human-readable", &usage->human, "sizes like 1.5G").Short('h');

  auto human = std::make_shared<bool>(false);
  Command& df = cli.Add("df", "[PATH...]", 0, Command::kAnyNumber,
                        "show the cluster's size and free space; paths must exist",
                        [human](Context& context, const Operands& operands) {
                          return DiskFree(context, *human, operands);
                        });
  df.Example("cairn df -h").Example("cairn df -h /data        # which must exist");
  df.options().AddBool("human-readable", human.get(), "sizes like 1.5G").Short('h');

  auto quota = std::make_shared<bool>(false);
  Command& count = cli.Add("count", "PATH...", 1, Command::kAnyNumber,
                           "show directories, files and bytes of a tree, and its path",
                           [quota](Context& context, const Operands& operands) {
                             return Count(context, *quota, operands);
                           });
  count.Example("cairn count /data /logs")
      .Example("cairn count -q /home/ann        # quota, left; of space, left; then the same");
  count.options()
      .AddBool("quota", quota.get(),
               "before these, the quota of names and what is left of it, and the same of space")
      .Short('q');
}

}  // namespace cairn::cli
