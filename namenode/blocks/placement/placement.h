// Placement: which DataNodes shall hold the replicas of a block, and which of too many shall go.
//
// Why an interface: clusters differ in what they fear (a lost rack) and what they want (even load).
// Policies are pure planners: a view of the cluster, a request and a random generator in, nodes
// out; no locks, no clock. One interface serves new blocks and repairs. Called by the reported
// state.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "namenode/blocks/placement/cluster_view.h"

namespace cairn::namenode {

using Random = std::mt19937_64;

struct PlacementRequest {
  uint32_t count = 1;              // how many more
  std::vector<uint32_t> existing;  // indices of nodes that hold good replicas already
  std::string_view writer_host;
  std::string_view writer_rack;  // empty: unknown
  uint64_t block_size = 0;       // bytes that must fit
  uint64_t key = 0;              // of the block: a policy that hashes takes the same nodes for it
  PlacementTier worst_tier = PlacementTier::kLastResort;
  absl::FunctionRef<bool(NodeNumber)> allowed;  // besides tier, space and `existing`
};

class PlacementPolicy {
 public:
  virtual ~PlacementPolicy() = default;
  // Indices of at most `count` distinct nodes, in pipeline order; fewer where no more fit. Not
  // const: some policies remember where they are.
  virtual std::vector<uint32_t> Choose(const ClusterView& view, const PlacementRequest& request,
                                       Random& random) = 0;
  // Whether replicas on these nodes (indices) lie as far apart as the policy wants where the view's
  // nodes allow it, dead or alive.
  virtual bool Spread(const ClusterView& view, absl::Span<const uint32_t> holders) const {
    return true;
  }
};

// HDFS's default (BlockPlacementPolicyDefault): the writer's node if it is a DataNode, another
// rack, that other rack again, the rest anywhere with few in one rack. Failure domains are both
// levels of /region/rack: where there are several regions, the other rack is in another region, and
// two replicas or more are never all in one region, nor all in one rack of several.
std::unique_ptr<PlacementPolicy> NewRackAwarePlacement();
// Anywhere; of two random nodes the less loaded one.
std::unique_ptr<PlacementPolicy> NewRandomPlacement();
// One after the other, in the order in which the nodes came.
std::unique_ptr<PlacementPolicy> NewRoundRobinPlacement();
// The least full ones, then the least busy; of 64 random nodes where there are more than 256.
std::unique_ptr<PlacementPolicy> NewLeastUsedPlacement();
// By the block's key on a ring with 150 points a node (Karger 1997; virtual nodes as in Dynamo,
// 2007): with one more node than n, about 1/(n+1) of the keys move, all of them to it. A look-up is
// a binary search and a walk.
std::unique_ptr<PlacementPolicy> NewConsistentHashPlacement();

// What --placement may be.
inline constexpr std::array<std::string_view, 5> kPlacements = {
    "rack_aware", "random", "round_robin", "least_used", "consistent_hash"};

// By the name of --placement; INVALID_ARGUMENT lists the names there are.
absl::StatusOr<std::unique_ptr<PlacementPolicy>> NewPlacement(std::string_view name);

// Of the nodes with a good replica (indices), those to delete it from so that `target` are left:
// the number of regions and of racks is kept where possible, then late and full nodes go first.
std::vector<uint32_t> ChooseExcess(const ClusterView& view, std::vector<uint32_t> holders,
                                   uint32_t target);

}  // namespace cairn::namenode
