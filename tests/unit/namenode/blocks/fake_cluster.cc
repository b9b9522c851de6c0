#include "tests/unit/namenode/blocks/fake_cluster.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace cairn::namenode {

FakeCluster::FakeCluster(BlockManagerOptions options) : options_(std::move(options)) {
  manager_ = std::make_unique<BlockManager>(
      options_, &clock_, [this] { return durable_; }, 7);
  manager_->FinishLoading();
}

void FakeCluster::RestartNameNode() {
  manager_ = std::make_unique<BlockManager>(
      options_, &clock_, [this] { return durable_; }, 8);
  for (const auto& node : nodes_) manager_->LoadNode(node->registration, node->admin);
  for (const auto& [id, change] : blocks_) manager_->LoadBlock(change);
  manager_->SetIdLimits(next_block_ - 1, next_generation_ - 1);
  manager_->FinishLoading();
}

FakeNode& FakeCluster::AddNode(const std::string& rack, bool report) {
  auto node = std::make_unique<FakeNode>();
  const NodeNumber number = static_cast<NodeNumber>(nodes_.size()) + 1;
  node->registration.number = number;
  node->registration.id = fmt::format("node-{}", number);
  node->registration.incarnation = next_incarnation_++;
  node->registration.addresses = {fmt::format("host{}:9866", number)};
  node->registration.rack = rack;
  node->registration.host = fmt::format("host{}", number);
  for (const StorageNumber storage : {2 * number, 2 * number + 1}) {
    node->registration.storages.push_back({storage, fmt::format("storage-{}", storage),
                                           fmt::format("/disk{}", storage), 1000 * kMiB, 0,
                                           1000 * kMiB, false});
  }
  nodes_.push_back(std::move(node));
  EXPECT_TRUE(Register(*nodes_.back()).ok());
  if (report) EXPECT_TRUE(FullReport(*nodes_.back()).ok());
  return *nodes_.back();
}

absl::Status FakeCluster::Register(FakeNode& node) { return manager_->Register(node.registration); }

absl::Status FakeCluster::FullReport(FakeNode& node) {
  std::vector<ReplicaRecord> records;
  for (const auto& [id, replica] : node.disk) {
    records.push_back({replica.block, replica.open, replica.waiting});
  }
  const NodeRegistration& self = node.registration;
  absl::Status status =
      manager_->FullReportPiece(self.id, self.incarnation, node.storage(), true, true, records);
  for (size_t i = 1; status.ok() && i < self.storages.size(); ++i) {
    status = manager_->FullReportPiece(self.id, self.incarnation, self.storages[i].number, true,
                                       true, {});
  }
  return status;
}

absl::Status FakeCluster::Beat(FakeNode& node) {
  if (counts_space_) {
    StorageReport& storage = node.registration.storages[0];
    storage.used_bytes = 0;
    for (const auto& [id, replica] : node.disk) storage.used_bytes += replica.block.length;
    storage.remaining_bytes =
        storage.capacity_bytes - std::min(storage.capacity_bytes, storage.used_bytes);
  }
  HeartbeatReport report = node.heartbeat;
  report.storages = node.registration.storages;
  node.heartbeat.failed_copies.clear();
  const auto commands =
      manager_->Heartbeat(node.registration.id, node.registration.incarnation, report);
  if (commands.ok()) Obey(node, *commands);
  return commands.status();
}

