// Sends this node's replica of a block to other nodes: how the NameNode has lost replicas rebuilt.
//
// Why: the copy goes through the same pipeline as a client's write, with the checksums that are on
// disk, each verified as it is read (P4). A replica that turns out bad is marked and reported. A
// call takes as long as the copy: run it on a pool. Called by the control session.
#pragma once

#include <vector>

#include "common/ids.h"
#include "common/status.h"
#include "datanode/pipeline/messages.h"

namespace cairn::datanode {

class Connector;
class OpenTransfers;
class ReplicaStore;

// Returns OK when all targets have the replica durable, else the first failure.
absl::Status SendReplica(ReplicaStore* store, Connector* connector, OpenTransfers* transfers,
                         const Block& block, std::vector<Target> targets);

}  // namespace cairn::datanode
