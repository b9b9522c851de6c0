#include "namenode/blocks/placement/chooser.h"

namespace cairn::namenode {
namespace {

class RandomPlacement final : public PlacementPolicy {
 public:
  std::vector<uint32_t> Choose(const ClusterView& view, const PlacementRequest& request,
                               Random& random) override {
    Chooser chooser(view, request, random);
    for (const PlacementTier tier : Tiers(view, request)) {
      while (!chooser.Done() && chooser.Take(tier, view.all())) {
      }
    }
    return std::move(chooser).Result();
  }
};

}  // namespace

std::unique_ptr<PlacementPolicy> NewRandomPlacement() {
  return std::make_unique<RandomPlacement>();
}

}  // namespace cairn::namenode
