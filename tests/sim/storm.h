// What goes wrong in a ClusterSim: nodes die and come back, with their replicas or without, whole
// racks go, disks fail, fill up and slow down, bytes rot, heartbeats get lost, nodes are taken out
// of service, the NameNode is started anew. Then calm: everything works again, and the cluster must
// heal.
//
// Faults are drawn from the cluster's seed. At most a fifth of the nodes are down or leaving at a
// time, beside one rack. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "tests/sim/cluster_sim.h"

namespace cairn::sim {

class Storm {
 public:
  static constexpr std::array<std::string_view, 10> kFaults = {
      "crash", "rack", "mute", "wipe", "disk", "rot", "full", "slow", "leave", "namenode"};

  // A fault every `every_ms`, on average.
  Storm(ClusterSim* sim, int64_t every_ms);

  // No more faults; all that is broken is mended, and what rotted is found. Then the cluster has
  // `ms` to come to rest: false, if it did not.
  bool CalmDown(int64_t ms);
  // How many of each kind happened.
  const std::array<uint64_t, kFaults.size()>& happened() const { return happened_; }

 private:
  void Next();
  bool Happen(size_t fault);
  bool CrashOne(bool wipe);
  bool CrashRack();
  bool Hinder(size_t fault);
  bool Leave();
  SimNode* Any() { return sim_->nodes()[sim_->Draw(sim_->nodes().size())].get(); }
  // Of a node that goes now: whether as few others are out.
  bool MayGo(const SimNode* node) const;
  int64_t Seconds(uint64_t least, uint64_t most) {
    return static_cast<int64_t>(1000 * (least + sim_->Draw(most - least)));
  }

  ClusterSim* const sim_;
  const int64_t every_ms_;
  bool calm_ = false;
  std::array<uint64_t, kFaults.size()> happened_ = {};
};

}  // namespace cairn::sim
