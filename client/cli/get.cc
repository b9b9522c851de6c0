// cairn get: files and directories of the cluster to local ones.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "client/cli/block_copy.h"
#include "client/cli/commands.h"
#include "client/cli/copy.h"
#include "client/cli/local_file.h"
#include "client/cli/tree.h"

namespace cairn::cli {
namespace {

struct GetOptions {
  bool force = false;
  bool preserve = false;
  uint64_t offset = 0;
  uint64_t length = 0;
  Option* offset_option = nullptr;
  Option* length_option = nullptr;

  bool has_range() const { return offset_option->is_set() || length_option->is_set(); }
};

class Get {
 public:
  Get(Context& context, const GetOptions& options) : context_(context), options_(options) {}

  absl::Status Run(const Operands& operands) {
    ASSIGN_OR_RETURN(const std::vector<ClusterPath> sources,
                     context_.Expand(Operands(operands.begin(), operands.end() - 1)));
    if (options_.has_range() && sources.size() > 1) {
      return UsageError("--offset and --length are for one file");
    }
    const std::string& destination = operands.back();
    if (destination == "-") return ToStandardOutput(sources);
    const absl::StatusOr<Target> target = LocalTargetOf(destination);
    if (!Check(destination, target.status())) return context_.Continue();
    ProgressLine line(context_.console(), progress_);
    for (const ClusterPath& source : sources) {
      RETURN_IF_ERROR(context_.Continue());
      // A pattern with several matches has several sources too.
      GetOperand(source, std::max(sources.size(), operands.size() - 1), *target, destination);
    }
    workers_.Wait();
    RETURN_IF_ERROR(context_.Continue());
    for (const auto& [path, status] : directories_) {
      Check(path, SetLocalAttributes(path, status.mode & 01777, status.mtime_ms, status.atime_ms));
    }
    return absl::OkStatus();
  }

 private:
  bool Check(std::string_view what, const absl::Status& status) {
    if (!status.ok()) context_.Fail(what, status);
    return status.ok();
  }

  absl::Status ToStandardOutput(const std::vector<ClusterPath>& sources) {
    for (const ClusterPath& source : sources) {
      RETURN_IF_ERROR(context_.Continue());
      Check(source.shown, CopyRange(source, [this](std::string_view data) {
              context_.out().Write(data);
              return context_.out().status();
            }));
    }
    return context_.Continue();
  }

  absl::Status CopyRange(const ClusterPath& source, const WriteFn& write) {
    ASSIGN_OR_RETURN(const std::unique_ptr<InputStream> in, source.fs->Open(source.path));
    return CopyOpen(*in, write);
  }

  // How many bytes of the file are wanted.
  absl::StatusOr<uint64_t> BytesOf(const InputStream& in) const {
    if (options_.offset > in.length()) {
      return absl::OutOfRangeError(fmt::format(
          "--offset {} is beyond the end, the file has {} bytes", options_.offset, in.length()));
    }
    const uint64_t rest = in.length() - options_.offset;
    return options_.length_option->is_set() ? std::min(rest, options_.length) : rest;
  }

  absl::Status CopyOpen(InputStream& in, const WriteFn& write) {
    ASSIGN_OR_RETURN(const uint64_t bytes, BytesOf(in));
    if (options_.offset > 0) RETURN_IF_ERROR(in.Seek(options_.offset));
    return CopyBytes(
        context_, [&](std::span<char> buffer) { return in.Read(buffer); }, write, &progress_,
        bytes);
  }

  // Where the target takes them, several blocks at once.
  BlockCopyResult CopyTo(InputStream& in, LocalTarget& target) {
    const absl::StatusOr<uint64_t> bytes = BytesOf(in);
    if (!bytes.ok()) return {.read = bytes.status()};
    if (*bytes > 0 && target.takes_any_order()) {
      return CopyBlocks(context_, in, options_.offset, *bytes, target, &progress_);
    }
    BlockCopyResult result;
    const absl::Status status =
        CopyOpen(in, [&](std::string_view data) { return result.write = target.Write(data); });
    if (result.write.ok()) result.read = status;
    return result;
  }

  void GetOperand(const ClusterPath& source, size_t sources, const Target& target,
                  const std::string& destination) {
    const absl::StatusOr<FileStatus> status = source.fs->GetFileInfo(source.path);
    if (!Check(source.shown, status.status())) return;
    const absl::StatusOr<std::string> path = PlaceInTarget(target, BaseName(source.path), sources);
    if (!Check(destination, path.status())) return;
    if (!status->is_directory()) {
      SubmitFile(source, *status, *path);
    } else if (options_.has_range()) {
      context_.Fail(source.shown, absl::FailedPreconditionError("Is a directory"));
    } else {
      GetDirectory(source, *path);
    }
  }

