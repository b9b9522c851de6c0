// Random clusters that are balanced while nodes fail and files come and go.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "namenode/blocks/placement/placement.h"
#include "tests/unit/namenode/blocks/fake_cluster.h"

namespace cairn::namenode {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kBeatMs = 3'000;

class RandomBalanceTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RandomBalanceTest, ItEndsAndEveryBlockIsWhole) {
  Random random(GetParam());
  FakeCluster cluster;
  cluster.CountSpace();
  const size_t racks = 1 + random() % 3;
  const NodeNumber count = 3 + random() % 5;
  for (NodeNumber n = 0; n < count; ++n) cluster.AddNode(fmt::format("/k{}", n % racks));
  std::vector<std::pair<Block, uint32_t>> blocks;
  std::set<size_t> removed;
  for (size_t i = 0; i < 150; ++i) {
    const uint32_t replication = 1 + random() % 3;
    std::set<NodeNumber> nodes;
    while (nodes.size() < replication) {
      nodes.insert(1 + static_cast<NodeNumber>(std::min(random() % count, random() % count)));
    }
    const uint64_t length = (random() % 2 == 0 ? 5 : 15) * kMiB;
    blocks.emplace_back(cluster.AddBlock({nodes.begin(), nodes.end()}, replication, true, length),
                        replication);
  }
  ASSERT_TRUE(cluster.RunUntilSound());
  ASSERT_TRUE(cluster.manager().StartBalancing(4).ok());
  const auto whole = [&](size_t i) { return !removed.contains(i); };
  for (int step = 0; step < 40; ++step) {
    FakeNode& node = cluster.node(1 + static_cast<NodeNumber>(random() % count));
    const size_t victim = random() % blocks.size();
    switch (random() % 6) {
      case 0:
        cluster.Restart(node);
        break;
      case 1:  // for a moment: orders and copies get lost
        node.up = !node.up;
        break;
      case 2:
        if (whole(victim)) cluster.Remove(blocks[victim].first);
        removed.insert(victim);
        break;
      case 3:
        blocks[victim].second = 1 + random() % 3;
        if (whole(victim)) cluster.SetReplication(blocks[victim].first, blocks[victim].second);
        break;
      default:
        break;
    }
    cluster.Run(kBeatMs);
    EXPECT_EQ(cluster.Counts().missing + cluster.Counts().corrupt, 0u) << step;
    EXPECT_EQ(cluster.Counts(), cluster.manager().Recount());
    for (NodeNumber n = 1; n <= count; ++n) cluster.node(n).up |= random() % 3 == 0;
  }
  for (NodeNumber n = 1; n <= count; ++n) cluster.node(n).up = true;
  for (int i = 0; i < 1'000; ++i) {
    if (cluster.manager().BalanceProgress().state != BalanceState::kRunning) break;
    cluster.Run(kBeatMs);
  }
  EXPECT_TRUE(cluster.RunUntilSound());
  cluster.Run(30'000);
  const BalanceReport report = cluster.manager().BalanceProgress();
  EXPECT_NE(report.state, BalanceState::kRunning);
  for (size_t i = 0; i < blocks.size(); ++i) {
    if (!whole(i)) continue;
    const auto& [block, replication] = blocks[i];
    size_t on_disks = 0;
    for (NodeNumber n = 1; n <= count; ++n) on_disks += cluster.node(n).disk.contains(block.id);
    EXPECT_EQ(cluster.Where(block).size(), std::min<size_t>(replication, count));
    EXPECT_EQ(on_disks, cluster.Where(block).size());
  }
  if (report.state == BalanceState::kBalanced) {
    EXPECT_LE(report.most_over_percent, 6) << "surplus may have gone since";
  } else {
    EXPECT_THAT(report.reason, HasSubstr("no other replica"));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomBalanceTest, ::testing::Range<uint64_t>(0, 30));

}  // namespace
}  // namespace cairn::namenode
