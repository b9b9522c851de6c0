#include "namenode/blocks/placement/placement.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn::namenode {

absl::StatusOr<std::unique_ptr<PlacementPolicy>> NewPlacement(std::string_view name) {
  if (name == "rack_aware") return NewRackAwarePlacement();
  if (name == "random") return NewRandomPlacement();
  if (name == "round_robin") return NewRoundRobinPlacement();
  if (name == "least_used") return NewLeastUsedPlacement();
  if (name == "consistent_hash") return NewConsistentHashPlacement();
  return absl::InvalidArgumentError(
      fmt::format("unknown placement '{}'; there are {}", name, fmt::join(kPlacements, ", ")));
}

std::vector<uint32_t> ChooseExcess(const ClusterView& view, std::vector<uint32_t> holders,
                                   uint32_t target) {
  std::vector<uint32_t> excess;
  while (holders.size() > target) {
    // How many failure domains it is alone in.
    const auto alone_in = [&](uint32_t holder) {
      int racks = 0, regions = 0;
      for (const uint32_t other : holders) {
        racks += view.node(other).rack == view.node(holder).rack ? 1 : 0;
        regions += view.node(other).region == view.node(holder).region ? 1 : 0;
      }
      return (racks == 1 ? 1 : 0) + (regions == 1 ? 1 : 0);
    };
    // Whether `a` should rather go than `b`.
    const auto goes_before = [&](uint32_t a, uint32_t b) {
      const int a_alone = alone_in(a), b_alone = alone_in(b);
      if (a_alone != b_alone) return a_alone < b_alone;
      const PlacementNode &x = view.node(a), &y = view.node(b);
      if (x.tier != y.tier) return x.tier > y.tier;
      if (x.FreeFraction() != y.FreeFraction()) return x.FreeFraction() < y.FreeFraction();
      return a < b;
    };
    const auto victim = std::min_element(holders.begin(), holders.end(), goes_before);
    excess.push_back(*victim);
    holders.erase(victim);
  }
  return excess;
}

}  // namespace cairn::namenode
