// cairn put: local files and directories into the cluster.
#include <dirent.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <set>
#include <utility>

#include "client/byte_source.h"
#include "client/cli/commands.h"
#include "client/cli/consistency.h"
#include "client/cli/copy.h"
#include "client/cli/local_file.h"

namespace cairn::cli {
namespace {

struct PutOptions {
  bool force = false;
  bool preserve = false;
  int64_t replication = 0;
  uint64_t block_size = 0;
  std::shared_ptr<std::string> consistency = std::make_shared<std::string>("strong");
};

// What is put, which ends when the command should, and tells whose an error is.
class PutSource final : public ByteSource {
 public:
  PutSource(Context& context, LocalSource& file, Progress* progress)
      : context_(context), file_(file), progress_(progress) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) override {
    RETURN_IF_ERROR(context_.Continue());
    absl::StatusOr<size_t> bytes = file_.ReadAt(offset, out);
    if (bytes.ok()) progress_->Moved(*bytes);
    // If anything fails now, then because of this.
    if (bytes.ok() && *bytes < out.size() && offset + *bytes < file_.length()) failed_.store(true);
    return Noted(std::move(bytes));
  }
  // What a pipe has next.
  absl::StatusOr<size_t> Read(std::span<char> out) {
    const absl::Status ready = context_.interrupt().AwaitReadable(file_.fd());
    if (!ready.ok()) return Noted(ready);
    return Noted(file_.Read(out));
  }
  bool failed() const { return failed_.load(); }

 private:
  absl::StatusOr<size_t> Noted(absl::StatusOr<size_t> bytes) {
    if (!bytes.ok()) failed_.store(true);
    return bytes;
  }

  Context& context_;
  LocalSource& file_;
  Progress* const progress_;
  std::atomic<bool> failed_{false};
};

class Put {
 public:
  Put(Context& context, const PutOptions& options) : context_(context), options_(options) {}

  absl::Status Run(const Operands& operands) {
    const std::vector<std::string> sources(operands.begin(), operands.end() - 1);
    if (sources.size() > 1 && std::count(sources.begin(), sources.end(), "-") > 0) {
      return UsageError("standard input (-) must be the only source");
    }
    ASSIGN_OR_RETURN(const ClusterPath destination, context_.Resolve(operands.back()));
    const absl::StatusOr<Target> target = ClusterTargetOf(destination);
    if (!target.ok()) {
      context_.Fail(destination.shown, target.status());
      return context_.Continue();
    }
    ProgressLine line(context_.console(), progress_);
    for (const std::string& source : sources) {
      RETURN_IF_ERROR(context_.Continue());
      PutOperand(source, sources.size(), *target, destination);
    }
    workers_.Wait();
    for (auto directory = directories_.rbegin(); directory != directories_.rend(); ++directory) {
      RETURN_IF_ERROR(context_.Continue());
      Check(directory->path.shown,
            directory->path.fs->SetTimes(directory->path.path, directory->mtime_ms,
                                         directory->atime_ms));
    }
    return context_.Continue();
  }

 private:
  struct Directory {
    ClusterPath path;
    int64_t mtime_ms;
    int64_t atime_ms;
  };
  using DirectoryIds = std::set<std::pair<dev_t, ino_t>>;

  bool Check(std::string_view what, const absl::Status& status) {
    if (!status.ok()) context_.Fail(what, status);
    return status.ok();
  }

  void PutOperand(const std::string& source, size_t sources, const Target& target,
                  const ClusterPath& destination) {
    const bool standard_input = source == "-";
    if (standard_input && target.kind == TargetKind::kDirectory) {
      context_.Fail(destination.shown, absl::FailedPreconditionError("Is a directory"));
      return;
    }
    absl::StatusOr<struct stat> info;
    if (!standard_input) info = StatLocal(source);
    if (!standard_input && !Check(source, info.status())) return;
    const absl::StatusOr<std::string> path =
        PlaceInTarget(target, standard_input ? "" : LocalName(source), sources);
    if (!Check(destination.shown, path.status())) return;
    const ClusterPath to = destination.At(*path);
    if (standard_input || !S_ISDIR(info->st_mode)) {
      SubmitFile(source, standard_input ? 0 : static_cast<uint64_t>(info->st_size), to);
    } else {
      DirectoryIds above;
      PutDirectory(source, *info, to, above);
    }
  }

  void SubmitFile(const std::string& source, uint64_t size, const ClusterPath& to) {
    progress_.Expect(1, size);
    workers_.Submit(std::min(std::max<uint64_t>(size, kCopyBytes), Workers::kCostOfLarge),
                    [this, source, to] {
                      if (!context_.Continue().ok()) return;
                      PutFile(source, to);
                      progress_.FileDone();
                    });
  }

