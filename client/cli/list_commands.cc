// cairn ls and stat: what the NameNode knows of files.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/json_text.h"
#include "client/cli/listing.h"
#include "client/cli/mode.h"
#include "client/cli/tree.h"

namespace cairn::cli {
namespace {

struct ListOptions {
  bool long_format = false;
  bool human = false;
  bool recursive = false;
  bool directory = false;  // the operands themselves, not what is in them
  bool json = false;
};

// Prints entries in one of three formats, in pieces: a directory may have millions.
class ListPrinter {
 public:
  ListPrinter(Output& out, const ListOptions& options)
      : out_(out), options_(options), table_(LongListing()) {}

  // `name` is what the short format shows.
  void Print(const ClusterPath& path, const FileStatus& status, std::string_view name) {
    if (options_.json) {
      out_.Write(array_.Add(FileStatusJson(path.shown, status)));
    } else if (options_.long_format) {
      table_.Add(LongListingRow(path.shown, status, options_.human));
      if (table_.rows() == kRowsAtOnce) Flush();
    } else {
      out_.Write(name);
      out_.Write("\n");
    }
  }
  // "DIR:", before what is in it; short format only, for the long one has whole paths.
  void Header(const ClusterPath& path) {
    if (options_.json || options_.long_format) return;
    out_.Write(fmt::format("{}{}:\n", printed_ ? "\n" : "", path.shown));
  }
  void SetPrinted() { printed_ = true; }
  void Flush() { out_.Write(table_.Take()); }
  void End() {
    Flush();
    if (options_.json) out_.Write(array_.End());
  }

 private:
  static constexpr size_t kRowsAtOnce = 1000;
  Output& out_;
  const ListOptions& options_;
  Table table_;
  JsonArray array_;
  bool printed_ = false;
};

absl::Status ListDirectory(Context& context, const ClusterPath& directory, ListPrinter& printer) {
  absl::Status status = directory.fs->ForEachEntry(directory.path, [&](const FileStatus& entry) {
    printer.Print(directory.Child(entry.name), entry, entry.name);
    return context.Continue();
  });
  printer.Flush();
  return status;
}

absl::Status ListRecursively(Context& context, const ClusterPath& root, ListPrinter& printer) {
  TreeVisitor visitor;
  visitor.enter = [&](const ClusterPath& path, const FileStatus& status, int depth) {
    if (depth > 0 || !status.is_directory()) printer.Print(path, status, path.shown);
    return true;
  };
  return WalkTree(context, root, visitor);
}

absl::Status List(Context& context, const ListOptions& options, const Operands& operands) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.Expand(operands));
  ListPrinter printer(context.out(), options);
  std::vector<ClusterPath> directories;
  // Files first, as ls(1) does, in JSON too.
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(context.Continue());
    const absl::StatusOr<FileStatus> status = path.fs->GetFileInfo(path.path);
    if (!status.ok()) {
      context.Fail(path.shown, status.status());
    } else if (options.directory || !status->is_directory()) {
      printer.Print(path, *status, path.shown);
      printer.SetPrinted();
    } else {
      directories.push_back(path);
    }
  }
  printer.Flush();
  for (const ClusterPath& directory : directories) {
    if (!context.Continue().ok()) break;
    absl::Status status;
    if (options.recursive) {
      status = ListRecursively(context, directory, printer);
    } else {
      if (paths.size() > 1) printer.Header(directory);
      status = ListDirectory(context, directory, printer);
    }
    if (!status.ok()) context.Fail(directory.shown, status);
    printer.SetPrinted();
  }
  printer.End();
  return context.Continue();
}

std::string StatText(const ClusterPath& path, const FileStatus& status) {
  std::string text = fmt::format("path:        {}\ntype:        {}\nlength:      {}\n", path.shown,
                                 status.is_directory() ? "directory" : "file", status.length);
  if (!status.is_directory()) {
    text += fmt::format("replication: {}\nblock size:  {}\nblocks:      {}{}\n", status.replication,
                        status.block_size, status.blocks, status.open ? " (being written)" : "");
  }
  text += fmt::format("owner:       {}\ngroup:       {}\nmode:        {:04o} {}\n", status.owner,
                      status.group, status.mode, FormatMode(status.mode, status.is_directory()));
  text += fmt::format("modified:    {}\naccessed:    {}\ninode:       {}\n",
                      FormatTime(status.mtime_ms), FormatTime(status.atime_ms), status.inode);
  return text;
}

absl::Status Stat(Context& context, bool json, const Operands& operands) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.Expand(operands));
  const bool array = std::max(paths.size(), operands.size()) > 1;
  JsonArray objects;
  bool first = true;
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(context.Continue());
    const absl::StatusOr<FileStatus> status = path.fs->GetFileInfo(path.path);
    if (!status.ok()) {
      context.Fail(path.shown, status.status());
    } else if (!json) {
      context.out().Write((first ? "" : "\n") + StatText(path, *status));
      first = false;
    } else if (array) {
      context.out().Write(objects.Add(FileStatusJson(path.shown, *status)));
    } else {
      context.out().Write(FileStatusJson(path.shown, *status) + "\n");
    }
  }
  if (json && array) context.out().Write(objects.End());
  return context.Continue();
}

}  // namespace

void AddListCommands(Cli& cli) {
  auto list = std::make_shared<ListOptions>();
  Command& ls = cli.Add("ls", "PATH...", 1, Command::kAnyNumber, "list directories, sorted by name",
                        [list](Context& context, const Operands& operands) {
                          return List(context, *list, operands);
                        });
  ls.Example("cairn ls -lh /data               # mode, replication, owner, group, size, date, path")
      .Example("cairn ls -R --json /data | jq '.[].path'");
  OptionTable& table = ls.options();
  table.AddBool("long", &list->long_format, "one line with all columns for each").Short('l');
  table.AddBool("human-readable", &list->human, "sizes like 1.5G").Short('h');
  table.AddBool("recursive", &list->recursive, "all that is below, too").Short('R');
  table.AddBool("directory", &list->directory, "directories themselves, not what is in them")
      .Short('d');
  table.AddBool("json", &list->json, "an array of what stat --json gives");

  auto json = std::make_shared<bool>(false);
  Command& stat = cli.Add("stat", "PATH...", 1, Command::kAnyNumber,
                          "show all that is known of files and directories",
                          [json](Context& context, const Operands& operands) {
                            return Stat(context, *json, operands);
                          });
  stat.Example("cairn stat /data/a.csv").Example("cairn stat --json /data/a.csv | jq .length");
  stat.options().AddBool("json", json.get(), "an object; an array for several paths");
}

}  // namespace cairn::cli
