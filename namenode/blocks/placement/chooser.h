// The part that placement policies share: finding one fitting node among some, better ones first.
// Lives for one choice; not thread-safe.
#pragma once

#include <algorithm>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "namenode/blocks/placement/placement.h"

namespace cairn::namenode {

class Chooser {
 public:
  using Filter = absl::FunctionRef<bool(const PlacementNode&)>;

  Chooser(const ClusterView& view, const PlacementRequest& request, Random& random)
      : view_(view),
        request_(request),
        random_(random),
        holders_(request.existing.begin(), request.existing.end()) {
    chosen_.reserve(std::min<size_t>(request.count, view.size()));
  }

  const ClusterView& view() const { return view_; }
  // Those of the request first, then the chosen ones.
  absl::Span<const uint32_t> holders() const { return holders_; }
  bool Done() const { return chosen_.size() >= request_.count; }
  // Takes one fitting node of exactly this tier among `scope`, the cheaper of two random ones (the
  // power of two choices: Mitzenmacher 2001). False when there is none.
  bool Take(PlacementTier tier, const std::vector<uint32_t>& scope, Filter filter);
  bool Take(PlacementTier tier, const std::vector<uint32_t>& scope) {
    return Take(tier, scope, [](const PlacementNode&) { return true; });
  }
  // Takes exactly this node, if it fits.
  bool TakeThis(PlacementTier tier, uint32_t index);
  // Takes the fitting node of this tier that is less than all others by `less`; equal ones at
  // random. Scopes of more than kExactScope nodes are judged by kSample random ones, if any fits.
  using Less = absl::FunctionRef<bool(const PlacementNode&, const PlacementNode&)>;
  static constexpr size_t kExactScope = 256;
  static constexpr size_t kSample = 64;
  bool TakeLeast(PlacementTier tier, const std::vector<uint32_t>& scope, Less less);
  std::vector<uint32_t> Result() && { return std::move(chosen_); }

 private:
  bool Fits(uint32_t index, PlacementTier tier, Filter filter) const;
  bool Fits(uint32_t index, PlacementTier tier) const {
    return Fits(index, tier, [](const PlacementNode&) { return true; });
  }
  uint32_t Cheaper(uint32_t a, uint32_t b) const;
  void Add(uint32_t index);

  const ClusterView& view_;
  const PlacementRequest& request_;
  Random& random_;
  absl::InlinedVector<uint32_t, 8> holders_;
  std::vector<uint32_t> chosen_;
};

// Every tier that the request allows and that has nodes, best first.
using TierList = absl::InlinedVector<PlacementTier, 4>;
TierList Tiers(const ClusterView& view, const PlacementRequest& request);

}  // namespace cairn::namenode
