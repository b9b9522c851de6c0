// Sends this node's replica of a block to other nodes: how the NameNode has lost replicas rebuilt,
// and how a node joins the pipeline of an open block.
//
// Why: the bytes go through the same pipeline as a client's write, with the checksums that are on
// disk, each verified as it is read (P4). A replica that turns out bad is marked and reported. A
// call takes as long as the copy: run it on a pool. Called by the control session and the service.
#pragma once

#include <functional>
#include <vector>

#include "common/ids.h"
#include "common/status.h"
#include "common/thread_cache.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {

class Connector;
class OpenTransfers;
class ReplicaStore;

class ReplicaSender {
 public:
  // All must outlive the sender.
  ReplicaSender(ReplicaStore* store, Connector* connector, OpenTransfers* transfers)
      : store_(store), connector_(connector), transfers_(transfers) {}

  // A finalized replica as it is. OK when all targets have it durable, else the first failure.
  absl::Status Copy(const Block& block, std::vector<Target> targets);
  // The first block.length bytes of an open replica, which the targets keep open, durable, with
  // block.generation. `stopped` is asked between packets: true ends it.
  absl::Status Join(const Block& block, std::vector<Target> targets,
                    const std::function<bool()>& stopped);

 private:
  absl::Status Send(const Block& block, WriteStage stage, std::vector<Target> targets,
                    const std::function<bool()>& stopped);

  ReplicaStore* const store_;
  Connector* const connector_;
  OpenTransfers* const transfers_;
  ThreadCache ack_threads_{"ack-relay"};
};

}  // namespace cairn::datanode
