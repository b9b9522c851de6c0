// cairn test, locations and checksum: questions about files.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "client/cli/commands.h"
#include "client/cli/json_text.h"

namespace cairn::cli {
namespace {

struct TestOptions {
  bool exists = false;
  bool directory = false;
  bool file = false;
};

absl::Status Test(Context& context, const TestOptions& options, const Operands& operands) {
  if (options.exists + options.directory + options.file != 1) {
    return UsageError("give one of -e, -d and -f");
  }
  ASSIGN_OR_RETURN(const ClusterPath path, context.Resolve(operands.front()));
  const absl::StatusOr<FileStatus> status = path.fs->GetFileInfo(path.path);
  // The answer is the exit status. A path below a file is not there either.
  if (absl::IsNotFound(status.status()) || absl::IsFailedPrecondition(status.status())) {
    context.RaiseExitStatus(1);
    return absl::OkStatus();
  }
  if (!status.ok()) {
    context.Fail(path.shown, status.status());
    return absl::OkStatus();
  }
  const bool holds =
      options.exists || (options.directory ? status->is_directory() : !status->is_directory());
  if (!holds) context.RaiseExitStatus(1);
  return absl::OkStatus();
}

std::string LocationsText(const std::vector<LocatedBlock>& blocks) {
  std::string text;
  for (const LocatedBlock& block : blocks) {
    text += fmt::format("block {}, offset {}, {} bytes{}\n", block.block.id, block.offset,
                        block.block.length,
                        block.open      ? ", being written"
                        : block.corrupt ? ", CORRUPT"
                                        : "");
    if (block.nodes.empty()) text += "    no good copy\n";
    for (const NodeAddress& node : block.nodes) {
      text += fmt::format("    {}  {}  {}\n", node.id,
                          node.addresses.empty() ? "-" : node.addresses.front(), node.rack);
    }
  }
  return text;
}

absl::Status Locations(Context& context, bool json, const Operands& operands) {
  ASSIGN_OR_RETURN(const ClusterPath path, context.Resolve(operands.front()));
  const absl::StatusOr<FileStatus> status = path.fs->GetFileInfo(path.path);
  absl::StatusOr<std::vector<LocatedBlock>> blocks;
  if (!status.ok()) {
    blocks = status.status();
  } else if (status->is_directory()) {
    blocks = absl::FailedPreconditionError("Is a directory");
  } else {
    blocks = path.fs->GetBlockLocations(path.path);
  }
  if (!blocks.ok()) {
    context.Fail(path.shown, blocks.status());
    return absl::OkStatus();
  }
  context.out().Write(json ? LocationsJson(*blocks) + "\n" : LocationsText(*blocks));
  return absl::OkStatus();
}

// The fields of `hdfs dfs -checksum`, and for equal bytes the same value as its COMPOSITE-CRC32C.
absl::Status Checksum(Context& context, const Operands& operands) {
  ASSIGN_OR_RETURN(const std::vector<ClusterPath> paths, context.Expand(operands));
  for (const ClusterPath& path : paths) {
    RETURN_IF_ERROR(context.Continue());
    const absl::StatusOr<FileChecksum> checksum = path.fs->Checksum(path.path);
    if (checksum.ok()) {
      context.out().Write(
          fmt::format("{}\tCOMPOSITE-CRC32C\t{:08x}\n", path.shown, checksum->crc32c));
    } else {
      context.Fail(path.shown, checksum.status());
    }
  }
  return context.Continue();
}

}  // namespace

void AddCheckCommands(Cli& cli) {
  auto options = std::make_shared<TestOptions>();
  Command& test = cli.Add("test", "-e|-d|-f PATH", 1, 1,
                          "exit with 0 if it holds, with 1 if not; prints nothing",
                          [options](Context& context, const Operands& operands) {
                            return Test(context, *options, operands);
                          });
  test.Example("cairn test -e /data/_SUCCESS && echo ready");
  test.options().AddBool("exists", &options->exists, "it is there").Short('e');
  test.options().AddBool("directory", &options->directory, "it is a directory").Short('d');
  test.options().AddBool("file", &options->file, "it is a file").Short('f');

  auto json = std::make_shared<bool>(false);
  Command& locations = cli.Add("locations", "PATH", 1, 1,
                               "show where the good copies of a file's blocks are, nearest first",
                               [json](Context& context, const Operands& operands) {
                                 return Locations(context, *json, operands);
                               });
  locations.Example("cairn locations /data/a.csv")
      .Example("cairn locations /data/a.csv --json | jq '.[].nodes[].id'");
  locations.options().AddBool("json", json.get(), "as JSON");

  cli.Add("checksum", "PATH...", 1, Command::kAnyNumber,
          "print the CRC32C of files, without moving their bytes here", Checksum)
      .Example("cairn checksum /data/a.csv")
      .Example("[ \"$(cairn checksum /a | cut -f3)\" = \"$(cairn checksum /b | cut -f3)\" ]");
}

}  // namespace cairn::cli
