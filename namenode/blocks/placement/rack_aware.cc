#include <algorithm>

#include "namenode/blocks/placement/chooser.h"

namespace cairn::namenode {
namespace {

class RackAware final : public PlacementPolicy {
 public:
  std::vector<uint32_t> Choose(const ClusterView& view, const PlacementRequest& request,
                               Random& random) override {
    Chooser chooser(view, request, random);
    while (!chooser.Done() && TakeNext(chooser, request)) {
    }
    return std::move(chooser).Result();
  }

  bool Spread(const ClusterView& view, absl::Span<const uint32_t> holders) const override {
    if (holders.size() < 2) return true;
    const PlacementNode& first = view.node(holders[0]);
    const auto outside = [&](const std::vector<uint32_t>& inside) {
      return inside.size() < view.size();
    };
    return !(outside(view.in_region(first.region)) &&
             AllInOne(view, holders, &PlacementNode::region)) &&
           !(outside(view.in_rack(first.rack)) && AllInOne(view, holders, &PlacementNode::rack));
  }

 private:
  static bool AllInOne(const ClusterView& view, absl::Span<const uint32_t> holders,
                       uint32_t PlacementNode::*domain) {
    return std::all_of(holders.begin(), holders.end(), [&](uint32_t holder) {
      return view.node(holder).*domain == view.node(holders[0]).*domain;
    });
  }

  static bool TakeNext(Chooser& chooser, const PlacementRequest& request) {
    const ClusterView& view = chooser.view();
    const absl::Span<const uint32_t> holders = chooser.holders();
    if (holders.empty()) return TakeNear(chooser, request);
    const PlacementNode& first = view.node(holders[0]);
    // A lost region, or rack, must not take every replica.
    if (AllInOne(view, holders, &PlacementNode::region) &&
        TakeOutside(chooser, request, &PlacementNode::region, view.in_region(first.region))) {
      return true;
    }
    if (AllInOne(view, holders, &PlacementNode::rack) &&
        TakeOutside(chooser, request, &PlacementNode::rack, view.in_rack(first.rack))) {
      return true;
    }
    if (holders.size() == 2) return TakeBeside(chooser, request, view.node(holders[1]).rack);
    return TakeSpread(chooser, request);
  }

  // The writer's node, its rack, anywhere.
  static bool TakeNear(Chooser& chooser, const PlacementRequest& request) {
    const ClusterView& view = chooser.view();
    const std::vector<uint32_t>& host = view.on_host(request.writer_host);
    for (const PlacementTier tier : Tiers(chooser.view(), request)) {
      if (chooser.Take(tier, host)) return true;
      if (!host.empty() && chooser.Take(tier, view.in_rack(view.node(host[0]).rack))) return true;
      if (chooser.Take(tier, view.in_rack(request.writer_rack))) return true;
      if (chooser.Take(tier, view.all())) return true;
    }
    return false;
  }

  // A node of another domain (region or rack) than that of `inside`, even one of a worse tier.
  static bool TakeOutside(Chooser& chooser, const PlacementRequest& request,
                          uint32_t PlacementNode::*domain, const std::vector<uint32_t>& inside) {
    const ClusterView& view = chooser.view();
    if (inside.size() == view.size()) return false;  // no need to look at every node
    const uint32_t taken = view.node(inside[0]).*domain;
    const auto outside = [&](const PlacementNode& node) { return node.*domain != taken; };
    for (const PlacementTier tier : Tiers(view, request)) {
      if (chooser.Take(tier, view.all(), outside)) return true;
    }
    return false;
  }

  static bool TakeBeside(Chooser& chooser, const PlacementRequest& request, uint32_t rack) {
    for (const PlacementTier tier : Tiers(chooser.view(), request)) {
      if (chooser.Take(tier, chooser.view().in_rack(rack))) return true;
      if (chooser.Take(tier, chooser.view().all())) return true;
    }
    return false;
  }

  // HDFS's limit for one rack: (replicas - 1) / racks + 2.
  static bool TakeSpread(Chooser& chooser, const PlacementRequest& request) {
    const ClusterView& view = chooser.view();
    const absl::Span<const uint32_t> holders = chooser.holders();
    const size_t replicas = request.existing.size() + request.count;
    const size_t limit = (replicas - 1) / std::max<size_t>(1, view.racks()) + 2;
    const auto has_room = [&](const PlacementNode& node) {
      const auto beside = [&](uint32_t holder) { return view.node(holder).rack == node.rack; };
      return static_cast<size_t>(std::count_if(holders.begin(), holders.end(), beside)) < limit;
    };
    for (const PlacementTier tier : Tiers(chooser.view(), request)) {
      if (chooser.Take(tier, view.all(), has_room)) return true;
      if (chooser.Take(tier, view.all())) return true;
    }
    return false;
  }
};

}  // namespace

std::unique_ptr<PlacementPolicy> NewRackAwarePlacement() { return std::make_unique<RackAware>(); }

}  // namespace cairn::namenode
