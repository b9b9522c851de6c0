#include "datanode/control/command_executor.h"

#include <utility>

#include "common/logging.h"
#include "common/units.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/pipeline/replica_sender.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr int kCopyThreads = 4;  // the NameNode paces copies by bytes; this bounds their streams
constexpr size_t kMaxQueued = 1'000;

}  // namespace

CommandExecutor::CommandExecutor(ReplicaStore* store, OpenTransfers* transfers,
                                 Connector* connector)
    : store_(store),
      transfers_(transfers),
      connector_(connector),
      deletions_("deletions", 1, kMaxQueued),
      copies_("copies", kCopyThreads, kMaxQueued) {}

CommandExecutor::~CommandExecutor() { Stop(); }

void CommandExecutor::Stop() {
  stopping_.store(true);
  deletions_.Stop();
  copies_.Stop();
}

void CommandExecutor::Delete(const std::vector<Block>& blocks) {
  const std::vector<Block> marked = store_->MarkDeleting(blocks);
  if (marked.size() < blocks.size()) {
    LogInfo("{} of {} replicas to delete are not here, or wait for it already",
            blocks.size() - marked.size(), blocks.size());
  }
  if (marked.empty() || deletions_.Submit([this, marked] { RunDelete(marked); })) return;
  store_->UnmarkDeleting(marked);
  LogWarn("the order to delete {} replicas was dropped: too many wait", marked.size());
}

void CommandExecutor::RunDelete(const std::vector<Block>& blocks) {
  for (const Block& block : blocks) {
    if (stopping_.load()) return;
    const absl::Status deleted = store_->RemoveMarked(block);
    if (deleted.ok()) {
      LogInfo("deleted block {} (generation {})", block.id, block.generation);
    } else {
      LogWarn("deletion of block {} (generation {}): {}", block.id, block.generation,
              MessageOf(deleted));
    }
    transfers_->CancelWrites(block);  // of a replica that was still being written
  }
}

void CommandExecutor::Copy(const Block& block, std::vector<Target> targets) {
  const auto run = [this, block, targets = std::move(targets)] { RunCopy(block, targets); };
  if (!copies_.Submit(run)) {
    LogWarn("the order to copy block {} was dropped: too many wait", block.id);
  }
}

void CommandExecutor::RunCopy(const Block& block, const std::vector<Target>& targets) {
  if (stopping_.load()) return;
  const absl::Status sent = SendReplica(store_, connector_, transfers_, block, targets);
  if (sent.ok()) {
    LogInfo("copied block {} to {} nodes, first {}", block.id, targets.size(),
            targets.front().name());
  } else {
    LogWarn("copy of block {}: {}", block.id, MessageOf(sent));
  }
}

}  // namespace cairn::datanode
