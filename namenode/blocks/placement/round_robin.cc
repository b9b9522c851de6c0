#include "namenode/blocks/placement/chooser.h"

namespace cairn::namenode {
namespace {

class RoundRobin final : public PlacementPolicy {
 public:
  std::vector<uint32_t> Choose(const ClusterView& view, const PlacementRequest& request,
                               Random& random) override {
    Chooser chooser(view, request, random);
    const std::vector<uint32_t>& all = view.all();
    const size_t first = next_;
    for (const PlacementTier tier : Tiers(view, request)) {
      for (size_t i = 0; i < all.size() && !chooser.Done(); ++i) {
        const size_t at = (first + i) % all.size();
        if (chooser.TakeThis(tier, all[at])) next_ = at + 1;
      }
    }
    return std::move(chooser).Result();
  }

 private:
  size_t next_ = 0;  // where the search goes on
};

}  // namespace

std::unique_ptr<PlacementPolicy> NewRoundRobinPlacement() { return std::make_unique<RoundRobin>(); }

}  // namespace cairn::namenode
