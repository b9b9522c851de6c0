// cairn append, truncate and concat: files that grow or shrink at their end.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/consistency.h"
#include "client/cli/copy.h"
#include "client/cli/local_file.h"

namespace cairn::cli {
namespace {

// The destination's stream: at its end when it is there, else a new file, as `hdfs dfs
// -appendToFile` does.
absl::StatusOr<std::unique_ptr<OutputStream>> OpenForAppend(const ClusterPath& to,
                                                            Consistency consistency) {
  auto out = to.fs->Append(to.path, {.consistency = consistency});
  if (!absl::IsNotFound(out.status())) return out;
  CreateOptions create;
  create.consistency = consistency;
  out = to.fs->Create(to.path, create);
  // Somebody else was faster.
  if (absl::IsAlreadyExists(out.status())) {
    return to.fs->Append(to.path, {.consistency = consistency});
  }
  return out;
}

// Adds one local file. False: it could not be opened, and nothing was added.
absl::StatusOr<bool> AppendSource(Context& context, const std::string& path, OutputStream& out,
                                  Progress& progress) {
  const std::string shown = path == "-" ? "standard input" : path;
  absl::StatusOr<std::unique_ptr<LocalSource>> source = LocalSource::Open(path);
  if (!source.ok()) {
    context.Fail(shown, source.status());
    return false;
  }
  absl::Status read_status;
  const auto read = [&](std::span<char> buffer) -> absl::StatusOr<size_t> {
    absl::StatusOr<size_t> bytes = 0;
    read_status = (*source)->is_regular() ? absl::OkStatus()
                                          : context.interrupt().AwaitReadable((*source)->fd());
    if (read_status.ok()) {
      bytes = (*source)->Read(buffer);
      read_status = bytes.status();
    }
    if (!read_status.ok()) return read_status;
    return bytes;
  };
  const auto write = [&](std::string_view data) { return out.Write(data); };
  const absl::Status copied = CopyBytes(context, read, write, &progress);
  progress.FileDone();
  if (copied.ok() || read_status.ok()) {
    RETURN_IF_ERROR(copied);
    return true;
  }
  context.Fail(shown, read_status);
  return true;
}

absl::Status Append(Context& context, Consistency consistency, const Operands& operands) {
  const std::vector<std::string> sources(operands.begin(), operands.end() - 1);
  ASSIGN_OR_RETURN(const ClusterPath to, context.Resolve(operands.back()));
  if (std::count(sources.begin(), sources.end(), "-") > 1) {
    return UsageError("standard input (-) can be read only once");
  }
  // Nothing changes when a source is not there.
  bool complete = true;
  Progress progress;
  for (const std::string& source : sources) {
    uint64_t size = 0;
    if (source != "-") {
      const absl::StatusOr<struct stat> info = StatLocal(source);
      absl::Status status = info.status();
      if (info.ok() && S_ISDIR(info->st_mode)) {
        status = absl::FailedPreconditionError("Is a directory");
      }
      if (!status.ok()) {
        context.Fail(source, status);
        complete = false;
        continue;
      }
      size = static_cast<uint64_t>(info->st_size);
    }
    progress.Expect(1, size);
  }
  if (!complete) return context.Continue();
  absl::StatusOr<std::unique_ptr<OutputStream>> out = OpenForAppend(to, consistency);
  if (!out.ok()) {
    context.Fail(to.shown, out.status());
    return context.Continue();
  }
  ProgressLine line(context.console(), progress);
  absl::Status status;
  for (const std::string& source : sources) {
    if (!context.Continue().ok()) break;
    const absl::StatusOr<bool> added = AppendSource(context, source, **out, progress);
    status = added.status();
    if (!status.ok()) break;
  }
  // What was added stays, also after a failure or an interrupt: a file that grows has no way back.
  const absl::Status closed = (*out)->Close();
  if (status.ok() || absl::IsCancelled(status)) status = closed;
  if (!status.ok()) context.Fail(to.shown, status);
  return context.Continue();
}

absl::Status Truncate(Context& context, uint64_t size, const Operands& operands) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.Expand(operands));
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(context.Continue());
    const absl::Status status = path.fs->Truncate(path.path, size);
    if (!status.ok()) context.Fail(path.shown, status);
  }
  return context.Continue();
}

absl::Status Concat(Context& context, const Operands& operands) {
  ASSIGN_OR_RETURN(const ClusterPath target, context.Resolve(operands.front()));
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> found,
                   context.Expand(Operands(operands.begin() + 1, operands.end())));
  std::vector<std::string> sources;
  for (const ClusterPath& source : found) {
    if (source.fs != target.fs) return UsageError("all files must be in one cluster");
    sources.push_back(source.path);
  }
  RETURN_IF_ERROR(context.Continue());
  if (context.exit_status() != 0) return absl::OkStatus();  // a source is not there, and told
  const absl::Status status = target.fs->Concat(target.path, sources);
  if (!status.ok()) context.Fail(target.shown, status);
  return context.Continue();
}

}  // namespace

void AddAppendCommands(Cli& cli) {
  auto consistency = std::make_shared<std::string>("strong");
  Command& append =
      cli.Add("append", "SRC... DST", 2, Command::kAnyNumber,
              "add local files to the end of a file, which is made if it is not there",
              [consistency](Context& context, const Operands& operands) {
                return Append(context, *ParseConsistency(*consistency), operands);
              });
  append.Example("cairn append today.log /logs/all.log")
      .Example("journalctl -f | cairn append - /logs/journal      # - is standard input");
  DeclareConsistency(append.options(), consistency);

  auto size = std::make_shared<uint64_t>(0);
  auto given = std::make_shared<Option*>(nullptr);
  Command& truncate = cli.Add("truncate", "-s SIZE PATH...", 1, Command::kAnyNumber,
                              "cut files to a size, at most the one that they have",
                              [size, given](Context& context, const Operands& operands) {
                                if (!(*given)->is_set()) {
                                  return UsageError("give the size with -s, 0 to empty the files");
                                }
                                return Truncate(context, *size, operands);
                              });
  truncate.Example("cairn truncate -s 0 /logs/today").Example("cairn truncate -s 1M /data/a.bin");
  cli.Add("concat", "TARGET SOURCE...", 2, Command::kAnyNumber,
          "move the content of files in a directory to the end of one there, without copying",
          Concat)
      .Example("cairn concat /data/all /data/part-1 /data/part-2   # the parts are gone then")
      .Example("cairn concat /data/all '/data/part-*'              # in the order of their names");
  *given = &truncate.options().AddSize("size", size.get(), "bytes to keep").Short('s');
}

}  // namespace cairn::cli
