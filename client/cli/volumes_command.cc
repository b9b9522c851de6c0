// cairn admin volumes: a DataNode's data directories, which come and go while it runs.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "client/cli/commands.h"
#include "client/cli/volumes_text.h"

namespace cairn::cli {
namespace {

struct VolumesOptions {
  std::string add;
  std::string remove;
  bool force = false;
  bool json = false;
};

absl::Status CheckOptions(const VolumesOptions& options) {
  if (!options.add.empty() && !options.remove.empty()) {
    return UsageError("--add goes without --remove: one change at a time");
  }
  if (options.force && options.remove.empty()) return UsageError("--force goes with --remove");
  if (!options.add.empty() && !options.add.starts_with('/')) {
    return UsageError(fmt::format(
        "--add: '{}' is not absolute; it is a directory of the DataNode's machine", options.add));
  }
  return absl::OkStatus();
}

absl::Status Run(Context& context, const VolumesOptions& options, const std::string& node) {
  RETURN_IF_ERROR(CheckOptions(options));
  ASSIGN_OR_RETURN(AdminClient* const admin, context.Admin());
  if (!options.add.empty()) {
    ASSIGN_OR_RETURN(const VolumeChange added, admin->AddVolume(node, options.add));
    context.out().Write(options.json ? AddedJson(added) : AddedText(added));
  } else if (!options.remove.empty()) {
    ASSIGN_OR_RETURN(const VolumeChange removed,
                     admin->RemoveVolume(node, options.remove, options.force));
    context.out().Write(options.json ? RemovedJson(removed) : RemovedText(removed));
  } else {
    ASSIGN_OR_RETURN(const NodeVolumes volumes, admin->Volumes(node));
    context.out().Write(options.json ? VolumesJson(volumes) : VolumesText(volumes));
  }
  return absl::OkStatus();
}

}  // namespace

void AddVolumes(Cli& cli) {
  auto options = std::make_shared<VolumesOptions>();
  Command& command = cli.Add("admin volumes", "NODE", 1, 1,
                             "list a DataNode's data directories, add or remove one while it runs",
                             [options](Context& context, const Operands& operands) {
                               return Run(context, *options, operands.front());
                             });
  command
      .Example(
          "cairn admin volumes 10.0.0.7:9866                  # an id, its beginning, an address")
      .Example("cairn admin volumes 3f1c --add /disk4              # formatted if it is new")
      .Example("cairn admin volumes 3f1c --remove /disk2           # its files stay")
      .Example(
          "# The node's next start goes by --data-dir: change that, too. A removal copies nothing")
      .Example(
          "# first: its blocks have a copy less until they are repaired, and those whose only copy")
      .Example(
          "# was there are missing. `cairn admin health` should show nothing before; decommission")
      .Example("# copies everything first.");
  OptionTable& table = command.options();
  table
      .AddString("add", &options->add,
                 "take a directory in, with the replicas that it may hold from before")
      .Value("DIR");
  table
      .AddString("remove", &options->remove,
                 "give a directory up, named by its path or storage id; the last one stays")
      .Value("DIR");
  table.AddBool("force", &options->force,
                "remove it although replicas are being written there: writers go on elsewhere");
  table.AddBool("json", &options->json, "as JSON");
}

}  // namespace cairn::cli
