// cairn mkdir, rm, mv and touch: changes to the tree of names.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "client/cli/commands.h"
#include "client/cli/copy.h"
#include "client/cli/expand.h"
#include "client/cli/paths.h"
#include "common/clock.h"

namespace cairn::cli {
namespace {

// Runs `change` for each path; a failure is told and the next one comes.
absl::Status ForEachPath(Context& context, const std::vector<ClusterPath>& paths,
                         const std::function<absl::Status(const ClusterPath&)>& change) {
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(context.Continue());
    if (absl::Status status = change(path); !status.ok()) context.Fail(path.shown, status);
  }
  return context.Continue();
}

absl::Status MakeDirectories(Context& context, bool parents, const Operands& operands) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.ResolveAll(operands));
  return ForEachPath(context, paths,
                     [&](const ClusterPath& path) { return path.fs->Mkdirs(path.path, parents); });
}

struct RemoveOptions {
  bool recursive = false;
  bool force = false;
  bool skip_trash = false;
};

// What is removed goes to the user's trash where the cluster has one, and what is in there for
// good.
absl::StatusOr<bool> GoesToTrash(const RemoveOptions& options, const ClusterPath& path) {
  if (options.skip_trash || IsWithin(path.path, path.fs->TrashRoot())) return false;
  ASSIGN_OR_RETURN(const ServerDefaults defaults, path.fs->GetServerDefaults());
  return defaults.trash_interval_ms > 0;
}

absl::Status MoveToTrash(const ClusterPath& path) {
  const absl::Status moved = path.fs->MoveToTrash(path.path).status();
  if (moved.ok() || absl::IsNotFound(moved) || KindOf(moved) == ErrorKind::kClusterUnreachable) {
    return moved;
  }
  return WithKind(absl::Status(moved.code(),
                               fmt::format("cannot be moved to the trash: {}; --skip-trash deletes "
                                           "it for good",
                                           MessageOf(moved))),
                  KindOf(moved));
}

absl::Status RemoveOne(const RemoveOptions& options, const ClusterPath& path) {
  if (path.path == "/") {
    return absl::InvalidArgumentError("the root directory is never removed; name what is in it");
  }
  absl::Status status;
  if (!options.recursive) {
    // The NameNode removes an empty directory without `recursive`; rm does not.
    const absl::StatusOr<FileStatus> info = path.fs->GetFileInfo(path.path);
    status = info.status();
    if (info.ok() && info->is_directory()) {
      return absl::FailedPreconditionError("Is a directory");
    }
  }
  if (status.ok()) {
    const absl::StatusOr<bool> to_trash = GoesToTrash(options, path);
    status = !to_trash.ok() ? to_trash.status()
             : *to_trash    ? MoveToTrash(path)
                            : path.fs->Delete(path.path, options.recursive);
  }
  if (absl::IsNotFound(status) && options.force) return absl::OkStatus();
  return status;
}

absl::Status Remove(Context& context, const RemoveOptions& options, const Operands& operands) {
  std::vector<ClusterPath> paths;
  if (options.force) {
    // A pattern that matches nothing is as silent as a path that is not there.
    ASSIGN_OR_RETURN(const std::vector<ClusterPath> patterns, context.ResolveAll(operands));
    for (const ClusterPath& pattern : patterns) {
      absl::StatusOr<std::vector<ClusterPath>> matches = ExpandPattern(pattern);
      if (matches.ok()) {
        paths.insert(paths.end(), matches->begin(), matches->end());
      } else if (!absl::IsNotFound(matches.status())) {
        context.Fail(pattern.shown, matches.status());
      }
    }
  } else {
    ASSIGN_OR_RETURN(paths, context.Expand(operands));
  }
  return ForEachPath(context, paths,
                     [&](const ClusterPath& path) { return RemoveOne(options, path); });
}

