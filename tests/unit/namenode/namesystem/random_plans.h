// Random plans over a small namespace, for histories that are cut off anywhere: all that clients do
// to files, and what the NameNode does by itself. Chosen from the state that they are planned on,
// so that most of them succeed. Deterministic by seed; not thread-safe.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "namenode/namespace/fs_state.h"
#include "namenode/namespace/plan.h"

namespace cairn::namenode {

class RandomPlans {
 public:
  explicit RandomPlans(uint32_t seed) : random_(seed) {}

  uint32_t Pick(uint32_t n) { return static_cast<uint32_t>(random_() % n); }

  // A call of the client that `holder` stands for.
  Planned Client(const FsState& state, const ClientId& holder, const Facts& facts);
  // Take-overs, recoveries, reclaiming, counters.
  Planned Own(const FsState& state);

 private:
  std::string Path();
  std::string KnownFile(const FsState& state);
  INodeId HeldFile(const FsState& state, const ClientId& holder);
  std::vector<FinishedBlock> Finished(const FsState& state, INodeId inode, bool last_may_be_short);

  Planned Tree(const FsState& state, const Facts& facts);
  Planned Create(const FsState& state, const ClientId& holder, const Facts& facts);
  Planned Reopen(const FsState& state, const ClientId& holder, Facts facts);
  Planned Write(const FsState& state, INodeId inode, const ClientId& holder, const Facts& facts);
  Planned Pipeline(const FsState& state, INodeId inode, const ClientId& holder, const Facts& facts);
  Planned Recovery(const FsState& state);

  std::mt19937 random_;
  const Caller root_{"root", {}, true};
};

}  // namespace cairn::namenode
