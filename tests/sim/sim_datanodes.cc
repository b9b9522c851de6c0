// What the DataNodes of a ClusterSim do by themselves, and when they are told to.
#include <algorithm>
#include <utility>
#include <variant>

#include "tests/sim/cluster_sim.h"
#include "tests/sim/nn_call.h"

namespace cairn::sim {

using namenode::ReplicaChange;

namespace {

constexpr int64_t kHeartbeatMs = 3'000;
constexpr uint64_t kReportDelayMs = 30'000;    // after a registration, at most
constexpr int64_t kDeleteTimeoutMs = 300'000;  // BlockManagerOptions::delete_timeout_ms

}  // namespace

void ClusterSim::Heartbeat(SimNode* node, uint64_t life) {
  if (node->life != life) return;
  events_.After(kHeartbeatMs, [this, node, life] { Heartbeat(node, life); });
  if (node->muted) return;
  if (!Talk(node)) Register(node);
}

bool ClusterSim::Talk(SimNode* node) {
  ++counters_.heartbeats;
  const namenode::NodeRegistration& self = node->registration;
  if (!node->unsent.empty()) {
    const absl::Status told = Nn([&](namenode::BlockManager& nn) {
      return nn.IncrementalReport(self.id, self.incarnation, node->sequence + 1, node->unsent);
    });
    if (!told.ok()) return false;
    ++node->sequence;
    node->unsent.clear();
  }
  namenode::HeartbeatReport report;
  for (size_t i = 0; i < node->disks.size(); ++i) {
    namenode::StorageReport storage = self.storages[i];
    storage.used_bytes = node->disks[i].used_bytes;
    storage.remaining_bytes = node->Remaining(node->disks[i]);
    storage.failed = node->disks[i].failed;
    report.storages.push_back(std::move(storage));
  }
  const auto commands = Nn(
      [&](namenode::BlockManager& nn) { return nn.Heartbeat(self.id, self.incarnation, report); });
  if (!commands.ok()) return false;
  ToldOfLosses(node);
  Obey(node, *commands);
  return true;
}

void ClusterSim::Register(SimNode* node) {
  namenode::NodeRegistration registration = node->registration;
  for (size_t i = 0; i < node->disks.size(); ++i) {
    registration.storages[i].used_bytes = node->disks[i].used_bytes;
    registration.storages[i].remaining_bytes = node->Remaining(node->disks[i]);
    registration.storages[i].failed = node->disks[i].failed;
  }
  const absl::Status registered =
      Nn([&](namenode::BlockManager& nn) { return nn.Register(registration); });
  if (!registered.ok()) return;  // with the next heartbeat
  ToldOfLosses(node);            // from now on it knows that it does not know
  for (size_t i = 0; i < node->disks.size(); ++i) {
    events_.After(static_cast<int64_t>(Draw(kReportDelayMs)),
                  [this, node, life = node->life, i] { Report(node, life, i); });
  }
}

void ClusterSim::Report(SimNode* node, uint64_t life, size_t index) {
  const SimDisk& disk = node->disks[index];
  if (node->life != life || node->muted || disk.failed) return;
  std::vector<namenode::ReplicaRecord> records;
  records.reserve(disk.blocks.size());
  for (const uint32_t id : disk.blocks) {
    if (node->deleting.contains(id))
      continue;  // its file may be there yet, and come back by a crash
    Block block = SimBlocks::Of(id);
    if (node->known_bad.contains(id)) --block.length;
    records.push_back({block});
  }
  std::sort(records.begin(), records.end(),
            [](const auto& a, const auto& b) { return a.block.id < b.block.id; });
  counters_.reported_replicas += records.size();
  const namenode::NodeRegistration& self = node->registration;
  const StorageNumber storage = self.storages[index].number;
  Nn(
      [&](namenode::BlockManager& nn) {
        return nn.FullReportPiece(self.id, self.incarnation, storage, /*first=*/true, /*last=*/true,
                                  records);
      },
      &counters_.report_cpu)
      .IgnoreError();  // who is not known registers with the next heartbeat, and reports again
}

// --- Orders ----------------------------------------------------------------------------------

void ClusterSim::Obey(SimNode* node, const std::vector<namenode::NodeCommand>& commands) {
  for (const namenode::NodeCommand& command : commands) {
    if (const auto* deletes = std::get_if<namenode::DeleteReplicas>(&command)) {
      OrderDelete(node, deletes->blocks);
    } else if (const auto* copy = std::get_if<namenode::CopyReplica>(&command)) {
      OrderCopy(node, *copy);
    } else if (const auto* report = std::get_if<namenode::SendFullReport>(&command)) {
      for (size_t i = 0; i < node->disks.size(); ++i) {
        const auto& storages = report->storages;
        const StorageNumber number = node->registration.storages[i].number;
        if (std::find(storages.begin(), storages.end(), number) == storages.end()) continue;
        events_.After(static_cast<int64_t>(Draw(2'000)),
                      [this, node, life = node->life, i] { Report(node, life, i); });
      }
    }
  }
}

void ClusterSim::OrderDelete(SimNode* node, const std::vector<Block>& blocks) {
  for (const Block& block : blocks) {
    const auto key = static_cast<uint32_t>(block.id);
    const auto [order, is_new] =
        node->deleting.try_emplace(key, SimOrder{events_.now_ms(), starts_});
    if (!is_new) {
      const bool forgotten = events_.now_ms() - order->second.at_ms >= kDeleteTimeoutMs;
      // Another NameNode does not know what the one before it has ordered.
      if (!forgotten && order->second.namenode == starts_) {
        Note("ordered to be deleted again, the first order was under way", block.id, *node);
      }
      continue;
    }
    BlockTruth& truth = blocks_[block.id];
    if (node->HoldsGood(block.id)) {
      ++truth.deleting;
      if (truth.replication > 0 && truth.deleting >= truth.good) {
        Note("the last good replica is ordered to be deleted", block.id, *node);
      } else if (!truth.silent && truth.good < truth.deleting + truth.replication) {
        Note("an order leaves too few good replicas", block.id, *node);
      }
    }
    events_.After(static_cast<int64_t>(100 + Draw(10'000)),
                  [this, node, life = node->life, id = block.id] {
                    if (node->life == life) Delete(node, id);
                  });
  }
}

void ClusterSim::Delete(SimNode* node, BlockId id) {
  const auto key = static_cast<uint32_t>(id);
  node->deleting.erase(key);
  ++counters_.deletions;
  SimDisk* const disk = node->DiskOf(id);
  if (disk == nullptr) return;
  if (node->HoldsGood(id)) {
    --blocks_[id].deleting;
    if (!blocks_.Lose(id)) Note("the last good replica was deleted", id, *node);
  }
  disk->blocks.erase(key);
  disk->used_bytes -= SimBlocks::Of(id).length;
  if (node->rotten.erase(key) > 0) blocks_[id].silent = false;
  node->known_bad.erase(key);
  node->unsent.push_back({ReplicaChange::Kind::kDeleted, node->StorageOf(disk), SimBlocks::Of(id)});
}

void ClusterSim::OrderCopy(SimNode* node, const namenode::CopyReplica& order) {
  const auto ms = static_cast<int64_t>(order.block.length / node->bytes_per_ms);
  node->busy_until_ms = std::max(node->busy_until_ms, events_.now_ms()) + ms;
  events_.After(node->busy_until_ms - events_.now_ms(), [this, node, life = node->life, order] {
    if (node->life == life) Copy(node, order);
  });
}

void ClusterSim::Copy(SimNode* node, const namenode::CopyReplica& order) {
  const BlockId id = order.block.id;
  if (!node->HoldsGood(id) || node->deleting.contains(static_cast<uint32_t>(id))) {
    ++counters_.failed_copies;
    if (node->rotten.contains(static_cast<uint32_t>(id))) TellBad(node, id);
    return;
  }
  for (const namenode::NodeAddress& address : order.targets) {
    SimNode* const target = nodes_[address.number - 1].get();
    if (!target->up || !Place(target, id)) {
      ++counters_.failed_copies;
      continue;
    }
    ++counters_.copies;
    target->unsent.push_back(
        {ReplicaChange::Kind::kReceived, target->StorageOf(target->DiskOf(id)), SimBlocks::Of(id)});
  }
}

bool ClusterSim::Place(SimNode* node, BlockId id) {
  const uint64_t length = SimBlocks::Of(id).length;
  SimDisk* const disk = node->DiskFor(length);
  if (disk == nullptr || node->DiskOf(id) != nullptr) return false;
  disk->blocks.insert(static_cast<uint32_t>(id));
  disk->used_bytes += length;
  ++blocks_[id].good;
  return true;
}

// --- Rot -------------------------------------------------------------------------------------

void ClusterSim::Scrub(SimNode* node, uint64_t life, BlockId id) {
  if (!node->rotten.contains(static_cast<uint32_t>(id))) return;
  if (node->life != life || node->muted) {  // it is read again after the start
    events_.After(60'000, [this, node, id] { Scrub(node, node->life, id); });
    return;
  }
  TellBad(node, id);
}

void ClusterSim::TellBad(SimNode* node, BlockId id) {
  const namenode::NodeRegistration& self = node->registration;
  const StorageNumber storage = node->StorageOf(node->DiskOf(id));
  const absl::Status told = Nn([&](namenode::BlockManager& nn) {
    return nn.BadReplica(self.id, self.incarnation, storage, SimBlocks::Of(id));
  });
  if (!told.ok()) {
    events_.After(60'000, [this, node, id] { Scrub(node, node->life, id); });
    return;
  }
  node->rotten.erase(static_cast<uint32_t>(id));
  node->known_bad.insert(static_cast<uint32_t>(id));
  node->gone.push_back(static_cast<uint32_t>(id));
  ToldOfLosses(node);
}

}  // namespace cairn::sim
