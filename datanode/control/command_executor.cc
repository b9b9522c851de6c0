#include "datanode/control/command_executor.h"

#include <utility>

#include "common/logging.h"
#include "common/units.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr int kCopyThreads = 4;  // the NameNode paces copies by bytes; this bounds their streams
constexpr int kRecoveryThreads = 2;
constexpr size_t kMaxQueued = 1'000;

}  // namespace

CommandExecutor::CommandExecutor(Parts parts, CommitFn commit)
    : parts_(parts),
      commit_(std::move(commit)),
      sender_(parts.store, parts.connector, parts.transfers),
      deletions_("deletions", 1, kMaxQueued),
      copies_("copies", kCopyThreads, kMaxQueued),
      recoveries_("recoveries", kRecoveryThreads, kMaxQueued) {}

CommandExecutor::~CommandExecutor() { Stop(); }

void CommandExecutor::Stop() {
  stopping_.store(true);
  deletions_.Stop();
  copies_.Stop();
  recoveries_.Stop();
}

void CommandExecutor::Delete(const std::vector<Block>& blocks) {
  const std::vector<Block> marked = parts_.store->MarkDeleting(blocks);
  if (marked.size() < blocks.size()) {
    LogInfo("{} of {} replicas to delete are not here, or wait for it already",
            blocks.size() - marked.size(), blocks.size());
  }
  if (marked.empty() || deletions_.Submit([this, marked] { RunDelete(marked); })) return;
  parts_.store->UnmarkDeleting(marked);
  LogWarn("the order to delete {} replicas was dropped: too many wait", marked.size());
}

void CommandExecutor::RunDelete(const std::vector<Block>& blocks) {
  for (const Block& block : blocks) {
    if (stopping_.load()) return;
    const absl::Status deleted = parts_.store->RemoveMarked(block);
    if (deleted.ok()) {
      LogInfo("deleted block {} (generation {})", block.id, block.generation);
    } else {
      LogWarn("deletion of block {} (generation {}): {}", block.id, block.generation,
              MessageOf(deleted));
    }
    parts_.transfers->CancelWrites(block);  // of a replica that was still being written
  }
}

void CommandExecutor::Copy(const Block& block, std::vector<Target> targets) {
  const auto run = [this, block, targets = std::move(targets)] { RunCopy(block, targets); };
  if (!copies_.Submit(run)) {
    LogWarn("the order to copy block {} was dropped: too many wait", block.id);
    NoteFailedCopy(block.id);
  }
}

void CommandExecutor::RunCopy(const Block& block, const std::vector<Target>& targets) {
  if (stopping_.load()) return;
  const absl::Status sent = sender_.Copy(block, targets);
  if (sent.ok()) {
    LogInfo("copied block {} to {} nodes, first {}", block.id, targets.size(),
            targets.front().name());
  } else {
    LogWarn("copy of block {}: {}", block.id, MessageOf(sent));
    NoteFailedCopy(block.id);
  }
}

void CommandExecutor::NoteFailedCopy(BlockId block) {
  MutexLock lock(mu_);
  if (failed_copies_.size() < kMaxQueued) failed_copies_.push_back(block);
}

std::vector<BlockId> CommandExecutor::TakeFailedCopies() {
  MutexLock lock(mu_);
  return std::exchange(failed_copies_, {});
}

void CommandExecutor::Recover(RecoveryOrder order) {
  const BlockId id = order.block.id;
  if (!recoveries_.Submit([this, order = std::move(order)] { RunRecover(order); })) {
    LogWarn("the order to recover block {} was dropped: too many wait", id);
  }
}

void CommandExecutor::RunRecover(const RecoveryOrder& order) {
  if (stopping_.load()) return;
  const absl::StatusOr<RecoveryResult> result = RecoverBlock(order, parts_.peers);
  absl::Status status = result.status();
  if (status.ok()) status = Annotate(commit_(*result), "the NameNode did not take its end");
  if (!status.ok()) LogWarn("recovery of block {}: {}", order.block.id, MessageOf(status));
}

}  // namespace cairn::datanode
