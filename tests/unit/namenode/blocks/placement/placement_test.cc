#include "namenode/blocks/placement/placement.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
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
                                   .worst_tier = worst_tier_,
                                   .allowed = allowed};
    return policy_->Choose(view_, request, random_);
  }
  uint32_t Rack(uint32_t index) const { return view_.node(index).rack; }
  size_t Racks(const std::vector<uint32_t>& nodes) const {
    std::set<uint32_t> racks;
    for (const uint32_t node : nodes) racks.insert(Rack(node));
    return racks.size();
  }

  ClusterView view_;
  Random random_{42};
  std::set<NodeNumber> excluded_;
  std::string writer_rack_;
  PlacementTier worst_tier_ = PlacementTier::kLastResort;
  std::unique_ptr<PlacementPolicy> policy_ = NewRackAwarePlacement();
};

TEST_F(PlacementTest, AnAbsurdCountTakesEveryNodeOnce) {
  Build(2, 3);
  for (const char* name : {"rack_aware", "random"}) {
    policy_ = *NewPlacement(name);
    EXPECT_THAT(Choose(4'000'000'000u), UnorderedElementsAre(0, 1, 2, 3, 4, 5));
  }
}

TEST_F(PlacementTest, NamesOfPolicies) {
  EXPECT_TRUE(NewPlacement("rack_aware").ok());
  EXPECT_TRUE(NewPlacement("random").ok());
  EXPECT_EQ(NewPlacement("best").status().code(), absl::StatusCode::kInvalidArgument);
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

TEST_F(PlacementTest, LaterTiersOnlyWhenNeeded) {
  Build(1, 4);
  view_.SetTier(0, PlacementTier::kLastResort);
  view_.SetTier(1, PlacementTier::kSecondary);
  for (int i = 0; i < 50; ++i) EXPECT_THAT(Choose(2, "h0"), UnorderedElementsAre(2, 3));
  EXPECT_THAT(Choose(3), UnorderedElementsAre(1, 2, 3));
  EXPECT_THAT(Choose(4), UnorderedElementsAre(0, 1, 2, 3));
  worst_tier_ = PlacementTier::kSecondary;
  EXPECT_THAT(Choose(4), UnorderedElementsAre(1, 2, 3));
}

TEST_F(PlacementTest, NoUnusableFullOrExcludedNode) {
  Build(1, 5);
  view_.SetTier(0, PlacementTier::kUnusable);
  view_.SetLoad(1, 100 * kGiB, kGiB - 1, 0);
  excluded_ = {3};
  EXPECT_THAT(Choose(5, "h0"), UnorderedElementsAre(3, 4));
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

TEST_F(PlacementTest, EmptyCluster) {
  EXPECT_THAT(Choose(3), IsEmpty());
  policy_ = NewRandomPlacement();
  EXPECT_THAT(Choose(3), IsEmpty());
}

TEST_F(PlacementTest, ExcessKeepsRacks) {
  Build(2, 3);                         // 0-2 and 3-5
  view_.SetLoad(3, 100 * kGiB, 1, 0);  // the fullest, but alone in its rack
  EXPECT_THAT(ChooseExcess(view_, {0, 1, 3}, 2), ElementsAre(0));
  EXPECT_THAT(ChooseExcess(view_, {0, 1, 3}, 3), IsEmpty());
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
