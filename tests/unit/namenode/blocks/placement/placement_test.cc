#include "namenode/blocks/placement/placement.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr uint64_t kGiB = 1ull << 30;

class PlacementTest : public ::testing::Test {
 protected:
  // `nodes` nodes in each of `racks` racks, all alike; node i lives on host "h<i>".
  void Build(int racks, int nodes) {
    for (int rack = 0; rack < racks; ++rack) {
      for (int i = 0; i < nodes; ++i) Add(fmt::format("/r{}", rack));
    }
  }
  uint32_t Add(const std::string& rack) {
    const uint32_t number = static_cast<uint32_t>(view_.size()) + 1;
    const uint32_t index = view_.Add(number, rack, fmt::format("h{}", number - 1));
    view_.SetTier(index, PlacementTier::kPreferred);
    view_.SetLoad(index, 100 * kGiB, 80 * kGiB, 0);
    return index;
  }
  std::vector<uint32_t> Choose(uint32_t count, std::string host = "",
                               std::vector<uint32_t> existing = {}) {
    const auto allowed = [&](NodeNumber node) { return !excluded_.contains(node); };
    const PlacementRequest request{.count = count,
                                   .existing = std::move(existing),
                                   .writer_host = host,
                                   .writer_rack = writer_rack_,
                                   .block_size = kGiB,
                                   .key = key_,
                                   .worst_tier = worst_tier_,
                                   .allowed = allowed};
    return policy_->Choose(view_, request, random_);
  }
  uint32_t Rack(uint32_t index) const { return view_.node(index).rack; }
  size_t Regions(const std::vector<uint32_t>& nodes) const {
    std::set<uint32_t> regions;
    for (const uint32_t node : nodes) regions.insert(view_.node(node).region);
    return regions.size();
  }
  size_t Racks(const std::vector<uint32_t>& nodes) const {
    std::set<uint32_t> racks;
    for (const uint32_t node : nodes) racks.insert(Rack(node));
    return racks.size();
  }

  ClusterView view_;
  Random random_{42};
  std::set<NodeNumber> excluded_;
  std::string writer_rack_;
  uint64_t key_ = 0;
  PlacementTier worst_tier_ = PlacementTier::kLastResort;
  std::unique_ptr<PlacementPolicy> policy_ = NewRackAwarePlacement();
};

TEST_F(PlacementTest, AnAbsurdCountTakesEveryNodeOnce) {
  Build(2, 3);
  for (const std::string_view name : kPlacements) {
    policy_ = *NewPlacement(name);
    EXPECT_THAT(Choose(4'000'000'000u), UnorderedElementsAre(0, 1, 2, 3, 4, 5));
  }
}

TEST_F(PlacementTest, NamesOfPolicies) {
  for (const std::string_view name : kPlacements) EXPECT_TRUE(NewPlacement(name).ok()) << name;
  EXPECT_EQ(NewPlacement("best").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(NewPlacement("best").status().message()),
              HasSubstr("rack_aware, random, round_robin, least_used, consistent_hash"));
}

TEST_F(PlacementTest, WritersNodeThenAnotherRackTwice) {
  Build(4, 5);
  for (int i = 0; i < 200; ++i) {
    const std::vector<uint32_t> nodes = Choose(3, "h7");
    ASSERT_THAT(nodes, SizeIs(3));
    EXPECT_EQ(nodes[0], 7u);
    EXPECT_NE(Rack(nodes[1]), Rack(7));
    EXPECT_EQ(Rack(nodes[1]), Rack(nodes[2]));
    EXPECT_NE(nodes[1], nodes[2]);
  }
}

TEST_F(PlacementTest, NeverAllInOneRackOfSeveral) {
  Build(3, 8);
  for (uint32_t count = 2; count <= 6; ++count) {
    for (int i = 0; i < 100; ++i) {
      const std::vector<uint32_t> nodes = Choose(count);
      ASSERT_THAT(nodes, SizeIs(count));
      EXPECT_THAT(std::set<uint32_t>(nodes.begin(), nodes.end()), SizeIs(count));
      EXPECT_GE(Racks(nodes), 2u);
    }
  }
}

TEST_F(PlacementTest, AnotherRackEvenIfItsNodesAreSecondChoice) {
  Build(2, 3);
  for (uint32_t node = 3; node < 6; ++node) view_.SetTier(node, PlacementTier::kSecondary);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Racks(Choose(2, "h0")), 2u);
}

TEST_F(PlacementTest, OneRack) {
  Build(1, 4);
  EXPECT_THAT(Choose(3, "h2"), SizeIs(3));
  EXPECT_THAT(Choose(9), UnorderedElementsAre(0, 1, 2, 3));
}

TEST_F(PlacementTest, WriterOutsideStartsInItsRack) {
  Build(3, 4);
  writer_rack_ = "/r2";
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Rack(Choose(3, "elsewhere")[0]), Rack(8));
}