void FakeCluster::Obey(FakeNode& node, const std::vector<NodeCommand>& commands) {
  for (const NodeCommand& command : commands) {
    if (const auto* deletes = std::get_if<DeleteReplicas>(&command)) {
      for (const Block& block : deletes->blocks) {
        node.deleted.push_back(block);
        const auto it = node.disk.find(block.id);
        if (it != node.disk.end() && it->second.block.generation == block.generation) {
          node.disk.erase(it);
        }
        node.unsent.push_back({ReplicaChange::Kind::kDeleted, node.storage(), block});
      }
    } else if (const auto* copy = std::get_if<CopyReplica>(&command)) {
      node.copies.push_back(*copy);
      if (!node.disk.contains(copy->block.id)) continue;
      for (const NodeAddress& target : copy->targets) {
        FakeNode& to = this->node(target.number);
        // A node keeps one replica of a block: what it has, it keeps until it is told to delete it.
        if (to.disk.contains(copy->block.id)) {
          ++refused_copies_;
        } else if (to.up) {
          Receive(to, copy->block);
        }
      }
    } else if (const auto* recovery = std::get_if<RecoverBlock>(&command)) {
      node.recoveries.push_back(*recovery);
    } else {
      node.asked.push_back(std::get<SendFullReport>(command));
    }
  }
}

absl::Status FakeCluster::SendIncremental(FakeNode& node) {
  return Replay(node, ++node.sequence, std::exchange(node.unsent, {}));
}

absl::Status FakeCluster::Replay(const FakeNode& node, uint64_t sequence,
                                 const std::vector<ReplicaChange>& changes) {
  const NodeRegistration& self = node.registration;
  return manager_->IncrementalReport(self.id, self.incarnation, sequence, changes);
}

void FakeCluster::Receive(FakeNode& node, const Block& block) {
  node.disk[block.id] = {block};
  node.unsent.push_back({ReplicaChange::Kind::kReceived, node.storage(), block});
}

void FakeCluster::Write(FakeNode& node, const Block& block) {
  node.disk[block.id] = {block, /*open=*/true};
}

void FakeCluster::Leave(FakeNode& node, BlockId block) {
  FakeReplica& replica = node.disk.at(block);
  replica.waiting = true;
  node.unsent.push_back({ReplicaChange::Kind::kWaiting, node.storage(), replica.block});
}

void FakeCluster::SetAdmin(FakeNode& node, AdminState admin) {
  node.admin = admin;
  BlockChange change;
  change.kind = BlockChange::Kind::kAdminState;
  change.node = node.number();
  change.admin = admin;
  Push({change});
  manager_->RunHeartbeatCheck();  // judges its blocks anew
}

DataNodeReport FakeCluster::ReportOf(const FakeNode& node) {
  return manager_->Report().datanodes.at(node.number() - 1);
}

void FakeCluster::Restart(FakeNode& node) {
  node.registration.incarnation = next_incarnation_++;
  node.unsent.clear();
  node.sequence = 0;
  node.up = true;
  for (auto& [id, replica] : node.disk) replica.waiting = replica.open;
  EXPECT_TRUE(Register(node).ok());
  EXPECT_TRUE(FullReport(node).ok());
}

TxId FakeCluster::Push(std::vector<BlockChange> changes, bool durable) {
  const TxId txid = next_txid_++;
  manager_->PushChanges(txid, std::move(changes));
  if (durable) durable_ = txid;
  return txid;
}

Block FakeCluster::NewBlock(uint64_t length) { return {next_block_++, next_generation_++, length}; }

BlockChange FakeCluster::Change(BlockChange::Kind kind, const Block& block,
                                uint32_t replication) const {
  BlockChange change;
  change.kind = kind;
  change.block = block;
  change.inode = block.id + 10'000;
  change.replication = replication;
  change.block_size = 128 * kMiB;
  return change;
}

Block FakeCluster::AddBlock(std::vector<NodeNumber> nodes, uint32_t replication, bool report,
                            uint64_t length) {
  const Block block = NewBlock(length);
  BlockChange opened = Change(BlockChange::Kind::kOpened, block, replication);
  opened.pipeline.assign(nodes.begin(), nodes.end());
  BlockChange finished = Change(BlockChange::Kind::kFinished, block, replication);
  for (const NodeNumber number : nodes) finished.storages.push_back(node(number).storage());
  const BlockChange closed = Change(BlockChange::Kind::kFileClosed, block, replication);
  Push({opened});
  for (const NodeNumber number : nodes) {
    Receive(node(number), block);
    if (report) EXPECT_TRUE(SendIncremental(node(number)).ok());
  }
  Push({finished, closed});
  blocks_[block.id] = closed;
  return block;
}

