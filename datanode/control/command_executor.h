// Carries out what the NameNode orders: deletions, copies and block recoveries.
//
// Why: heartbeats must go on while disks and other nodes are slow, so commands run on threads of
// their own, in bounded queues. A command that is lost or fails is ordered again by the NameNode:
// in the end, or at the next round when it is told (failed copies).
// Thread-safe. Part of the control session.
#pragma once

#include <atomic>
#include <functional>
#include <vector>

#include "common/ids.h"
#include "common/mutex.h"
#include "common/status.h"
#include "common/thread_pool.h"
#include "datanode/pipeline/block_recovery.h"
#include "datanode/pipeline/messages.h"
#include "datanode/pipeline/replica_sender.h"

namespace cairn::datanode {

class Connector;
class OpenTransfers;
class ReplicaStore;

class CommandExecutor {
 public:
  struct Parts {  // all must outlive the executor
    ReplicaStore* store = nullptr;
    OpenTransfers* transfers = nullptr;
    Connector* connector = nullptr;
    RecoveryPeers* peers = nullptr;
  };
  // Tells the NameNode how a recovery ended.
  using CommitFn = std::function<absl::Status(const RecoveryResult&)>;

  CommandExecutor(Parts parts, CommitFn commit);
  ~CommandExecutor();  // Stop()

  // Exactly these (id, generation). On return they are neither served nor reported any more; their
  // files go later.
  void Delete(const std::vector<Block>& blocks);
  void Copy(const Block& block, std::vector<Target> targets);
  void Recover(RecoveryOrder order);
  // Blocks whose copies could not be made, since the last call. Who cannot tell the NameNode of
  // them gives them back.
  std::vector<BlockId> TakeFailedCopies() ABSL_LOCKS_EXCLUDED(mu_);
  void NoteFailedCopy(BlockId block) ABSL_LOCKS_EXCLUDED(mu_);
  // Drops what waits and lets what runs end; its streams and calls must have been cancelled.
  void Stop();

 private:
  void RunDelete(const std::vector<Block>& blocks);
  void RunCopy(const Block& block, const std::vector<Target>& targets);
  void RunRecover(const RecoveryOrder& order);

  const Parts parts_;
  const CommitFn commit_;
  ReplicaSender sender_;
  std::atomic<bool> stopping_ = false;
  Mutex mu_;
  std::vector<BlockId> failed_copies_ ABSL_GUARDED_BY(mu_);
  ThreadPool deletions_;
  ThreadPool copies_;
  ThreadPool recoveries_;
};

}  // namespace cairn::datanode
