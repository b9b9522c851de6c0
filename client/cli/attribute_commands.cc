// cairn chmod, chown, chgrp and setrep: what files are, not what is in them.
#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/mode.h"
#include "client/cli/tree.h"

namespace cairn::cli {
namespace {

using ChangeFn = std::function<absl::Status(const ClusterPath&, const FileStatus&)>;

// Runs `change` for each path, and with `recursive` for all below it; a failure is told and the
// next one comes.
absl::Status ChangeEach(Context& context, const Operands& operands, bool recursive,
                        const ChangeFn& change) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.Expand(operands));
  TreeVisitor visitor;
  visitor.enter = [&](const ClusterPath& path, const FileStatus& status, int) {
    if (absl::Status changed = change(path, status); !changed.ok()) {
      context.Fail(path.shown, changed);
    }
    return recursive;
  };
  for (const ClusterPath& path : paths) RETURN_IF_ERROR(WalkTree(context, path, visitor));
  return context.Continue();
}

Operands Rest(const Operands& operands) { return Operands(operands.begin() + 1, operands.end()); }

absl::Status ChangeMode(Context& context, bool recursive, const Operands& operands) {
  const absl::StatusOr<ModeChange> mode = ModeChange::Parse(operands.front());
  if (!mode.ok()) return UsageError(MessageOf(mode.status()));
  return ChangeEach(context, Rest(operands), recursive,
                    [&](const ClusterPath& path, const FileStatus& status) {
                      const uint32_t bits = mode->Apply(status.mode, status.is_directory());
                      return path.fs->SetPermission(path.path, bits);
                    });
}

absl::Status ChangeOwner(Context& context, bool recursive, const Operands& operands) {
  const std::string& text = operands.front();
  const size_t colon = text.find(':');
  const std::string owner = text.substr(0, colon);
  const std::string group = colon == std::string::npos ? "" : text.substr(colon + 1);
  if (owner.empty() && group.empty()) {
    return UsageError(fmt::format("'{}' names neither an owner nor a group", text));
  }
  return ChangeEach(context, Rest(operands), recursive,
                    [&](const ClusterPath& path, const FileStatus&) {
                      return path.fs->SetOwner(path.path, owner, group);
                    });
}

absl::Status ChangeGroup(Context& context, bool recursive, const Operands& operands) {
  if (operands.front().empty()) return UsageError("the group has no name");
  return ChangeEach(context, Rest(operands), recursive,
                    [&](const ClusterPath& path, const FileStatus&) {
                      return path.fs->SetOwner(path.path, "", operands.front());
                    });
}

struct ReplicationOptions {
  bool wait = false;
  bool recursive = false;
};

// Until every block has `target` good replicas, no more and no fewer.
absl::Status AwaitReplication(Context& context, const ClusterPath& path, uint32_t target) {
  constexpr int64_t kPollMs = 300;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<LocatedBlock> blocks, path.fs->GetBlockLocations(path.path));
    bool reached = true;
    for (const LocatedBlock& block : blocks) {
      reached = reached && (block.open || block.nodes.size() == target);
    }
    if (reached) return absl::OkStatus();
    RETURN_IF_ERROR(context.interrupt().Sleep(kPollMs));
  }
}

absl::Status SetReplication(Context& context, const ReplicationOptions& options,
                            const Operands& operands) {
  const std::string& text = operands.front();
  uint32_t replication = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), replication);
  if (error != std::errc() || end != text.data() + text.size() || replication == 0) {
    return UsageError(fmt::format("'{}' is not a number of copies", text));
  }
  std::vector<ClusterPath> changed;
  RETURN_IF_ERROR(ChangeEach(context, Rest(operands), options.recursive,
                             [&](const ClusterPath& path, const FileStatus& status) {
                               if (status.is_directory()) {
                                 return options.recursive ? absl::OkStatus()
                                                          : absl::FailedPreconditionError(
                                                                "Is a directory; use -R");
                               }
                               absl::Status set = path.fs->SetReplication(path.path, replication);
                               if (set.ok() && options.wait) changed.push_back(path);
                               return set;
                             }));
  for (size_t i = 0; i < changed.size(); ++i) {
    RETURN_IF_ERROR(context.Continue());
    absl::Status reached = AwaitReplication(context, changed[i], replication);
    // A file that was removed meanwhile needs no copies.
    if (!reached.ok() && !absl::IsNotFound(reached)) context.Fail(changed[i].shown, reached);
  }
  return context.Continue();
}

Command& AddChange(Cli& cli, const char* name, const char* operands, const char* help,
                   absl::Status (*change)(Context&, bool, const Operands&)) {
  auto recursive = std::make_shared<bool>(false);
  Command& command = cli.Add(name, operands, 2, Command::kAnyNumber, help,
                             [recursive, change](Context& context, const Operands& given) {
                               return change(context, *recursive, given);
                             });
  command.options().AddBool("recursive", recursive.get(), "all that is below, too").Short('R');
  return command;
}

}  // namespace

void AddAttributeCommands(Cli& cli) {
  AddChange(cli, "chmod", "MODE PATH...", "change permissions", ChangeMode)
      .Example("cairn chmod 640 /data/a.csv")
      .Example("cairn chmod -R g+rX,o-rwx /data");
  AddChange(cli, "chown", "[OWNER][:GROUP] PATH...", "change owner and group", ChangeOwner)
      .Example("cairn chown -R alice:staff /home/alice");
  AddChange(cli, "chgrp", "GROUP PATH...", "change the group", ChangeGroup)
      .Example("cairn chgrp staff /data");

  auto options = std::make_shared<ReplicationOptions>();
  Command& setrep = cli.Add("setrep", "N PATH...", 2, Command::kAnyNumber,
                            "change how many copies of each block there are",
                            [options](Context& context, const Operands& operands) {
                              return SetReplication(context, *options, operands);
                            });
  setrep.Example("cairn setrep -w 2 /data/a.csv").Example("cairn setrep -R 3 /data");
  setrep.options()
      .AddBool("wait", &options->wait, "return once all blocks have that many copies")
      .Short('w');
  setrep.options().AddBool("recursive", &options->recursive, "the files of directories").Short('R');
}

}  // namespace cairn::cli
