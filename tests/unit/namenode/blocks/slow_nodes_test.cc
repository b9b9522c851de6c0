// Who is called slow, by whose word, and for how long.
#include "namenode/blocks/slow_nodes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr int64_t kExpiryMs = 10'000;
constexpr uint64_t kEnough = 100;  // samples

class SlowNodesTest : public ::testing::Test {
 protected:
  // Every node says of every other one what `latency_us` says, by node from 1.
  void Report(const std::vector<uint64_t>& latency_us) {
    for (NodeNumber from = 1; from <= latency_us.size(); ++from) {
      std::vector<PeerLatency> peers;
      for (NodeNumber to = 1; to <= latency_us.size(); ++to) {
        if (to != from && latency_us[to - 1] != 0) {
          peers.push_back({to, latency_us[to - 1], kEnough});
        }
      }
      slow_.Report(from, peers, now_ms_);
    }
  }
  // As many judgements as a change needs.
  std::vector<NodeNumber> Judge() {
    std::vector<NodeNumber> changed;
    for (int i = 0; i < SlowNodes::kJudgements; ++i) {
      EXPECT_THAT(changed, IsEmpty());
      changed = slow_.Judge(now_ms_);
    }
    return changed;
  }
  bool Slow(NodeNumber node) const { return slow_.Find(node) != nullptr; }

