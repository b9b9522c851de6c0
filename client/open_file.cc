#include "client/open_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "client/client_core.h"
#include "client/connect.h"
#include "client/datanode_calls.h"
#include "client/missing_wait.h"
#include "common/status.h"

namespace cairn {
namespace {

constexpr uint64_t kMaxOpenBlocks = 4;  // of a file

// What the nodes of an open block say of how far it may be read.
struct Said {
  bool known = false;
  uint64_t length = 0;
  absl::Status why_not;
};

// All nodes have what was flushed, but one that lost its power may have come back with less: the
// longest counts. That there is nothing they must all say: one that is silent, or was restarted,
// may have what was flushed.
Said LengthOf(const std::vector<ReplicaAnswer>& answers, bool all_asked) {
  Said said;
  bool none_has_it = all_asked;
  if (!all_asked) said.why_not = absl::UnavailableError("not all of its DataNodes are live");
  for (const ReplicaAnswer& answer : answers) {
    if (answer.status.ok()) {
      said.known = true;
      said.length = std::max(said.length, answer.replica.block().length());
    } else if (!answer.answered || !absl::IsNotFound(answer.status)) {
      none_has_it = false;
      // What may pass is told first.
      if (!absl::IsUnavailable(said.why_not)) said.why_not = answer.status;
    }
  }
  said.known |= none_has_it;
  return said;
}

bool AllLive(const v1::LocatedBlock& block) {
  return block.nodes_size() > 0 && std::all_of(block.nodes().begin(), block.nodes().end(), IsLive);
}

// Replaces an open block's length by the one that may be read.
absl::Status LearnLength(ClientCore& core, v1::LocatedBlock& block) {
  std::vector<v1::NodeAddress> nodes;
  std::copy_if(block.nodes().begin(), block.nodes().end(), std::back_inserter(nodes), IsLive);
  const bool all_asked = AllLive(block);
  v1::LocatedBlock asked = block;
  asked.mutable_block()->set_length(0);
  Said said;
  for (const int64_t patience_ms : {AskReplicaMs(core), core.options().transfer.stall_ms}) {
    const std::vector<ReplicaAnswer> answers = AskForReplicas(core, asked, nodes, patience_ms);
    said = LengthOf(answers, all_asked);
    if (!said.known) continue;
    const uint64_t length = std::max(block.block().length(), said.length);
    block.mutable_block()->set_length(length);
    block.clear_nodes();
    for (const bool longest : {true, false}) {
      for (size_t i = 0; i < nodes.size(); ++i) {
        const bool has_all =
            answers[i].status.ok() && answers[i].replica.block().length() >= length;
        if (has_all == longest) *block.add_nodes() = nodes[i];
      }
    }
    return absl::OkStatus();
  }
  return Annotate(
      said.why_not,
      fmt::format("block {} is being written, and its length is not known", block.block().id()));
}

uint64_t BlockSizeOf(const ReadableFile& file) {
  return std::max<uint64_t>(file.located.status().block_size(), 1);
}

// What the NameNode says: the blocks, the last ones of an open file.
absl::StatusOr<ReadableFile> Locate(ClientCore& core, std::string_view path) {
  v1::GetBlockLocationsRequest request;
  request.set_path(std::string(path));
  request.set_length(1);  // the first block; the size of blocks tells how to ask for more
  ReadableFile file;
  ASSIGN_OR_RETURN(file.located, core.namenode().GetBlockLocations(request));
  if (file.located.status().type() == v1::FileStatus::DIRECTORY) {
    return absl::FailedPreconditionError("Is a directory");
  }
  file.length = file.located.status().length();
  if (!file.located.status().open()) return file;

  const uint64_t block_size = BlockSizeOf(file);
  const uint64_t known_blocks = file.length / block_size;
  request.set_offset((known_blocks - std::min(known_blocks, kMaxOpenBlocks)) * block_size);
  request.set_length(0);
  ASSIGN_OR_RETURN(file.located, core.namenode().GetBlockLocations(std::move(request)));
  file.length = file.located.status().length();
  return file;
}

// What the DataNodes say: the lengths of open blocks, and so the file's.
absl::Status LearnLengths(ClientCore& core, ReadableFile& file) {
  auto& blocks = *file.located.mutable_blocks();
  for (int i = 0; i < blocks.size(); ++i) {
    if (!blocks[i].open()) continue;
    RETURN_IF_ERROR(LearnLength(core, blocks[i]));
    file.length = blocks[i].offset() + blocks[i].block().length();
    // All of it is there, but it is not synced yet; the next one may have begun.
    if (blocks[i].block().length() == BlockSizeOf(file)) continue;
    blocks.DeleteSubrange(i + 1, blocks.size() - i - 1);
    if (blocks[i].block().length() == 0) blocks.RemoveLast();
    break;
  }
  return absl::OkStatus();
}

bool AllLive(const ReadableFile& file) {
  const auto& blocks = file.located.blocks();
  return std::all_of(blocks.begin(), blocks.end(),
                     [](const v1::LocatedBlock& block) { return !block.open() || AllLive(block); });
}

}  // namespace

absl::StatusOr<ReadableFile> LocateReadable(ClientCore& core, std::string_view path) {
  MissingWait wait(&core);
  while (true) {
    ASSIGN_OR_RETURN(ReadableFile file, Locate(core, path));
    const bool all_live = AllLive(file);
    const absl::Status learned = LearnLengths(core, file);
    if (learned.ok()) {
      wait.End();
      return file;
    }
    if (all_live || !wait.Again(/*corrupt=*/false)) return learned;
  }
}

}  // namespace cairn