  // The walk gives the paths; what follows the root's is put behind `to`.
  void GetDirectory(const ClusterPath& source, const std::string& to) {
    const size_t cut = source.path == "/" ? 0 : source.path.size();
    const auto local = [&](const ClusterPath& path) {
      return path.path == source.path ? to : to + path.path.substr(cut);
    };
    TreeVisitor visitor;
    visitor.enter = [&](const ClusterPath& path, const FileStatus& status, int depth) {
      if (depth > 0 && !IsSafeLocalName(BaseName(path.path))) {
        context_.Fail(path.shown, absl::InvalidArgumentError("its name cannot be a local one"));
        return false;
      }
      if (status.is_directory()) return Check(local(path), MakeLocalDirectory(local(path)));
      SubmitFile(path, status, local(path));
      return true;
    };
    visitor.leave = [&](const ClusterPath& path, const FileStatus& status) {
      if (options_.preserve) directories_.emplace_back(local(path), status);
    };
    // Interruptions show in Run.
    (void)WalkTree(context_, source, visitor);
  }

  absl::Status MakeLocalDirectory(const std::string& path) {
    if (mkdir(path.c_str(), 0777) == 0) return absl::OkStatus();
    const int error_number = errno;
    if (error_number == EEXIST && options_.force) {
      const absl::StatusOr<struct stat> info = StatLocal(path);
      if (info.ok() && S_ISDIR(info->st_mode)) return absl::OkStatus();
    }
    return absl::UnknownError(std::strerror(error_number));
  }

  void SubmitFile(const ClusterPath& source, const FileStatus& status, const std::string& to) {
    const uint64_t rest = status.length - std::min(status.length, options_.offset);
    const uint64_t bytes =
        options_.length_option->is_set() ? std::min(rest, options_.length) : rest;
    progress_.Expect(1, bytes);
    workers_.Submit(std::min(std::max<uint64_t>(bytes, kCopyBytes), Workers::kCostOfLarge),
                    [this, source, to] {
                      if (!context_.Continue().ok()) return;
                      GetFile(source, to);
                      progress_.FileDone();
                    });
  }

  void GetFile(const ClusterPath& source, const std::string& to) {
    const absl::StatusOr<std::unique_ptr<InputStream>> in = source.fs->Open(source.path);
    if (!Check(source.shown, in.status())) return;
    LocalTargetOptions create;
    create.overwrite = options_.force;
    if (options_.preserve) {
      const FileStatus& status = (*in)->status();
      create.mode = status.mode & 01777;
      create.mtime_ms = status.mtime_ms;
      create.atime_ms = status.atime_ms;
    }
    const absl::StatusOr<std::unique_ptr<LocalTarget>> target = LocalTarget::Create(to, create);
    if (!Check(to, target.status())) return;
    const BlockCopyResult copied = CopyTo(**in, **target);
    if (Check(source.shown, copied.read) && Check(to, copied.write)) {
      Check(to, (*target)->Commit());
    }
  }

  Context& context_;
  const GetOptions& options_;
  Progress progress_;
  std::vector<std::pair<std::string, FileStatus>> directories_;  // with -p: children first
  Workers workers_;                                              // last: its tasks use the others
};

}  // namespace

void AddGet(Cli& cli) {
  auto options = std::make_shared<GetOptions>();
  Command& command =
      cli.Add("get", "SRC... DST", 2, Command::kAnyNumber, "copy files out of the cluster",
              [options](Context& context, const Operands& operands) {
                return Get(context, *options).Run(operands);
              });
  command.Example("cairn get /data/report.csv .")
      .Example("cairn get -f /backup/photos /tmp/    # a directory, replacing what is there")
      .Example("cairn get --offset 1G --length 4K /data/big -   # a piece, to standard output");
  OptionTable& table = command.options();
  table.AddBool("force", &options->force, "replace files that exist").Short('f');
  table.AddBool("preserve", &options->preserve, "keep times and modes").Short('p');
  options->offset_option =
      &table.AddSize("offset", &options->offset, "start at this byte of the file");
  options->length_option =
      &table.AddSize("length", &options->length, "copy at most this many bytes")
           .Default("to the end");
}

}  // namespace cairn::cli