  // `above` holds the directories on the way down: a link to one of them would go on for ever.
  void PutDirectory(const std::string& source, const struct stat& info, const ClusterPath& to,
                    DirectoryIds& above) {
    const auto id = std::pair(info.st_dev, info.st_ino);
    if (!above.insert(id).second) {
      context_.Fail(source, absl::FailedPreconditionError("a link to a directory that it is in"));
      return;
    }
    const std::optional<uint32_t> mode =
        options_.preserve ? std::optional<uint32_t>(info.st_mode & 01777) : std::nullopt;
    if (Check(to.shown, MakeDirectory(to, options_.force, mode))) {
      if (options_.preserve) directories_.push_back({to, ModifiedMs(info), AccessedMs(info)});
      PutEntries(source, to, above);
    }
    above.erase(id);
  }

  void PutEntries(const std::string& source, const ClusterPath& to, DirectoryIds& above) {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator it(source, error), end; !error && it != end;
         it.increment(error)) {
      names.push_back(it->path().filename().string());
    }
    if (error) context_.Fail(source, absl::UnknownError(std::strerror(error.value())));
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      if (!context_.Continue().ok()) return;
      const std::string path = JoinPath(source, name);
      const absl::StatusOr<struct stat> info = StatLocal(path);
      if (!Check(path, info.status())) continue;
      if (S_ISDIR(info->st_mode)) {
        PutDirectory(path, *info, to.Child(name), above);
      } else if (S_ISREG(info->st_mode)) {
        SubmitFile(path, static_cast<uint64_t>(info->st_size), to.Child(name));
      } else {
        // Reading one might wait for ever.
        context_.Fail(path, absl::FailedPreconditionError("neither a file nor a directory"));
      }
    }
  }

  void PutFile(const std::string& source_path, const ClusterPath& to) {
    const std::string shown_source = source_path == "-" ? "standard input" : source_path;
    absl::StatusOr<std::unique_ptr<LocalSource>> source = LocalSource::Open(source_path);
    if (!Check(shown_source, source.status())) return;
    CreateOptions create;
    create.replication = static_cast<uint32_t>(options_.replication);
    create.block_size = options_.block_size;
    create.overwrite = options_.force;
    create.publish = true;
    create.consistency = *ParseConsistency(*options_.consistency);
    const struct stat& info = (*source)->info();
    if ((*source)->is_regular()) {
      // Some files tell no size (those of /proc), so that 0 is no promise.
      if ((*source)->length() > 0) create.expected_length = (*source)->length();
      if (options_.preserve) {
        create.mode = info.st_mode & 01777;
        create.mtime_ms = ModifiedMs(info);
        create.atime_ms = AccessedMs(info);
      }
    }
    absl::StatusOr<std::unique_ptr<OutputStream>> out = to.fs->Create(to.path, create);
    if (!Check(to.shown, out.status())) return;
    PutSource bytes(context_, **source, &progress_);
    absl::Status status =
        (*source)->is_regular()
            ? (*out)->WriteFrom(bytes, (*source)->length())
            : CopyBytes(
                  context_, [&](std::span<char> buffer) { return bytes.Read(buffer); },
                  [&](std::string_view data) { return (*out)->Write(data); }, &progress_);
    if (status.ok()) status = (*out)->Close();
    if (status.ok()) return;
    // Told first: abandoning may take as long as the cluster is away.
    Check(bytes.failed() ? shown_source : to.shown, status);
    (void)(*out)->Abandon();  // the lease's end does it where this cannot
  }

  Context& context_;
  const PutOptions& options_;
  Progress progress_;
  std::vector<Directory> directories_;  // with -p: parents before what is in them
  Workers workers_;                     // last: its tasks use the others
};

}  // namespace

void AddPut(Cli& cli) {
  auto options = std::make_shared<PutOptions>();
  Command& command =
      cli.Add("put", "SRC... DST", 2, Command::kAnyNumber, "copy local files into the cluster",
              [options](Context& context, const Operands& operands) {
                return Put(context, *options).Run(operands);
              });
  command.Example("cairn put report.csv /data/          # as /data/report.csv")
      .Example("cairn put -f photos /backup          # a directory, replacing what is there")
      .Example("mysqldump shop | cairn put - /dumps/shop.sql");
  command.options().AddBool("force", &options->force, "replace files that exist").Short('f');
  command.options().AddBool("preserve", &options->preserve, "keep times and modes").Short('p');
  command.options()
      .AddInt("replication", &options->replication, 1, 1'000'000, "copies of each block")
      .Short('r')
      .Default("the cluster's");
  command.options()
      .AddSize("block-size", &options->block_size, "bytes of a block, a multiple of 4K")
      .Default("the cluster's");
  DeclareConsistency(command.options(), options->consistency);
}

}  // namespace cairn::cli