TEST_F(PlacementTest, SeveralNodesOnTheWritersHost) {
  for (int i = 0; i < 4; ++i) {
    const uint32_t index = Add("/r");
    view_.Move(index, "/r", "localhost");
  }
  std::set<uint32_t> first;
  for (int i = 0; i < 100; ++i) first.insert(Choose(3, "localhost")[0]);
  EXPECT_THAT(first, SizeIs(4));
}

// What holds for every policy.
class EveryPlacement : public PlacementTest,
                       public ::testing::WithParamInterface<std::string_view> {
 protected:
  void SetUp() override { policy_ = *NewPlacement(GetParam()); }
};

TEST_P(EveryPlacement, LaterTiersOnlyWhenNeeded) {
  Build(1, 4);
  view_.SetTier(0, PlacementTier::kLastResort);
  view_.SetTier(1, PlacementTier::kSecondary);
  for (key_ = 0; key_ < 50; ++key_) EXPECT_THAT(Choose(2, "h0"), UnorderedElementsAre(2, 3));
  EXPECT_THAT(Choose(3), UnorderedElementsAre(1, 2, 3));
  EXPECT_THAT(Choose(4), UnorderedElementsAre(0, 1, 2, 3));
  worst_tier_ = PlacementTier::kSecondary;
  EXPECT_THAT(Choose(4), UnorderedElementsAre(1, 2, 3));
}

TEST_P(EveryPlacement, NoUnusableFullOrExcludedNode) {
  Build(1, 5);
  view_.SetTier(0, PlacementTier::kUnusable);
  view_.SetLoad(1, 100 * kGiB, kGiB - 1, 0);
  excluded_ = {3};
  EXPECT_THAT(Choose(5, "h0"), UnorderedElementsAre(3, 4));
}

TEST_P(EveryPlacement, NoNodeTwiceNorOneThatHoldsIt) {
  Build(3, 4);
  for (key_ = 0; key_ < 100; ++key_) {
    std::vector<uint32_t> nodes = Choose(3, "", {1, 7});
    ASSERT_THAT(nodes, SizeIs(3));
    nodes.insert(nodes.end(), {1, 7});
    EXPECT_THAT(std::set<uint32_t>(nodes.begin(), nodes.end()), SizeIs(5));
  }
}

