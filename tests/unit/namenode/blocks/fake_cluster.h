// DataNodes and a namespace in miniature around a BlockManager, under a clock that the test moves.
//
// The namespace pushes changes with txids and says when they are durable; nodes hold replicas on
// "disks", obey commands and report what they did. Every message can be held back or lost: nothing
// is sent unless a test asks for it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/clock.h"
#include "namenode/blocks/block_manager.h"

namespace cairn::namenode {

constexpr uint64_t kMiB = 1ull << 20;

struct FakeReplica {
  Block block;
  bool open = false;
  bool waiting = false;  // open, without a writer
};

struct FakeNode {
  NodeRegistration registration;
  std::map<BlockId, FakeReplica> disk;  // all on the first storage
  std::vector<ReplicaChange> unsent;    // incremental report
  std::vector<Block> deleted;           // orders obeyed, for tests
  std::vector<CopyReplica> copies;      // orders received
  std::vector<SendFullReport> asked;
  std::vector<RecoverBlock> recoveries;  // orders received; a test carries them out
  uint64_t sequence = 0;                 // of incremental reports
  HeartbeatReport heartbeat;             // what it tells besides its storages
  bool up = true;
  AdminState admin = AdminState::kInService;  // as journaled

  NodeNumber number() const { return registration.number; }
  StorageNumber storage() const { return registration.storages[0].number; }
};

class FakeCluster {
 public:
  explicit FakeCluster(BlockManagerOptions options = {});

  ManualClock& clock() { return clock_; }
  BlockManager& manager() { return *manager_; }
  // A new NameNode that knows the same nodes and blocks, and nothing of where they are.
  void RestartNameNode();

  // --- Nodes
  // Registers it and reports in full, unless told otherwise.
  FakeNode& AddNode(const std::string& rack = "/r", bool report = true);
  FakeNode& node(NodeNumber number) { return *nodes_.at(number - 1); }
  NodeNumber nodes() const { return static_cast<NodeNumber>(nodes_.size()); }
  absl::Status Register(FakeNode& node);
  absl::Status FullReport(FakeNode& node);
  // From now on heartbeats tell what is on the disks as used space, of the first storage.
  void CountSpace() { counts_space_ = true; }
  // A heartbeat; the commands are obeyed (deletions at once, copies to the disks of their targets).
  absl::Status Beat(FakeNode& node);
  absl::Status SendIncremental(FakeNode& node);
  // What was sent once, again.
  absl::Status Replay(const FakeNode& node, uint64_t sequence,
                      const std::vector<ReplicaChange>& changes);
  void Receive(FakeNode& node, const Block& block);  // finalized on disk, not reported yet
  void Write(FakeNode& node, const Block& block);    // on disk, being written
  void Leave(FakeNode& node, BlockId block);         // its writer is gone; not reported yet
  // What an administrator wants it to be, durable and looked at. Run ends decommissions.
  void SetAdmin(FakeNode& node, AdminState admin);
  DataNodeReport ReportOf(const FakeNode& node);
  // A new incarnation: registers and reports. What was being written has no writer any more.
  void Restart(FakeNode& node);

  // --- Namespace
  TxId Push(std::vector<BlockChange> changes, bool durable = true);
  void MakeDurable(TxId txid) { durable_ = txid; }
  Block NewBlock(uint64_t length = kMiB);
  // A closed file of one block, with replicas on these nodes; reported unless told otherwise.
  Block AddBlock(std::vector<NodeNumber> nodes, uint32_t replication, bool report = true,
                 uint64_t length = kMiB);
  void Remove(const Block& block);
  void SetReplication(const Block& block, uint32_t replication);
  // A block that may be written: new, reopened, or with another stamp and pipeline.
  void Open(const Block& block, std::vector<NodeNumber> pipeline, uint32_t replication);
  // The end of an open block, and of its file.
  void Finish(const Block& block, const std::vector<NodeNumber>& nodes, uint32_t replication);
  BlockChange Change(BlockChange::Kind kind, const Block& block, uint32_t replication) const;

  // --- Time
  // Moves time in steps of a heartbeat: nodes that are up beat and report, the monitors run.
  void Run(int64_t ms);
  // Until no block waits for anything, at most `steps` heartbeats; false if it did not come to
  // rest. Blocks that have too few replicas on nodes that stay are none of these.
  bool RunUntilSound(int steps = 100);

  BlockCounts Counts() { return manager_->Report().blocks; }
  std::vector<NodeNumber> Where(const Block& block);      // sorted
  int refused_copies() const { return refused_copies_; }  // sent to nodes that had one already

 private:
  void Obey(FakeNode& node, const std::vector<NodeCommand>& commands);
  void EndDecommissions();
  // What is on a node that may go has its target elsewhere.
  void CheckDispensable(const FakeNode& gone);

  const BlockManagerOptions options_;
  ManualClock clock_;
  TxId durable_ = 0;
  TxId next_txid_ = 1;
  BlockId next_block_ = 1;
  GenerationStamp next_generation_ = 1000;
  uint64_t next_incarnation_ = 1;
  int refused_copies_ = 0;
  bool counts_space_ = false;
  std::vector<std::unique_ptr<FakeNode>> nodes_;
  std::map<BlockId, BlockChange> blocks_;  // open or of closed files
  std::unique_ptr<BlockManager> manager_;
};

}  // namespace cairn::namenode
