// The vocabulary of the reported state: what the namespace tells it, what DataNodes tell it, and
// what comes back.
//
// Plain values, translated from and to the wire by the service; nothing here is journaled. Times
// are steady-clock ms, sizes are bytes.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "common/admin_state.h"
#include "common/ids.h"

namespace cairn::namenode {

// --- From the namespace ---------------------------------------------------------------------

// What an edit means for one block, or for one DataNode.
struct BlockChange {
  enum class Kind {
    kOpened,       // a writer may fill it: `pipeline`, `block_size`, `replication`, the length it
                   // has at least. New, open again (append, truncate), or with another pipeline
    kFinished,     // durable on `storages`, provisional until reported; the file may still be open
    kFileClosed,   // the block belongs to a closed file now: it counts and is kept at its target
    kRemoved,      // no file has it any more: every replica is deleted
    kReplication,  // `replication` is the new target
    kAdminState,   // of no block: DataNode `node` is `admin` from now on
  };
  Kind kind = Kind::kOpened;
  Block block;
  INodeId inode = 0;
  uint32_t replication = 0;
  uint64_t block_size = 0;  // what is missing to it is promised on each node of an open pipeline
  // One of them, as a rule of three: inline, a change costs no allocation.
  absl::InlinedVector<NodeNumber, 4> pipeline;     // kOpened
  absl::InlinedVector<StorageNumber, 4> storages;  // kFinished
  NodeNumber node = 0;                             // kAdminState, as the next
  AdminState admin = AdminState::kInService;
};

// --- From DataNodes -------------------------------------------------------------------------

// One data directory of a DataNode.
struct StorageReport {
  StorageNumber number = 0;
  std::string id;    // UUID; at registration
  std::string path;  // at registration
  uint64_t capacity_bytes = 0;
  uint64_t used_bytes = 0;       // by replicas
  uint64_t remaining_bytes = 0;  // that new replicas may take
  bool failed = false;
  // Of one that is slow beside its node's others: what a write or a sync takes there, and on the
  // others. 0: it is not.
  uint64_t slow_us = 0;
  uint64_t others_us = 0;
};

struct NodeRegistration {
  NodeNumber number = 0;
  std::string id;                      // UUID
  uint64_t incarnation = 0;            // random, new at every start of the DataNode
  std::vector<std::string> addresses;  // host:port of the data service, tried in order
  std::string http_address;
  std::string rack;  // "/region/rack"; empty: the default rack
  std::string host;  // host name, for locality
  std::vector<StorageReport> storages;
};

// What a packet to another DataNode took of late, as one in front of it in pipelines measured.
struct PeerLatency {
  NodeNumber node = 0;
  uint64_t median_us = 0;
  uint64_t samples = 0;
};

struct HeartbeatReport {
  std::vector<StorageReport> storages;  // by number
  uint32_t active_writes = 0;
  uint32_t active_reads = 0;
  uint64_t read_requests = 0;  // since its start; writes and errors too
  uint64_t write_requests = 0;
  uint64_t errors = 0;
  uint64_t bytes_read = 0;
  uint64_t bytes_written = 0;
  uint64_t disk_errors = 0;  // among the errors; checksum errors too
  uint64_t checksum_errors = 0;
  std::vector<PeerLatency> peers;
  std::vector<BlockId> failed_copies;  // ordered, and not made; since the last heartbeat
};

struct ReplicaRecord {  // of a full report
  Block block;
  bool open = false;     // not finalized: known, never counted as good
  bool waiting = false;  // open, without a writer: it left, or the node was restarted
};

struct ReplicaChange {  // of an incremental report
  enum class Kind {
    kReceived,  // finalized and durable
    kDeleted,
    kWaiting,  // open, and its writer has left
  };
  Kind kind = Kind::kReceived;
  StorageNumber storage = 0;
  Block block;
};

struct NodeIdentity {
  NodeNumber number = 0;
  std::string id;
};

// --- To DataNodes ---------------------------------------------------------------------------

// How to reach a DataNode.
struct NodeAddress {
  NodeNumber number = 0;
  std::string id;
  std::vector<std::string> addresses;
  std::string http_address;
  std::string rack;

  friend bool operator==(const NodeAddress&, const NodeAddress&) = default;
};

struct DeleteReplicas {
  std::vector<Block> blocks;  // exactly these (id, generation)
};
struct CopyReplica {
  Block block;
  std::vector<NodeAddress> targets;  // a pipeline: the first forwards to the second, ...
};
struct SendFullReport {
  std::vector<StorageNumber> storages;
};
// Settle an open block: have the members agree on a length and finalize, then commit it.
struct RecoverBlock {
  Block block;  // its generation: older replicas do not count
  GenerationStamp recovery = 0;
  std::vector<NodeAddress> members;  // alive; each must answer
  bool cut = false;                  // a truncation: block.length is the length it shall have
};
using NodeCommand = std::variant<DeleteReplicas, CopyReplica, SendFullReport, RecoverBlock>;

// Of an open block's pipeline: who can be asked what it holds.
struct RecoveryMembers {
  std::vector<NodeAddress> alive;   // those whose heartbeat is late last
  std::vector<NodeNumber> awaited;  // not heard of since the start, and may still come
};

// --- To clients -----------------------------------------------------------------------------

struct TargetRequest {
  uint32_t count = 1;         // wanted
  uint32_t min_required = 1;  // fewer is an error
  std::string writer_host;
  std::string writer_rack;  // empty: unknown
  std::vector<NodeNumber> excluded;
  std::vector<NodeNumber> existing;  // hold it already: not chosen, but their racks count
  BlockId block = 0;                 // that they shall join: nodes that have a replica cannot
  uint64_t block_size = 0;
  uint64_t key = 0;  // for placement by hash: the same key goes to the same nodes
};

struct BlockLocations {
  std::vector<NodeAddress> nodes;  // good live replicas, nearest first
  bool corrupt = false;            // none is good, but there is at least one bad copy
};

}  // namespace cairn::namenode
