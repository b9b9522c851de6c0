#include <algorithm>

#include "namenode/blocks/placement/chooser.h"

namespace cairn::namenode {
namespace {

constexpr uint32_t kPointsPerNode = 150;
// Points looked at for one choice, of each tier; where so many nodes in a row do not fit, any does.
constexpr size_t kMaxWalk = 4'096;

// The finalizer of SplitMix64 (Steele, Lea and Flood 2014): every bit of the result depends on
// every bit of `x`.
uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

class ConsistentHash final : public PlacementPolicy {
 public:
  std::vector<uint32_t> Choose(const ClusterView& view, const PlacementRequest& request,
                               Random& random) override {
    AddNewNodes(view);
    Chooser chooser(view, request, random);
    if (ring_.empty()) return std::move(chooser).Result();
    const auto start = std::lower_bound(ring_.begin(), ring_.end(), Point{Mix(request.key), 0});
    const size_t first = static_cast<size_t>(start - ring_.begin());
    const size_t steps = std::min(ring_.size(), kMaxWalk);
    for (const PlacementTier tier : Tiers(view, request)) {
      for (size_t i = 0; i < steps && !chooser.Done(); ++i) {
        (void)chooser.TakeThis(tier, ring_[(first + i) % ring_.size()].node);
      }
      if (steps == ring_.size()) continue;  // all were looked at
      while (!chooser.Done() && chooser.Take(tier, view.all())) {
      }
    }
    return std::move(chooser).Result();
  }

 private:
  struct Point {
    uint64_t hash;
    uint32_t node;  // its index in the view
    friend auto operator<=>(const Point&, const Point&) = default;
  };

  // Nodes never leave the view, and their numbers never change; so the same keys find the same
  // nodes after a restart.
  void AddNewNodes(const ClusterView& view) {
    if (nodes_ == view.size()) return;
    const auto old_points = static_cast<ptrdiff_t>(ring_.size());
    for (; nodes_ < view.size(); ++nodes_) {
      const auto index = static_cast<uint32_t>(nodes_);
      const uint64_t seed = Mix(view.node(index).number);
      for (uint32_t i = 0; i < kPointsPerNode; ++i) ring_.push_back({Mix(seed + i), index});
    }
    std::sort(ring_.begin() + old_points, ring_.end());
    std::inplace_merge(ring_.begin(), ring_.begin() + old_points, ring_.end());
  }

  std::vector<Point> ring_;  // sorted
  size_t nodes_ = 0;         // of the view, that are on the ring
};

}  // namespace

std::unique_ptr<PlacementPolicy> NewConsistentHashPlacement() {
  return std::make_unique<ConsistentHash>();
}

}  // namespace cairn::namenode
