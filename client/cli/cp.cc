// cairn cp: copies inside of the cluster, or from one cluster to another; the bytes go through this
// process.
#include <algorithm>
#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/copy.h"
#include "client/cli/tree.h"

namespace cairn::cli {
namespace {

struct CopyOptions {
  bool recursive = false;
  bool force = false;
};

class Copy {
 public:
  Copy(Context& context, const CopyOptions& options) : context_(context), options_(options) {}

  absl::Status Run(const Operands& operands) {
    ASSIGN_OR_RETURN(const ClusterPath destination, context_.Resolve(operands.back()));
    ASSIGN_OR_RETURN(const std::vector<ClusterPath> sources,
                     context_.Expand(Operands(operands.begin(), operands.end() - 1)));
    const absl::StatusOr<Target> target = ClusterTargetOf(destination);
    if (!Check(destination, target.status())) return context_.Continue();
    ProgressLine line(context_.console(), progress_);
    for (const ClusterPath& source : sources) {
      RETURN_IF_ERROR(context_.Continue());
      CopyOperand(source, std::max(sources.size(), operands.size() - 1), *target, destination);
    }
    workers_.Wait();
    return context_.Continue();
  }

 private:
  bool Check(const ClusterPath& path, const absl::Status& status) {
    if (!status.ok()) context_.Fail(path.shown, status);
    return status.ok();
  }

  void CopyOperand(const ClusterPath& source, size_t sources, const Target& target,
                   const ClusterPath& destination) {
    const absl::StatusOr<FileStatus> status = source.fs->GetFileInfo(source.path);
    if (!Check(source, status.status())) return;
    const absl::StatusOr<std::string> path = PlaceInTarget(target, BaseName(source.path), sources);
    if (!Check(destination, path.status())) return;
    const ClusterPath to = destination.At(*path);
    const bool same_cluster = source.fs == to.fs;
    if (same_cluster && source.path == to.path) {
      Check(source, absl::InvalidArgumentError("cannot be copied onto itself"));
    } else if (!status->is_directory()) {
      SubmitFile(source, *status, to);
    } else if (!options_.recursive) {
      Check(source, absl::FailedPreconditionError("Is a directory"));
    } else if (same_cluster && IsWithin(to.path, source.path)) {
      Check(source, absl::InvalidArgumentError("cannot be copied into itself"));
    } else {
      CopyDirectory(source, to);
    }
  }

  void CopyDirectory(const ClusterPath& source, const ClusterPath& to) {
    const size_t cut = source.path == "/" ? 0 : source.path.size();
    TreeVisitor visitor;
    visitor.enter = [&](const ClusterPath& path, const FileStatus& status, int depth) {
      const ClusterPath copy = depth == 0 ? to : to.At(to.path + path.path.substr(cut));
      if (status.is_directory()) return Check(copy, MakeDirectory(copy, options_.force));
      SubmitFile(path, status, copy);
      return true;
    };
    // Interruptions show in Run.
    (void)WalkTree(context_, source, visitor);
  }

  void SubmitFile(const ClusterPath& source, const FileStatus& status, const ClusterPath& to) {
    progress_.Expect(1, status.length);
    workers_.Submit(std::min(std::max<uint64_t>(status.length, kCopyBytes), Workers::kCostOfLarge),
                    [this, source, to] {
                      if (!context_.Continue().ok()) return;
                      CopyFile(source, to);
                      progress_.FileDone();
                    });
  }

  void CopyFile(const ClusterPath& source, const ClusterPath& to) {
    const absl::StatusOr<std::unique_ptr<InputStream>> in = source.fs->Open(source.path);
    if (!Check(source, in.status())) return;
    CreateOptions create;
    create.overwrite = options_.force;
    create.publish = true;
    create.expected_length = (*in)->length();
    const absl::StatusOr<std::unique_ptr<OutputStream>> out = to.fs->Create(to.path, create);
    if (!Check(to, out.status())) return;
    absl::Status read_status;
    const auto read = [&](std::span<char> buffer) {
      absl::StatusOr<size_t> bytes = (*in)->Read(buffer);
      read_status = bytes.status();
      return bytes;
    };
    const auto write = [&](std::string_view data) { return (*out)->Write(data); };
    absl::Status status = CopyBytes(context_, read, write, &progress_);
    if (status.ok()) status = (*out)->Close();
    if (status.ok()) return;
    Check(read_status.ok() ? to : source, status);
    (void)(*out)->Abandon();  // the lease's end does it where this cannot
  }

  Context& context_;
  const CopyOptions& options_;
  Progress progress_;
  Workers workers_;  // last: its tasks use the others
};

}  // namespace

void AddCopy(Cli& cli) {
  auto options = std::make_shared<CopyOptions>();
  Command& command =
      cli.Add("cp", "SRC... DST", 2, Command::kAnyNumber, "copy inside of the cluster",
              [options](Context& context, const Operands& operands) {
                return Copy(context, *options).Run(operands);
              });
  command.Example("cairn cp /data/a.csv /backup/").Example("cairn cp -r -f /data /backup");
  command.options().AddBool("recursive", &options->recursive, "directories too").Short('r');
  command.options().AddBool("force", &options->force, "replace files that exist").Short('f');
}

}  // namespace cairn::cli