absl::Status Move(Context& context, const Operands& operands) {
  ASSIGN_OR_RETURN(const ClusterPath destination, context.Resolve(operands.back()));
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> sources,
                   context.Expand(Operands(operands.begin(), operands.end() - 1)));
  const absl::StatusOr<Target> target = ClusterTargetOf(destination);
  if (!target.ok()) {
    context.Fail(destination.shown, target.status());
    return context.Continue();
  }
  const size_t count = std::max(sources.size(), operands.size() - 1);
  for (const ClusterPath& source : sources) {
    RETURN_IF_ERROR(context.Continue());
    if (source.fs != destination.fs) {
      context.Fail(source.shown,
                   absl::InvalidArgumentError("is in another cluster; use cp and rm"));
      continue;
    }
    const absl::StatusOr<std::string> to = PlaceInTarget(*target, BaseName(source.path), count);
    if (!to.ok()) {
      context.Fail(destination.shown, to.status());
      continue;
    }
    const absl::Status moved = source.fs->Rename(source.path, *to);
    if (moved.ok()) continue;
    // What is in the way is the destination's; all else is told of the source.
    const ClusterPath shown = absl::IsAlreadyExists(moved) ? destination.At(*to) : source;
    context.Fail(shown.shown, moved);
  }
  return context.Continue();
}

absl::Status TouchOne(const ClusterPath& path) {
  const int64_t now_ms = NewSystemClock()->WallMs();
  absl::Status status = path.fs->SetTimes(path.path, now_ms, now_ms);
  if (!absl::IsNotFound(status)) return status;
  CreateOptions create;
  create.expected_length = 0;
  absl::StatusOr<std::unique_ptr<OutputStream>> out = path.fs->Create(path.path, create);
  // Somebody else was faster: it is there, and new.
  if (absl::IsAlreadyExists(out.status())) return absl::OkStatus();
  if (!out.ok()) return out.status();
  return (*out)->Close();
}

}  // namespace

void AddChangeCommands(Cli& cli) {
  auto parents = std::make_shared<bool>(false);
  Command& mkdir = cli.Add("mkdir", "PATH...", 1, Command::kAnyNumber, "make directories",
                           [parents](Context& context, const Operands& operands) {
                             return MakeDirectories(context, *parents, operands);
                           });
  mkdir.Example("cairn mkdir -p /data/2026/01");
  mkdir.options()
      .AddBool("parents", parents.get(), "parents too; fine if the directory is there")
      .Short('p');

  auto remove = std::make_shared<RemoveOptions>();
  Command& rm = cli.Add("rm", "PATH...", 1, Command::kAnyNumber,
                        "remove files (into the trash, where the cluster has one)",
                        [remove](Context& context, const Operands& operands) {
                          return Remove(context, *remove, operands);
                        });
  rm.Example("cairn rm /data/a.csv")
      .Example("cairn rm -rf /tmp/job-17")
      .Example("cairn rm -r --skip-trash /tmp/big     # frees its space at once");
  rm.options().AddBool("recursive", &remove->recursive, "directories, with all in them").Short('r');
  rm.options().AddBool("force", &remove->force, "silent about what is not there").Short('f');
  rm.options().AddBool("skip-trash", &remove->skip_trash,
                       "delete at once, where the cluster has a trash");

  cli.Add("mv", "SRC... DST", 2, Command::kAnyNumber,
          "rename, or move into a directory; never replaces", Move)
      .Example("cairn mv /data/new.csv /data/a.csv")
      .Example("cairn mv /in/a /in/b /done/          # several, into a directory");

  cli.Add("touch", "PATH...", 1, Command::kAnyNumber,
          "make empty files, or set the times of what is there to now",
          [](Context& context, const Operands& operands) -> absl::Status {
            ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.ResolveAll(operands));
            return ForEachPath(context, paths, TouchOne);
          })
      .Example("cairn touch /data/_SUCCESS");
}

}  // namespace cairn::cli
