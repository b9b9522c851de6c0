// What a storm does to the DataNodes of a ClusterSim.
#include <algorithm>
#include <utility>
#include <vector>

#include "tests/sim/cluster_sim.h"
#include "tests/sim/nn_call.h"

namespace cairn::sim {

void ClusterSim::Crash(SimNode* node) {
  node->up = false;
  ++node->life;
  for (const auto& [id, order] : node->deleting) {
    if (node->HoldsGood(id)) --blocks_[id].deleting;
  }
  node->deleting.clear();
  node->unsent.clear();
  node->busy_until_ms = 0;
}

void ClusterSim::Start(SimNode* node) {
  node->up = true;
  node->muted = false;
  node->sequence = 0;
  node->registration.incarnation = ++incarnations_;
  Register(node);
  events_.After(1, [this, node, life = node->life] { Heartbeat(node, life); });
}

// What a good replica's loss may not do: take the last one, or be the second of which the NameNode
// does not know.
bool ClusterSim::MayLose(SimNode* node, const SimDisk& disk) {
  for (const uint32_t id : disk.blocks) {
    const BlockTruth& truth = blocks_[id];
    if (truth.replication == 0) continue;
    if (truth.silent) return false;
    const bool good = node->HoldsGood(id);
    const int leaving = node->deleting.contains(id) ? 0 : 1;
    if (good && truth.good - truth.deleting - leaving < 1) return false;
  }
  return true;
}

void ClusterSim::LoseAll(SimNode* node, SimDisk* disk) {
  for (const uint32_t id : disk->blocks) {
    if (node->HoldsGood(id)) {
      if (node->deleting.contains(id)) --blocks_[id].deleting;
      if (!blocks_.Lose(id)) Note("the storm took the last good replica", id, *node);
    }
    blocks_[id].silent = true;
    node->gone.push_back(id);
    node->rotten.erase(id);
    node->known_bad.erase(id);
    node->deleting.erase(id);
  }
  disk->blocks.clear();
  disk->used_bytes = 0;
}

void ClusterSim::ToldOfLosses(SimNode* node) {
  for (const uint32_t id : std::exchange(node->gone, {})) blocks_[id].silent = false;
}

bool ClusterSim::FailDisk(SimNode* node, size_t index) {
  SimDisk& disk = node->disks[index];
  size_t working = 0;
  for (const SimDisk& other : node->disks) working += other.failed ? 0 : 1;
  if (!node->up || disk.failed || working < 2 || !MayLose(node, disk)) return false;
  LoseAll(node, &disk);
  disk.failed = true;
  return true;
}

bool ClusterSim::Wipe(SimNode* node) {
  if (node->up) return false;
  for (const SimDisk& disk : node->disks) {
    if (!MayLose(node, disk)) return false;
  }
  for (SimDisk& disk : node->disks) {
    LoseAll(node, &disk);
    disk.failed = false;
  }
  return true;
}

bool ClusterSim::Rot(SimNode* node, int64_t found_after_ms) {
  SimDisk& disk = node->disks[Draw(node->disks.size())];
  if (disk.blocks.empty()) return false;
  // Any of them, without regard to the order of the set, which differs from run to run.
  const uint64_t draw = Draw(blocks_.size());
  const auto distance = [draw](uint32_t id) { return id > draw ? id - draw : draw - id; };
  const uint32_t key =
      *std::min_element(disk.blocks.begin(), disk.blocks.end(), [&](uint32_t a, uint32_t b) {
        return std::pair(distance(a), a) < std::pair(distance(b), b);
      });
  const BlockId id = key;
  BlockTruth& truth = blocks_[id];
  const bool leaves = node->deleting.contains(key);
  if (truth.replication == 0 || truth.silent || leaves || !node->HoldsGood(id) ||
      truth.good - truth.deleting < 2) {
    return false;
  }
  node->rotten.insert(key);
  --truth.good;
  truth.silent = true;
  events_.After(found_after_ms, [this, node, id] { Scrub(node, node->life, id); });
  return true;
}

void ClusterSim::FindRot(SimNode* node) {
  std::vector<uint32_t> rotten(node->rotten.begin(), node->rotten.end());
  std::sort(rotten.begin(), rotten.end());
  for (const uint32_t id : rotten) TellBad(node, id);
}

}  // namespace cairn::sim
