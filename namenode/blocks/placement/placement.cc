#include "namenode/blocks/placement/placement.h"

#include <fmt/format.h>

#include <algorithm>

namespace cairn::namenode {

absl::StatusOr<std::unique_ptr<PlacementPolicy>> NewPlacement(std::string_view name) {
  if (name == "rack_aware") return NewRackAwarePlacement();
  if (name == "random") return NewRandomPlacement();
  return absl::InvalidArgumentError(
      fmt::format("unknown placement '{}'; there are rack_aware and random", name));
}

std::vector<uint32_t> ChooseExcess(const ClusterView& view, std::vector<uint32_t> holders,
                                   uint32_t target) {
  std::vector<uint32_t> excess;
  while (holders.size() > target) {
    const auto shares_rack = [&](uint32_t holder) {
      return std::count_if(holders.begin(), holders.end(), [&](uint32_t other) {
               return view.node(other).rack == view.node(holder).rack;
             }) > 1;
    };
    // Whether `a` should rather go than `b`.
    const auto goes_before = [&](uint32_t a, uint32_t b) {
      const bool a_shares = shares_rack(a), b_shares = shares_rack(b);
      if (a_shares != b_shares) return a_shares;
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
