#include "tests/sim/cluster_sim.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/nn_call.h"

namespace cairn::sim {

using namenode::BlockChange;
using namenode::ReplicaChange;

namespace {

constexpr int64_t kHeartbeatMs = 3'000;
constexpr int64_t kSecond = 1'000;

}  // namespace

ClusterSim::ClusterSim(const SimOptions& options) : options_(options), random_(options.seed) {
  MakeNodes();
  MakeBlocks();
  Load();
  for (const auto& node : nodes_) {
    const auto phase = static_cast<int64_t>(Draw(kHeartbeatMs));
    events_.After(phase, [this, at = node.get()] { Heartbeat(at, at->life); });
  }
  events_.After(kHeartbeatMs, [this] { Monitor(); });
  if (options_.write_every_ms > 0) events_.After(kSecond, [this] { Write(); });
}

void ClusterSim::MakeNodes() {
  // So that the blocks fill the disks as far as wanted, three replicas of 34 MiB each.
  const uint64_t stored = 3 * options_.blocks * (34ull << 20);
  const uint64_t all_disks = uint64_t{options_.nodes} * options_.disks;
  const uint64_t capacity =
      std::max<uint64_t>(stored * 100 / options_.fill_percent / all_disks, 16ull << 30);
  for (NodeNumber number = 1; number <= options_.nodes; ++number) {
    auto node = std::make_unique<SimNode>();
    namenode::NodeRegistration& self = node->registration;
    self.number = number;
    self.id = fmt::format("node-{}", number);
    self.incarnation = ++incarnations_;
    self.host = fmt::format("host{}", number);
    self.addresses = {fmt::format("{}:9866", self.host)};
    self.rack = fmt::format("/region/rack{}", number % options_.racks);
    for (uint32_t disk = 0; disk < options_.disks; ++disk) {
      const auto storage = static_cast<StorageNumber>((number - 1) * options_.disks + disk + 1);
      self.storages.push_back({storage, fmt::format("storage-{}", storage),
                               fmt::format("/disk{}", disk), capacity, 0, capacity, false});
    }
    node->disks.resize(options_.disks);
    nodes_.push_back(std::move(node));
  }
}

// Three replicas each, not all in one rack.
void ClusterSim::MakeBlocks() {
  for (uint64_t i = 0; i < options_.blocks; ++i) {
    const BlockId id = blocks_.Add();
    std::vector<SimNode*> on;
    while (on.size() < 3) {
      SimNode* const node = nodes_[Draw(nodes_.size())].get();
      const auto same_rack = [node](const SimNode* other) {
        return other->registration.rack == node->registration.rack;
      };
      const bool one_rack = options_.racks > 1 && std::all_of(on.begin(), on.end(), same_rack);
      if ((on.size() == 2 && one_rack) || !Place(node, id)) continue;
      on.push_back(node);
    }
    blocks_[id].replication = 3;
  }
}

void ClusterSim::Load() {
  manager_ = std::make_unique<namenode::BlockManager>(
      namenode::BlockManagerOptions(), events_.clock(), [this] { return txid_; },
      options_.seed + ++starts_);
  Nn([this](namenode::BlockManager& nn) {
    for (const auto& node : nodes_) nn.LoadNode(node->registration, node->admin);
    for (BlockId id = 1; id <= blocks_.size(); ++id) {
      const uint32_t replication = blocks_[id].replication;
      if (replication > 0) nn.LoadBlock(ChangeOf(BlockChange::Kind::kFileClosed, id, replication));
    }
    nn.SetIdLimits(blocks_.size(), SimBlocks::Of(blocks_.size()).generation);
    nn.FinishLoading();
    return 0;
  });
}

void ClusterSim::RestartNameNode() { Load(); }

namenode::BlockCounts ClusterSim::Counts() { return manager_->Report().blocks; }

void ClusterSim::Note(const std::string& what, BlockId id, const SimNode& node) {
  broken_.push_back(fmt::format("at {} s: block {}, node {}: {}",
                                (events_.now_ms() - ManualClock().WallMs()) / kSecond, id,
                                node.number(), what));
}

// --- The namespace ---------------------------------------------------------------------------

void ClusterSim::Push(std::vector<BlockChange> changes) {
  Nn([&](namenode::BlockManager& nn) {
    nn.PushChanges(++txid_, std::move(changes));
    return 0;
  });
}

BlockChange ClusterSim::ChangeOf(BlockChange::Kind kind, BlockId id, uint32_t replication) {
  BlockChange change;
  change.kind = kind;
  change.block = SimBlocks::Of(id);
  change.inode = id;
  change.replication = replication;
  change.block_size = 64ull << 20;
  return change;
}

void ClusterSim::SetAdmin(SimNode* node, AdminState admin) {
  node->admin = admin;
  BlockChange change;
  change.kind = BlockChange::Kind::kAdminState;
  change.node = node->number();
  change.admin = admin;
  Push({change});
}

void ClusterSim::Monitor() {
  events_.After(kHeartbeatMs, [this] { Monitor(); });
  const auto leaving = Nn(
      [](namenode::BlockManager& nn) {
        nn.RunHeartbeatCheck();
        nn.RunReplicationRound();
        nn.RunBalanceRound();
        return nn.FindDecommissioned();
      },
      &counters_.monitor_cpu);
  for (const NodeNumber number : leaving) {
    SetAdmin(nodes_[number - 1].get(), AdminState::kDecommissioned);
  }
}

void ClusterSim::Write() {
  events_.After(options_.write_every_ms, [this] { Write(); });
  if (!writing_ || manager_->InSafeMode()) return;
  const uint64_t what = Draw(10);
  if (what < 4) return Create();
  const BlockId id = AnyBlock();
  if (id == 0) return;
  if (what < 8) return Remove(id);
  Resize(id);
}

void ClusterSim::Create() {
  const auto replication = static_cast<uint32_t>(2 + Draw(3));
  namenode::TargetRequest request;
  request.count = replication;
  request.block_size = 64ull << 20;
  auto targets = Nn([&](namenode::BlockManager& nn) { return nn.ChooseTargets(request); });
  if (!targets.ok()) {
    ++counters_.refused_writes;
    return;
  }
  const BlockId id = blocks_.Add();
  BlockChange opened = ChangeOf(BlockChange::Kind::kOpened, id, replication);
  opened.block.length = 0;
  opened.pipeline.assign(targets->begin(), targets->end());
  Push({std::move(opened)});
  events_.After(
      static_cast<int64_t>(500 + Draw(2'000)),
      [this, id, replication, nodes = *std::move(targets)] { Finish(id, replication, nodes); });
}

// The writer went on without the nodes that failed; without any, it gave up.
void ClusterSim::Finish(BlockId id, uint32_t replication, const std::vector<NodeNumber>& targets) {
  BlockChange finished = ChangeOf(BlockChange::Kind::kFinished, id, replication);
  for (const NodeNumber number : targets) {
    SimNode* const node = nodes_[number - 1].get();
    if (!node->up || node->muted || !Place(node, id)) continue;
    const StorageNumber storage = node->StorageOf(node->DiskOf(id));
    finished.storages.push_back(storage);
    node->unsent.push_back({ReplicaChange::Kind::kReceived, storage, SimBlocks::Of(id)});
  }
  if (finished.storages.empty() || manager_->InSafeMode()) {
    return Push({ChangeOf(BlockChange::Kind::kRemoved, id, 0)});
  }
  blocks_[id].replication = static_cast<uint8_t>(replication);
  ++counters_.written;
  Push({std::move(finished), ChangeOf(BlockChange::Kind::kFileClosed, id, replication)});
}

// One of a file; 0 where none was found.
BlockId ClusterSim::AnyBlock() {
  for (int tries = 0; tries < 50; ++tries) {
    const BlockId id = 1 + Draw(blocks_.size());
    if (blocks_[id].replication > 0) return id;
  }
  return 0;
}

void ClusterSim::Remove(BlockId id) {
  blocks_[id].replication = 0;
  ++counters_.removed;
  Push({ChangeOf(BlockChange::Kind::kRemoved, id, 0)});
}

void ClusterSim::Resize(BlockId id) {
  const auto replication = static_cast<uint32_t>(2 + Draw(3));
  blocks_[id].replication = static_cast<uint8_t>(replication);
  Push({ChangeOf(BlockChange::Kind::kReplication, id, replication)});
}

// --- At rest ---------------------------------------------------------------------------------

bool ClusterSim::RunUntilSound(int64_t ms) {
  for (int64_t left = ms; left > 0; left -= kHeartbeatMs) {
    const namenode::BlockCounts counts = Counts();
    if (!manager_->InSafeMode() && counts.under_replicated + counts.over_replicated == 0 &&
        counts.misplaced + counts.leaving + counts.corrupt + counts.missing == 0) {
      return true;
    }
    RunFor(kHeartbeatMs);
  }
  return false;
}

void ClusterSim::CheckAtRest() {
  for (BlockId id = 1; id <= blocks_.size(); ++id) {
    const BlockTruth& truth = blocks_[id];
    if (truth.replication == 0) continue;
    if (truth.good != truth.replication) {
      broken_.push_back(fmt::format("at rest: block {} has {} good replicas instead of {}", id,
                                    truth.good, truth.replication));
    }
  }
  if (options_.racks < 2) return;
  // A rack of each block's first replica, and whether there is another.
  std::vector<const std::string*> racks(blocks_.size() + 1, nullptr);
  std::vector<bool> spread(blocks_.size() + 1, false);
  for (const auto& node : nodes_) {
    for (const SimDisk& disk : node->disks) {
      for (const uint32_t id : disk.blocks) {
        const std::string*& first = racks[id];
        if (first == nullptr) first = &node->registration.rack;
        if (*first != node->registration.rack) spread[id] = true;
      }
    }
  }
  for (BlockId id = 1; id <= blocks_.size(); ++id) {
    if (blocks_[id].replication > 1 && !spread[id]) {
      broken_.push_back(fmt::format("at rest: block {} is in one rack alone", id));
    }
  }
}

}  // namespace cairn::sim
