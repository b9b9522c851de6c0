#include "namenode/blocks/placement/chooser.h"

namespace cairn::namenode {
namespace {

bool LessUsed(const PlacementNode& a, const PlacementNode& b) {
  if (a.FreeFraction() != b.FreeFraction()) return a.FreeFraction() > b.FreeFraction();
  return a.transfers < b.transfers;
}

class LeastUsed final : public PlacementPolicy {
 public:
  std::vector<uint32_t> Choose(const ClusterView& view, const PlacementRequest& request,
                               Random& random) override {
    Chooser chooser(view, request, random);
    for (const PlacementTier tier : Tiers(view, request)) {
      while (!chooser.Done() && chooser.TakeLeast(tier, view.all(), LessUsed)) {
      }
    }
    return std::move(chooser).Result();
  }
};

}  // namespace

std::unique_ptr<PlacementPolicy> NewLeastUsedPlacement() { return std::make_unique<LeastUsed>(); }

}  // namespace cairn::namenode