void FakeCluster::Remove(const Block& block) {
  Push({Change(BlockChange::Kind::kRemoved, block, 0)});
  blocks_.erase(block.id);
}

void FakeCluster::SetReplication(const Block& block, uint32_t replication) {
  Push({Change(BlockChange::Kind::kReplication, block, replication)});
  blocks_.at(block.id).replication = replication;
}

void FakeCluster::Open(const Block& block, std::vector<NodeNumber> pipeline, uint32_t replication) {
  BlockChange opened = Change(BlockChange::Kind::kOpened, block, replication);
  opened.pipeline.assign(pipeline.begin(), pipeline.end());
  Push({opened});
  blocks_[block.id] = opened;
}

void FakeCluster::Finish(const Block& block, const std::vector<NodeNumber>& nodes,
                         uint32_t replication) {
  BlockChange finished = Change(BlockChange::Kind::kFinished, block, replication);
  for (const NodeNumber number : nodes) finished.storages.push_back(node(number).storage());
  const BlockChange closed = Change(BlockChange::Kind::kFileClosed, block, replication);
  Push({finished, closed});
  blocks_[block.id] = closed;
}

void FakeCluster::Run(int64_t ms) {
  for (int64_t left = ms; left > 0; left -= options_.heartbeat_interval_ms) {
    clock_.AdvanceMs(std::min(left, options_.heartbeat_interval_ms));
    for (const auto& node : nodes_) {
      if (!node->up) continue;
      if (!Beat(*node).ok()) Restart(*node);
      EXPECT_TRUE(SendIncremental(*node).ok());
    }
    manager_->RunHeartbeatCheck();
    manager_->RunReplicationRound();
    manager_->RunBalanceRound();
    EndDecommissions();
  }
}

void FakeCluster::EndDecommissions() {
  for (const NodeNumber number : manager_->FindDecommissioned()) {
    CheckDispensable(node(number));
    SetAdmin(node(number), AdminState::kDecommissioned);
  }
}

void FakeCluster::CheckDispensable(const FakeNode& gone) {
  if (ReportOf(gone).state == NodeState::kFailed) return;  // what it holds is not known
  for (const auto& [id, change] : blocks_) {
    const auto it = gone.disk.find(id);
    if (change.kind == BlockChange::Kind::kOpened) {
      EXPECT_EQ(std::count(change.pipeline.begin(), change.pipeline.end(), gone.number()), 0)
          << "block " << id << " is being written there";
      continue;
    }
    if (it == gone.disk.end() || it->second.block != change.block) continue;
    uint32_t resting = 0;
    for (const auto& other : nodes_) {
      const bool has = other->admin == AdminState::kMaintenance && other->disk.contains(id);
      resting += has ? 1 : 0;
    }
    uint32_t staying = 0;
    for (const NodeNumber number : Where(change.block)) {
      staying += node(number).admin == AdminState::kInService ? 1 : 0;
    }
    EXPECT_GE(staying + resting, change.replication) << "block " << id;
    EXPECT_GE(staying, 1u) << "block " << id;
  }
}

bool FakeCluster::RunUntilSound(int steps) {
  for (int i = 0; i < steps; ++i) {
    const BlockCounts counts = Counts();
    if (counts.under_replicated + counts.over_replicated + counts.misplaced == 0) return true;
    Run(options_.heartbeat_interval_ms);
  }
  return false;
}

std::vector<NodeNumber> FakeCluster::Where(const Block& block) {
  std::vector<NodeNumber> numbers;
  for (const NodeAddress& node : manager_->Locate(block.id, "", "").nodes) {
    numbers.push_back(node.number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace cairn::namenode
