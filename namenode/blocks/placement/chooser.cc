#include "namenode/blocks/placement/chooser.h"

#include <algorithm>
#include <optional>

namespace cairn::namenode {
namespace {

// Large scopes are probed at random first, so that a choice does not cost a walk over all nodes.
constexpr size_t kProbes = 16;

}  // namespace

bool Chooser::Fits(uint32_t index, PlacementTier tier, Filter filter) const {
  const PlacementNode& node = view_.node(index);
  return node.tier == tier && node.free_bytes >= request_.block_size &&
         std::count(holders_.begin(), holders_.end(), index) == 0 && filter(node) &&
         request_.allowed(node.number);
}

uint32_t Chooser::Cheaper(uint32_t a, uint32_t b) const {
  return view_.node(b).Cost() < view_.node(a).Cost() ? b : a;
}

bool Chooser::Take(PlacementTier tier, const std::vector<uint32_t>& scope, Filter filter) {
  absl::InlinedVector<uint32_t, kProbes> found;  // two of them decide
  if (scope.size() > kProbes) {
    for (size_t i = 0; i < kProbes && found.size() < 2; ++i) {
      const uint32_t index = scope[random_() % scope.size()];
      const bool again = !found.empty() && found[0] == index;
      if (!again && Fits(index, tier, filter)) found.push_back(index);
    }
  }
  if (found.size() < 2) {
    found.clear();
    for (const uint32_t index : scope) {
      if (Fits(index, tier, filter)) found.push_back(index);
    }
    if (found.empty()) return false;
    for (size_t i = 0; i < std::min<size_t>(2, found.size()); ++i) {
      std::swap(found[i], found[i + random_() % (found.size() - i)]);
    }
  }
  Add(found.size() == 1 ? found[0] : Cheaper(found[0], found[1]));
  return true;
}

void Chooser::Add(uint32_t index) {
  chosen_.push_back(index);
  holders_.push_back(index);
}

bool Chooser::TakeThis(PlacementTier tier, uint32_t index) {
  if (!Fits(index, tier)) return false;
  Add(index);
  return true;
}

bool Chooser::TakeLeast(PlacementTier tier, const std::vector<uint32_t>& scope, Less less) {
  if (scope.empty()) return false;
  std::optional<uint32_t> best;
  const auto look_at = [&](uint32_t index) {
    if (!Fits(index, tier)) return;
    if (!best || less(view_.node(index), view_.node(*best))) best = index;
  };
  if (scope.size() > kExactScope) {
    for (size_t i = 0; i < kSample; ++i) look_at(scope[random_() % scope.size()]);
  }
  if (!best) {
    const size_t first = random_() % scope.size();
    for (size_t i = 0; i < scope.size(); ++i) look_at(scope[(first + i) % scope.size()]);
  }
  if (best) Add(*best);
  return best.has_value();
}

TierList Tiers(const ClusterView& view, const PlacementRequest& request) {
  TierList tiers;
  for (const PlacementTier tier :
       {PlacementTier::kPreferred, PlacementTier::kSecondary, PlacementTier::kLastResort}) {
    if (tier <= request.worst_tier && view.of_tier(tier) > 0) tiers.push_back(tier);
  }
  return tiers;
}

}  // namespace cairn::namenode
