// A NameNode's block management, the real one, with DataNodes and writers that are not, under
// virtual time.
//
// DataNodes register, send heartbeats, full and incremental reports and obey orders, as slowly as
// their disks and the network allow; writers make, resize and remove files. What happens depends on
// the seed alone. Broken rules are collected, with the time and the block (sim_blocks.h):
//   - no order takes the last good replica of an acknowledged block;
//   - no replica is ordered away twice while the first order is under way.
// Not thread-safe. Used by the storm, which makes things go wrong, by tests and `cairn_sim`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "namenode/blocks/block_manager.h"
#include "tests/sim/event_queue.h"
#include "tests/sim/sim_blocks.h"
#include "tests/sim/sim_node.h"

namespace cairn::sim {

struct SimOptions {
  uint32_t nodes = 12;
  uint32_t racks = 3;
  uint32_t disks = 2;          // of a node
  uint64_t blocks = 300;       // at the start
  uint64_t fill_percent = 50;  // of the disks, by those
  uint64_t seed = 1;
  int64_t write_every_ms = 500;  // a writer makes, changes or removes a file; 0: none does
};

struct SimCounters {
  uint64_t heartbeats = 0;
  uint64_t reported_replicas = 0;  // in full reports
  uint64_t written = 0;
  uint64_t removed = 0;
  uint64_t copies = 0;  // carried out
  uint64_t failed_copies = 0;
  uint64_t deletions = 0;
  uint64_t refused_writes = 0;  // too few nodes
  // CPU of the NameNode, in seconds.
  double cpu = 0;
  double report_cpu = 0;   // of full reports
  double monitor_cpu = 0;  // of heartbeat checks and replication rounds
};

class ClusterSim {
 public:
  explicit ClusterSim(const SimOptions& options);

  // Lets virtual time pass.
  void RunFor(int64_t ms) { events_.RunFor(ms); }
  EventQueue& events() { return events_; }
  namenode::BlockManager& manager() { return *manager_; }
  namenode::BlockCounts Counts();
  SimBlocks& blocks() { return blocks_; }
  std::vector<std::unique_ptr<SimNode>>& nodes() { return nodes_; }
  const SimCounters& counters() const { return counters_; }
  const std::vector<std::string>& broken() const { return broken_; }
  uint64_t Draw(uint64_t below) { return random_() % below; }

  // Runs until no block waits for anything, `ms` at most. False: it did not come to rest.
  bool RunUntilSound(int64_t ms);
  // All acknowledged blocks: as many good replicas as they shall have, on nodes in service, in more
  // than one rack, and no others. What is wrong is added to broken(). After RunUntilSound.
  void CheckAtRest();
  void StopWriting() { writing_ = false; }

  // --- What a storm does. A replica that is lost without a word is so for one block at a time.
  void Crash(SimNode* node);  // and loses what it has in memory
  void Start(SimNode* node);
  void Mute(SimNode* node, bool muted) { node->muted = muted; }
  // A disk that fails, with all that is on it; false where that might lose a block.
  bool FailDisk(SimNode* node, size_t disk);
  // A node that is down comes back without its replicas; false as above.
  bool Wipe(SimNode* node);
  // A replica rots, is read after `found_after_ms` and found out. False as above.
  bool Rot(SimNode* node, int64_t found_after_ms);
  void FindRot(SimNode* node);  // all of it, now
  void SetAdmin(SimNode* node, AdminState admin);
  // A new process that knows the namespace and the nodes, and nothing of where blocks are.
  void RestartNameNode();

 private:
  // Calls the NameNode, and counts its CPU there and in `also`.
  template <typename Call>
  auto Nn(Call call, double* also = nullptr);

  void MakeNodes();
  void MakeBlocks();
  void Load();
  void Push(std::vector<namenode::BlockChange> changes);
  static namenode::BlockChange ChangeOf(namenode::BlockChange::Kind kind, BlockId id,
                                        uint32_t replication);
  void Note(const std::string& what, BlockId id, const SimNode& node);

  // Events.
  void Monitor();
  void Write();
  void Create();
  void Finish(BlockId id, uint32_t replication, const std::vector<NodeNumber>& targets);
  BlockId AnyBlock();
  void Remove(BlockId id);
  void Resize(BlockId id);
  void Heartbeat(SimNode* node, uint64_t life);
  // False: the NameNode does not know the node.
  bool Talk(SimNode* node);
  void Register(SimNode* node);
  void Report(SimNode* node, uint64_t life, size_t disk);
  void Obey(SimNode* node, const std::vector<namenode::NodeCommand>& commands);
  void OrderDelete(SimNode* node, const std::vector<Block>& blocks);
  void Delete(SimNode* node, BlockId id);
  void OrderCopy(SimNode* node, const namenode::CopyReplica& order);
  void Copy(SimNode* node, const namenode::CopyReplica& order);
  void Scrub(SimNode* node, uint64_t life, BlockId id);
  void TellBad(SimNode* node, BlockId id);

  // After a fault: the disk's replicas are gone, and the NameNode is told later.
  bool MayLose(SimNode* node, const SimDisk& disk);
  void LoseAll(SimNode* node, SimDisk* disk);
  void ToldOfLosses(SimNode* node);
  bool Place(SimNode* node, BlockId id);  // a good replica; false without room, or if it has one

  const SimOptions options_;
  std::mt19937_64 random_;
  EventQueue events_;
  SimBlocks blocks_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::unique_ptr<namenode::BlockManager> manager_;
  SimCounters counters_;
  std::vector<std::string> broken_;
  TxId txid_ = 0;
  uint64_t starts_ = 0;  // of NameNodes
  uint64_t incarnations_ = 0;
  bool writing_ = true;
};

}  // namespace cairn::sim
