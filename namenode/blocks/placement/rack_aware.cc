#include <algorithm>

#include "namenode/blocks/placement/chooser.h"

namespace cairn::namenode {
namespace {

class RackAware final : public PlacementPolicy {
 public:
  std::vector<uint32_t> Choose(const ClusterView& view, const PlacementRequest& request,
                               Random& random) const override {
    Chooser chooser(view, request, random);
    while (!chooser.Done() && TakeNext(chooser, request)) {
    }
    return std::move(chooser).Result();
  }

 private:
  static bool TakeNext(Chooser& chooser, const PlacementRequest& request) {
    const absl::Span<const uint32_t> holders = chooser.holders();
    const auto rack_of = [&](size_t i) { return chooser.view().node(holders[i]).rack; };
    switch (holders.size()) {
      case 0:
        return TakeNear(chooser, request);
      case 1:
        return TakeElsewhere(chooser, request, rack_of(0));
      case 2:
        if (rack_of(0) == rack_of(1)) return TakeElsewhere(chooser, request, rack_of(0));
        return TakeBeside(chooser, request, rack_of(1));
      default:
        return TakeSpread(chooser, request);
    }
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

  // Another rack, even on a node of a worse tier: a lost rack must not take every replica.
  static bool TakeElsewhere(Chooser& chooser, const PlacementRequest& request, uint32_t rack) {
    if (chooser.view().in_rack(rack).size() == chooser.view().size()) {
      return TakeAnywhere(chooser, request);  // there is no other: no need to look at every node
    }
    for (const PlacementTier tier : Tiers(chooser.view(), request)) {
      const auto elsewhere = [rack](const PlacementNode& node) { return node.rack != rack; };
      if (chooser.Take(tier, chooser.view().all(), elsewhere)) return true;
    }
    return TakeAnywhere(chooser, request);
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

  static bool TakeAnywhere(Chooser& chooser, const PlacementRequest& request) {
    for (const PlacementTier tier : Tiers(chooser.view(), request)) {
      if (chooser.Take(tier, chooser.view().all())) return true;
    }
    return false;
  }
};

}  // namespace

std::unique_ptr<PlacementPolicy> NewRackAwarePlacement() { return std::make_unique<RackAware>(); }

}  // namespace cairn::namenode
