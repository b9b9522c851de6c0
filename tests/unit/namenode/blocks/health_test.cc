// Degraded nodes are used, but only when there is no other, and until they are well again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "namenode/blocks/placement/placement.h"
#include "namenode/blocks/slow_nodes.h"
#include "tests/unit/namenode/blocks/fake_cluster.h"

namespace cairn::namenode {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr NodeNumber kSick = 4;

// The parameter is the placement policy.
class HealthTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  HealthTest() : cluster_(BlockManagerOptions{.placement = std::string(GetParam())}) {
    for (int i = 0; i < 5; ++i) cluster_.AddNode();
    cluster_.Run(3'000);
  }

  // What every other node says of each node.
  void Measured(NodeNumber slow, uint64_t slow_us) {
    for (NodeNumber from = 1; from <= cluster_.nodes(); ++from) {
      cluster_.node(from).heartbeat.peers.clear();
      for (NodeNumber to = 1; to <= cluster_.nodes(); ++to) {
        if (to == from || (to == slow && slow_us == 0)) continue;
        cluster_.node(from).heartbeat.peers.push_back({to, to == slow ? slow_us : 1'200, 50});
      }
    }
    cluster_.Run(SlowNodes::kJudgements * 3'000 + 3'000);
  }
  DataNodeReport Sick() { return cluster_.ReportOf(cluster_.node(kSick)); }
  std::vector<NodeNumber> Targets(uint32_t count, const std::string& writer_host = "") {
    static uint64_t key = 0;
    const auto targets = cluster_.manager().ChooseTargets(
        {.count = count, .writer_host = writer_host, .block_size = kMiB, .key = ++key});
    EXPECT_TRUE(targets.ok()) << targets.status();
    return targets.value_or(std::vector<NodeNumber>{});
  }
  void ExpectLastChoice() {
    EXPECT_EQ(Sick().state, NodeState::kDegraded);
    const std::string host = cluster_.node(kSick).registration.host;
    for (int i = 0; i < 50; ++i) {
      EXPECT_THAT(Targets(4), Not(Contains(kSick)));
      EXPECT_THAT(Targets(3, host), Not(Contains(kSick)));  // not even for a writer on it
    }
    EXPECT_THAT(Targets(5), UnorderedElementsAre(1, 2, 3, 4, 5));  // there is no other
    const Block block = cluster_.AddBlock({2, kSick, 5}, 3);
    for (int i = 0; i < 20; ++i) {
      const BlockLocations found = cluster_.manager().Locate(block.id, host, "/r");
      ASSERT_THAT(found.nodes, SizeIs(3));
      EXPECT_EQ(found.nodes.back().number, kSick);
    }
  }
  bool IsUsed() {
    for (int i = 0; i < 200; ++i) {
      for (const NodeNumber target : Targets(3)) {
        if (target == kSick) return true;
      }
    }
    return false;
  }

  FakeCluster cluster_;
};

TEST_P(HealthTest, SlowNode) {
  Measured(kSick, 2'000);
  EXPECT_EQ(Sick().state, NodeState::kHealthy);
  EXPECT_EQ(Sick().packet_latency_us, 2'000u);
  Measured(kSick, 38'000);
  EXPECT_EQ(Sick().reason, "slow: 38.0 ms a packet, its peers 1.2 ms");
  ExpectLastChoice();
  Measured(kSick, 1'500);
  EXPECT_EQ(Sick().state, NodeState::kHealthy);
  EXPECT_EQ(Sick().reason, "");
  EXPECT_TRUE(IsUsed());
}

TEST_P(HealthTest, SlowNodeThatGetsNoWritesIsTriedAgain) {
  Measured(kSick, 38'000);
  EXPECT_EQ(Sick().state, NodeState::kDegraded);
  Measured(kSick, 0);
  EXPECT_EQ(Sick().state, NodeState::kHealthy);
  EXPECT_TRUE(IsUsed());
}

TEST_P(HealthTest, NodeWithErrors) {
  HeartbeatReport& heartbeat = cluster_.node(kSick).heartbeat;
  heartbeat.errors = heartbeat.disk_errors = 9;
  cluster_.Run(3'000);
  EXPECT_EQ(Sick().state, NodeState::kHealthy);
  heartbeat.disk_errors = 12;
  heartbeat.bytes_read = 111;
  heartbeat.bytes_written = 222;
  cluster_.Run(3'000);
  EXPECT_EQ(Sick().reason, "12 disk errors in 5 min");
  EXPECT_EQ(Sick().disk_errors, 12u);
  EXPECT_EQ(Sick().bytes_read, 111u);
  EXPECT_EQ(Sick().bytes_written, 222u);
  heartbeat.checksum_errors = 3;
  cluster_.Run(3'000);
  EXPECT_EQ(Sick().reason, "12 disk and 3 checksum errors in 5 min");
  ExpectLastChoice();
  cluster_.Run(7 * 60'000);  // no more of them
  EXPECT_EQ(Sick().state, NodeState::kHealthy);
  EXPECT_TRUE(IsUsed());
}

TEST_P(HealthTest, RepairsGoToDegradedNodesLast) {
  Measured(kSick, 38'000);
  std::vector<Block> blocks;
  for (int i = 0; i < 10; ++i) blocks.push_back(cluster_.AddBlock({1, 2}, 3));
  ASSERT_TRUE(cluster_.RunUntilSound());
  for (const Block& block : blocks) EXPECT_THAT(cluster_.Where(block), Not(Contains(kSick)));
  for (const Block& block : blocks) cluster_.SetReplication(block, 5);
  ASSERT_TRUE(cluster_.RunUntilSound());
  for (const Block& block : blocks) EXPECT_THAT(cluster_.Where(block), ElementsAre(1, 2, 3, 4, 5));
}

TEST_P(HealthTest, AllReasonsAreTold) {
  HeartbeatReport& heartbeat = cluster_.node(kSick).heartbeat;
  heartbeat.checksum_errors = 10;
  Measured(kSick, 24'000);
  EXPECT_EQ(Sick().reason, "slow: 24.0 ms a packet, its peers 1.2 ms; 10 checksum errors in 5 min");
}

INSTANTIATE_TEST_SUITE_P(, HealthTest, ::testing::ValuesIn(kPlacements),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace cairn::namenode