  SlowNodes slow_{/*threshold_us=*/10'000, kExpiryMs};
  int64_t now_ms_ = 1'000'000;
};

TEST_F(SlowNodesTest, ManyReportersAreGoneThroughInPieces) {
  constexpr NodeNumber kNodes = 3 * SlowNodes::kReportersAtOnce - 100;
  for (NodeNumber from = 1; from <= kNodes; ++from) {
    std::vector<PeerLatency> peers;
    for (NodeNumber step = 1; step <= 4; ++step) {
      const NodeNumber to = 1 + (from + step - 1) % kNodes;
      peers.push_back({to, to == 700 ? 50'000u : 1'000u, kEnough});
    }
    slow_.Report(from, peers, now_ms_);
  }
  for (int calls = 1; calls < 3 * SlowNodes::kJudgements; ++calls) {
    EXPECT_THAT(slow_.Judge(now_ms_), IsEmpty()) << calls;
  }
  EXPECT_THAT(slow_.Judge(now_ms_), ElementsAre(700));
  EXPECT_EQ(slow_.LatencyUs(kNodes), 1'000u);
}

TEST_F(SlowNodesTest, TheOutlierIsSlowAfterSeveralJudgements) {
  Report({1'000, 1'200, 900, 38'000, 1'100});
  EXPECT_THAT(slow_.Judge(now_ms_), IsEmpty());
  EXPECT_FALSE(Slow(4));
  EXPECT_THAT(slow_.Judge(now_ms_), IsEmpty());
  EXPECT_THAT(slow_.Judge(now_ms_), ElementsAre(4));
  ASSERT_TRUE(Slow(4));
  EXPECT_EQ(slow_.Find(4)->latency_us, 38'000u);
  EXPECT_EQ(slow_.Find(4)->peers_us, 1'100u);
  EXPECT_EQ(slow_.LatencyUs(1), 1'000u);
  EXPECT_THAT(slow_.Judge(now_ms_), IsEmpty());
}

TEST_F(SlowNodesTest, NobodyIsSlowBelowTheThresholdOrAmongEquals) {
  Report({100, 100, 100, 9'900});
  EXPECT_THAT(Judge(), IsEmpty());
  Report({50'000, 60'000, 70'000, 140'000});  // not three times the median
  EXPECT_THAT(Judge(), IsEmpty());
  // Far apart from each other: no outlier.
  Report({1'000, 20'000, 40'000, 60'000, 80'000});
  EXPECT_THAT(Judge(), IsEmpty());
}

TEST_F(SlowNodesTest, ASlowReporterBringsNobodyDown) {
  Report({1'000, 1'000, 1'000, 1'000});
  std::vector<PeerLatency> all;
  for (NodeNumber to = 2; to <= 4; ++to) all.push_back({to, 500'000, kEnough});
  slow_.Report(1, all, now_ms_);
  EXPECT_THAT(Judge(), IsEmpty());
  // Not even where there is one other.
  slow_.Report(3, {}, now_ms_);
  slow_.Report(4, {}, now_ms_);
  EXPECT_THAT(Judge(), IsEmpty());
}

TEST_F(SlowNodesTest, FewWordsSayNothing) {
  Report({1'000, 1'000, 1'000, 0});
  const std::vector<PeerLatency> of_the_fourth = {{4, 90'000, kEnough}};
  slow_.Report(5, of_the_fourth, now_ms_);  // one reporter alone
  EXPECT_THAT(Judge(), IsEmpty());
  EXPECT_EQ(slow_.LatencyUs(4), 0u);
  const std::vector<PeerLatency> few = {{4, 90'000, SlowNodes::kMinReporterSamples - 1}};
  slow_.Report(6, few, now_ms_);
  EXPECT_THAT(Judge(), IsEmpty());
  const std::vector<PeerLatency> own = {{4, 90'000, kEnough}};
  slow_.Report(4, own, now_ms_);  // of itself
  EXPECT_THAT(Judge(), IsEmpty());
  slow_.Report(6, of_the_fourth, now_ms_);
  EXPECT_THAT(Judge(), ElementsAre(4));
}

TEST_F(SlowNodesTest, ThreeNodesCannotBeCompared) {
  const std::vector<PeerLatency> peers = {
      {1, 500, kEnough}, {2, 500, kEnough}, {3, 90'000, kEnough}};
  for (NodeNumber from = 4; from < 8; ++from) slow_.Report(from, peers, now_ms_);
  EXPECT_THAT(Judge(), IsEmpty());
}

TEST_F(SlowNodesTest, AroundTheLimitTheVerdictStays) {
  Report({1'000, 1'000, 1'000, 1'000, 30'000});
  EXPECT_THAT(Judge(), ElementsAre(5));
  // The limit is 10 ms, and 7 ms are well below it.
  for (const uint64_t us : {9'000, 11'000, 8'000, 12'000, 7'500}) {
    Report({1'000, 1'000, 1'000, 1'000, us});
    EXPECT_THAT(Judge(), IsEmpty()) << us;
    EXPECT_TRUE(Slow(5));
    EXPECT_EQ(slow_.Find(5)->latency_us, us);
  }
  Report({1'000, 1'000, 1'000, 1'000, 6'000});
  EXPECT_THAT(Judge(), ElementsAre(5));
  EXPECT_FALSE(Slow(5));
  for (const uint64_t us : {9'000, 10'000, 8'000}) {
    Report({1'000, 1'000, 1'000, 1'000, us});
    EXPECT_THAT(Judge(), IsEmpty()) << us;
  }
}

TEST_F(SlowNodesTest, OneJudgementBetweenChangesNothing) {
  for (int i = 0; i < 10; ++i) {
    Report({1'000, 1'000, 1'000, i % 3 == 2 ? 1'000u : 30'000u});
    EXPECT_THAT(slow_.Judge(now_ms_), IsEmpty());
  }
}

TEST_F(SlowNodesTest, WhatIsNotSaidAgainRunsOut) {
  Report({1'000, 1'000, 1'000, 30'000});
  EXPECT_THAT(Judge(), ElementsAre(4));
  now_ms_ += kExpiryMs;
  EXPECT_THAT(Judge(), IsEmpty());
  now_ms_ += 1;
  EXPECT_THAT(Judge(), ElementsAre(4));  // it is tried again
  EXPECT_EQ(slow_.LatencyUs(1), 0u);
}

TEST_F(SlowNodesTest, ANodeWithoutWritesIsTriedAgain) {
  Report({1'000, 1'000, 1'000, 30'000});
  EXPECT_THAT(Judge(), ElementsAre(4));
  Report({1'000, 1'000, 1'000, 0});
  EXPECT_THAT(Judge(), ElementsAre(4));
  EXPECT_FALSE(Slow(4));
}

TEST(SlowNodesOffTest, ZeroTurnsItOff) {
  SlowNodes slow(0, kExpiryMs);
  const std::vector<PeerLatency> peers = {
      {1, 500, kEnough}, {2, 500, kEnough}, {3, 500, kEnough}, {4, 900'000, kEnough}};
  for (NodeNumber from = 5; from < 8; ++from) slow.Report(from, peers, 0);
  for (int i = 0; i < 5; ++i) EXPECT_THAT(slow.Judge(0), IsEmpty());
}

// Whatever the figures: the slow ones are fewer than half, are the slowest, and lie where the rule
// says; and a report that is longer than it may be does no harm.
TEST(SlowNodesProperty, RandomClusters) {
  std::mt19937_64 random(20'261'128);
  for (int round = 0; round < 2'000; ++round) {
    constexpr uint64_t kThresholdUs = 10'000;
    SlowNodes slow(kThresholdUs, kExpiryMs);
    const size_t nodes = 1 + random() % 30;
    std::vector<uint64_t> latency(nodes);
    for (uint64_t& us : latency) {
      us = 1 + random() % 3'000;
      if (random() % 5 == 0) us *= 1 + random() % 300;
    }
    for (NodeNumber from = 1; from <= nodes; ++from) {
      std::vector<PeerLatency> peers;
      for (NodeNumber to = 1; to <= nodes; ++to) {
        if (to != from) peers.push_back({to, latency[to - 1], kEnough});
      }
      if (random() % 50 == 0) peers.resize(500, PeerLatency{999, 1, 0});
      slow.Report(from, peers, 0);
    }
    for (int i = 0; i < SlowNodes::kJudgements; ++i) slow.Judge(0);
    std::vector<uint64_t> judged_slow;
    std::vector<uint64_t> others;
    for (NodeNumber node = 1; node <= nodes; ++node) {
      (slow.Find(node) != nullptr ? judged_slow : others).push_back(latency[node - 1]);
    }
    if (judged_slow.empty()) continue;
    EXPECT_GE(nodes, SlowNodes::kMinNodes);
    EXPECT_LT(2 * judged_slow.size(), nodes);
    const uint64_t fastest = *std::min_element(judged_slow.begin(), judged_slow.end());
    const uint64_t slowest_other = *std::max_element(others.begin(), others.end());
    EXPECT_GT(fastest, slowest_other);
    EXPECT_GT(fastest, kThresholdUs);
    std::nth_element(others.begin(), others.begin() + static_cast<ptrdiff_t>(others.size() / 2),
                     others.end());
    EXPECT_GT(fastest, 2 * others[others.size() / 2]);
  }
}

}  // namespace
}  // namespace cairn::namenode
