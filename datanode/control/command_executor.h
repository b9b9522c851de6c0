// Carries out what the NameNode orders: deletions and copies.
//
// Why: heartbeats must go on while disks and other nodes are slow, so commands run on threads of
// their own, in bounded queues. A command that is lost or fails is ordered again by the NameNode.
// Thread-safe. Part of the control session.
#pragma once

#include <atomic>
#include <vector>

#include "common/ids.h"
#include "common/thread_pool.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {

class Connector;
class OpenTransfers;
class ReplicaStore;

class CommandExecutor {
 public:
  // All must outlive the executor.
  CommandExecutor(ReplicaStore* store, OpenTransfers* transfers, Connector* connector);
  ~CommandExecutor();  // Stop()

  // Exactly these (id, generation). On return they are neither served nor reported any more; their
  // files go later.
  void Delete(const std::vector<Block>& blocks);
  void Copy(const Block& block, std::vector<Target> targets);
  // Drops what waits and lets what runs end; its streams must have been cancelled.
  void Stop();

 private:
  void RunDelete(const std::vector<Block>& blocks);
  void RunCopy(const Block& block, const std::vector<Target>& targets);

  ReplicaStore* const store_;
  OpenTransfers* const transfers_;
  Connector* const connector_;
  std::atomic<bool> stopping_ = false;
  ThreadPool deletions_;
  ThreadPool copies_;
};

}  // namespace cairn::datanode