TEST_P(EveryPlacement, EqualNodesGetTheirShare) {
  Build(4, 5);
  std::map<uint32_t, int> taken;
  for (key_ = 0; key_ < 8'000; ++key_) {
    for (const uint32_t node : Choose(3)) ++taken[node];
  }
  for (uint32_t node = 0; node < 20; ++node) {
    EXPECT_GT(taken[node], 600) << node;  // 1,200 expected
    EXPECT_LT(taken[node], 1'800) << node;
  }
}

TEST_P(EveryPlacement, AnEmptyCluster) { EXPECT_THAT(Choose(3), IsEmpty()); }

// In a large cluster almost all of which is full, those that are not are found.
TEST_P(EveryPlacement, FewFittingOfMany) {
  Build(4, 100);
  for (uint32_t node = 0; node < 400; ++node) {
    if (node % 100 != 7) view_.SetLoad(node, 100 * kGiB, kGiB - 1, 0);
  }
  for (key_ = 0; key_ < 20; ++key_) {
    EXPECT_THAT(Choose(4), UnorderedElementsAre(7, 107, 207, 307));
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, EveryPlacement, ::testing::ValuesIn(kPlacements),
                         [](const auto& param) { return std::string(param.param); });

TEST_F(PlacementTest, NeverAllInOneRegionOfSeveral) {
  for (int i = 0; i < 4; ++i) {
    Add("/eu/r1");
    Add("/eu/r2");
    Add("/us/r1");
  }
  for (uint32_t count = 2; count <= 6; ++count) {
    for (int i = 0; i < 100; ++i) EXPECT_EQ(Regions(Choose(count)), 2u);
  }
  for (int i = 0; i < 50; ++i) {
    const std::vector<uint32_t> nodes = Choose(3, "h0");
    EXPECT_EQ(nodes[0], 0u);
    EXPECT_EQ(Rack(nodes[1]), Rack(2));  // the other region, and its rack again
    EXPECT_EQ(Rack(nodes[2]), Rack(2));
    EXPECT_EQ(Regions({0, 1, Choose(1, "", {0, 1})[0]}), 2u);        // two racks of one region
    EXPECT_EQ(Regions({0, 3, 1, Choose(1, "", {0, 3, 1})[0]}), 2u);  // three replicas in it
  }
  // Where the other region has no room, at least another rack.
  for (uint32_t node = 2; node < 12; node += 3) view_.SetTier(node, PlacementTier::kUnusable);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(Racks(Choose(3, "h0")), 2u);
}

TEST_F(PlacementTest, RacksOfOneLevelAreOfOneRegion) {
  EXPECT_EQ(RegionOf("/r1"), "");
  EXPECT_EQ(RegionOf("/default-rack"), "");
  EXPECT_EQ(RegionOf(""), "");
  EXPECT_EQ(RegionOf("/eu/r1"), "/eu");
  EXPECT_EQ(RegionOf("/eu/hall/r1"), "/eu");
  Build(2, 1);
  EXPECT_EQ(view_.node(0).region, view_.node(1).region);
  view_.Move(1, "/eu/r1", "h1");
  EXPECT_NE(view_.node(0).region, view_.node(1).region);
  EXPECT_THAT(view_.in_region(view_.node(0).region), ElementsAre(0));
}

TEST_F(PlacementTest, RepairGoesWhereARackIsMissing) {
  Build(3, 4);
  for (int i = 0; i < 50; ++i) {
    EXPECT_NE(Rack(Choose(1, "", {0})[0]), Rack(0));
    EXPECT_NE(Rack(Choose(1, "", {0, 1})[0]), Rack(0));
    for (const uint32_t node : Choose(2, "", {0, 1})) EXPECT_GT(node, 1u);
  }
}

TEST_F(PlacementTest, FreeAndIdleNodesGetMore) {
  Build(1, 40);
  for (uint32_t i = 0; i < 20; ++i) view_.SetLoad(i, 100 * kGiB, 20 * kGiB, 0);
  for (uint32_t i = 20; i < 30; ++i) view_.SetLoad(i, 100 * kGiB, 80 * kGiB, 30);
  std::map<int, int> taken;
  for (int i = 0; i < 4000; ++i) {
    for (const uint32_t node : Choose(1)) ++taken[node < 20 ? 0 : node < 30 ? 1 : 2];
  }
  EXPECT_GT(taken[2], taken[0]);  // ten free idle nodes against twenty fuller ones
  EXPECT_GT(taken[2], taken[1]);
  EXPECT_GT(taken[0], 0);  // but not all go to the best: a herd would swamp it
  EXPECT_GT(taken[1], 0);
}

TEST_F(PlacementTest, EqualNodesGetEqualShares) {
  policy_ = NewRandomPlacement();
  Build(2, 20);
  std::map<uint32_t, int> taken;
  for (int i = 0; i < 8000; ++i) {
    for (const uint32_t node : Choose(3)) ++taken[node];
  }
  for (uint32_t node = 0; node < 40; ++node) {
    EXPECT_GT(taken[node], 400) << node;  // 600 expected
    EXPECT_LT(taken[node], 800) << node;
  }
}

TEST_F(PlacementTest, RandomTakesAll) {
  policy_ = NewRandomPlacement();
  Build(2, 2);
  view_.SetTier(0, PlacementTier::kSecondary);
  for (int i = 0; i < 20; ++i) EXPECT_THAT(Choose(3), UnorderedElementsAre(1, 2, 3));
  EXPECT_THAT(Choose(9), SizeIs(4));
}

TEST_F(PlacementTest, RoundRobinTakesEveryNodeInTurn) {
  policy_ = NewRoundRobinPlacement();
  Build(1, 5);
  EXPECT_THAT(Choose(3), ElementsAre(0, 1, 2));
  EXPECT_THAT(Choose(3), ElementsAre(3, 4, 0));
  view_.SetTier(2, PlacementTier::kUnusable);
  EXPECT_THAT(Choose(3), ElementsAre(1, 3, 4));
  Add("/r1");
  EXPECT_THAT(Choose(2), ElementsAre(5, 0));
  std::map<uint32_t, int> taken;
  view_.SetTier(2, PlacementTier::kPreferred);
  for (int i = 0; i < 200; ++i) {
    for (const uint32_t node : Choose(3)) ++taken[node];
  }
  for (uint32_t node = 0; node < 6; ++node) EXPECT_EQ(taken[node], 100) << node;
}

TEST_F(PlacementTest, LeastUsedEvensOut) {
  policy_ = NewLeastUsedPlacement();
  Build(1, 10);
  std::array<uint64_t, 10> used = {};
  for (uint32_t i = 0; i < 10; ++i) used[i] = i * 5;  // GiB of 100
  const auto refresh = [&] {
    for (uint32_t i = 0; i < 10; ++i) {
      view_.SetLoad(i, 100 * kGiB, (100 - used[i]) * kGiB, 0);
    }
  };
  refresh();
  EXPECT_THAT(Choose(3), ElementsAre(0, 1, 2));
  for (int i = 0; i < 130; ++i) {
    for (const uint32_t node : Choose(3)) ++used[node];
    refresh();
  }
  const auto [least, most] = std::minmax_element(used.begin(), used.end());
  EXPECT_LE(*most - *least, 1u);  // 225 and 390 GiB: 61 or 62 each
  // Of equally full ones the idle.
  for (uint32_t i = 0; i < 10; ++i) view_.SetLoad(i, 100 * kGiB, 50 * kGiB, i == 4 ? 0 : 3);
  EXPECT_THAT(Choose(1), ElementsAre(4));
}

// With one more node, its share of the keys goes to it, and no other key moves.
TEST_F(PlacementTest, ANewNodeOnTheRingTakesItsShareAlone) {
  policy_ = NewConsistentHashPlacement();
  Build(4, 5);
  constexpr uint64_t kKeys = 20'000;
  std::vector<uint32_t> before;
  for (key_ = 0; key_ < kKeys; ++key_) before.push_back(Choose(1)[0]);
  const uint32_t added = Add("/r0");
  uint64_t moved = 0;
  for (key_ = 0; key_ < kKeys; ++key_) {
    const uint32_t node = Choose(1)[0];
    if (node == before[key_]) continue;
    EXPECT_EQ(node, added);
    ++moved;
  }
  EXPECT_GT(moved, kKeys / 21 * 7 / 10);
  EXPECT_LT(moved, kKeys / 21 * 13 / 10);
}

TEST_F(PlacementTest, TheSameKeyFindsTheSameNodes) {
  policy_ = NewConsistentHashPlacement();
  Build(2, 50);
  for (key_ = 0; key_ < 200; ++key_) {
    const std::vector<uint32_t> nodes = Choose(3);
    policy_ = NewConsistentHashPlacement();  // as after a restart
    random_.seed(key_);
    EXPECT_EQ(Choose(3), nodes);
    // One that is lost is replaced by the next on the ring; the others stay.
    excluded_ = {view_.node(nodes[1]).number};
    const std::vector<uint32_t> without = Choose(3);
    EXPECT_EQ(without[0], nodes[0]);
    EXPECT_EQ(without[1], nodes[2]);
    excluded_.clear();
  }
}

TEST_F(PlacementTest, ExcessKeepsRacks) {
  Build(2, 3);                         // 0-2 and 3-5
  view_.SetLoad(3, 100 * kGiB, 1, 0);  // the fullest, but alone in its rack
  EXPECT_THAT(ChooseExcess(view_, {0, 1, 3}, 2), ElementsAre(0));
  EXPECT_THAT(ChooseExcess(view_, {0, 1, 3}, 3), IsEmpty());
}

TEST_F(PlacementTest, ExcessKeepsRegionsBeforeRacks) {
  for (const char* rack : {"/eu/r1", "/eu/r2", "/eu/r2", "/us/r1"}) Add(rack);
  view_.SetLoad(3, 100 * kGiB, 1, 0);  // the fullest, but alone in its region
  view_.SetLoad(1, 100 * kGiB, 70 * kGiB, 0);
  EXPECT_THAT(ChooseExcess(view_, {0, 1, 3}, 2), ElementsAre(1));
  view_.SetLoad(1, 100 * kGiB, 90 * kGiB, 0);
  EXPECT_THAT(ChooseExcess(view_, {0, 1, 3}, 2), ElementsAre(0));
  EXPECT_THAT(ChooseExcess(view_, {0, 1, 2, 3}, 3), ElementsAre(2));
  EXPECT_THAT(ChooseExcess(view_, {0, 1, 2, 3}, 2), ElementsAre(2, 0));
}

TEST_F(PlacementTest, ExcessTakesLateThenFullNodesFirst) {
  Build(1, 4);
  view_.SetTier(2, PlacementTier::kLastResort);
  view_.SetLoad(1, 100 * kGiB, kGiB, 0);
  EXPECT_THAT(ChooseExcess(view_, {0, 1, 2, 3}, 2), ElementsAre(2, 1));
}

TEST_F(PlacementTest, MoveChangesRackAndHost) {
  Build(2, 1);
  view_.Move(0, "/r1", "other");
  EXPECT_THAT(view_.in_rack("/r0"), IsEmpty());
  EXPECT_THAT(view_.in_rack("/r1"), UnorderedElementsAre(0, 1));
  EXPECT_THAT(view_.on_host("h0"), IsEmpty());
  EXPECT_THAT(view_.on_host("other"), ElementsAre(0));
}

}  // namespace
}  // namespace cairn::namenode
