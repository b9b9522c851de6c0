// The pure parts of writing: who is slow, how many replacements are wanted, who is left out.
#include <gtest/gtest.h>

#include "client/file_system.h"
#include "client/packet_size.h"
#include "client/pipeline_recovery.h"
#include "client/slow_node.h"
#include "client/write_tries.h"
#include "common/clock.h"

namespace cairn {
namespace {

constexpr uint64_t kSlow = 8 << 20;  // bytes a second

// Three nodes, of which the last takes its time: 1 MiB in 4 s.
PipelineWindow SlowLast() {
  return {.duration_us = 4'000'000,
          .writer_waited_us = 3'900'000,
          .bytes = 1 << 20,
          .nodes = {{.waited_us = 3'800'000, .worked_us = 10'000},
                    {.waited_us = 3'800'000, .worked_us = 10'000},
                    {.waited_us = 0, .worked_us = 3'900'000}}};
}

TEST(FindSlowNodeTest, BlamesTheOneThatMadeTheOthersWait) {
  PipelineWindow window = SlowLast();
  EXPECT_EQ(FindSlowNode(window, kSlow), (SlowNode{.index = 2, .busy = true}));
  std::swap(window.nodes[1], window.nodes[2]);
  EXPECT_EQ(FindSlowNode(window, kSlow), (SlowNode{.index = 1, .busy = true}));
  std::swap(window.nodes[0], window.nodes[1]);
  EXPECT_EQ(FindSlowNode(window, kSlow), (SlowNode{.index = 0, .busy = true}));
}

// A slow link shows as a node that waits for nobody and does not work. So does, for a while, a
// machine with too much to do.
TEST(FindSlowNodeTest, SuspectsANodeBehindASlowLink) {
  PipelineWindow window = SlowLast();
  window.nodes[2].worked_us = 1'900'000;
  EXPECT_EQ(FindSlowNode(window, kSlow), (SlowNode{.index = 2, .busy = false}));
  window.bytes = kSlow;  // in 4 s
  EXPECT_EQ(FindSlowNode(window, kSlow), std::nullopt);
  window.bytes = kSlow - 1;
  window.nodes[2].worked_us = 1000;
  EXPECT_EQ(FindSlowNode(window, kSlow), (SlowNode{.index = 2, .busy = false}));
}

TEST(FindSlowNodeTest, BlamesNobodyWhileThePipelineIsFastEnough) {
  PipelineWindow window = SlowLast();
  window.bytes = 4 * kSlow;
  EXPECT_EQ(FindSlowNode(window, kSlow), std::nullopt);
  window.bytes = 4 * kSlow - 4;
  EXPECT_EQ(FindSlowNode(window, kSlow), (SlowNode{.index = 2, .busy = true}));
  EXPECT_EQ(FindSlowNode(window, 0), std::nullopt);  // never, says the option
}

TEST(FindSlowNodeTest, BlamesNobodyWhileTheWriterIsTheSlowOne) {
  PipelineWindow window = SlowLast();
  window.writer_waited_us = 3'100'000;
  EXPECT_EQ(FindSlowNode(window, kSlow), std::nullopt);
}

TEST(FindSlowNodeTest, BlamesNobodyWhenAllAreSlow) {
  PipelineWindow window = SlowLast();
  window.nodes[0].worked_us = 500'000;  // eight times the pipeline's speed
  EXPECT_EQ(FindSlowNode(window, kSlow), std::nullopt);
  window.nodes[0].worked_us = 300'000;
  EXPECT_TRUE(FindSlowNode(window, kSlow).has_value());
}

TEST(FindSlowNodeTest, BlamesNobodyForNothing) {
  PipelineWindow window = SlowLast();
  window.bytes = 0;
  EXPECT_EQ(FindSlowNode(window, kSlow), std::nullopt);
  window = SlowLast();
  window.nodes.resize(1);
  EXPECT_EQ(FindSlowNode(window, kSlow), std::nullopt);
  window = SlowLast();
  window.nodes[2].waited_us = 3'800'000;  // it waits, for nobody
  EXPECT_EQ(FindSlowNode(window, kSlow), std::nullopt);
}

// HDFS's ReplaceDatanodeOnFailure.DEFAULT, and min-replicas.
TEST(ReplacementsWantedTest, IsHdfssRuleAndNeverFewerThanTheLeast) {
  EXPECT_EQ(ReplacementsWanted(3, 2, 2, /*flushed=*/false), 0u);
  EXPECT_EQ(ReplacementsWanted(3, 1, 2, false), 2u);
  EXPECT_EQ(ReplacementsWanted(3, 1, 1, false), 2u);
  EXPECT_EQ(ReplacementsWanted(3, 2, 2, /*flushed=*/true), 1u);
  EXPECT_EQ(ReplacementsWanted(3, 3, 2, true), 0u);
  EXPECT_EQ(ReplacementsWanted(2, 1, 1, true), 0u);
  EXPECT_EQ(ReplacementsWanted(2, 1, 2, false), 1u);
  EXPECT_EQ(ReplacementsWanted(1, 1, 1, true), 0u);
  EXPECT_EQ(ReplacementsWanted(10, 6, 2, false), 0u);
  EXPECT_EQ(ReplacementsWanted(10, 5, 2, false), 5u);
  EXPECT_EQ(ReplacementsWanted(10, 6, 2, true), 4u);
  EXPECT_EQ(ReplacementsWanted(3, 4, 2, true), 0u);  // one more than asked for
}

TEST(PacketSizeTest, GrowsWhilePacketsAreServedQuicklyAndShrinksOnSlowLinks) {
  PacketSize size(1 << 20);
  EXPECT_EQ(size.bytes(), 64u << 10);
  for (int i = 0; i < 10; ++i) size.Served(size.bytes(), 10'000);
  EXPECT_EQ(size.bytes(), 1u << 20);
  size.Served(1 << 20, 300'000);  // fine as it is
  EXPECT_EQ(size.bytes(), 1u << 20);
  size.Served(1 << 20, 600'000);
  EXPECT_EQ(size.bytes(), 512u << 10);
  size.Served(100, 10);  // says nothing of large ones
  EXPECT_EQ(size.bytes(), 512u << 10);
  for (int i = 0; i < 30; ++i) size.Served(1, 600'000);
  EXPECT_EQ(size.bytes(), 4096u);
  EXPECT_EQ(PacketSize(16 << 10).bytes(), 16u << 10);
}

class WriteTriesTest : public ::testing::Test {
 protected:
  TransferOptions options_{.write_attempts = 3, .retry_pause_ms = 1};
  ManualClock clock_;
  std::atomic<bool> stopped_ = false;
  WriteTries tries_{&options_, &clock_, &stopped_};
};

TEST_F(WriteTriesTest, NodesAreLeftOutForAMinute) {
  tries_.LeaveOut(7);
  EXPECT_TRUE(tries_.IsLeftOut(7));
  EXPECT_FALSE(tries_.IsLeftOut(8));
  clock_.AdvanceMs(59'999);
  EXPECT_EQ(tries_.LeftOut(), std::vector<NodeNumber>{7});
  clock_.AdvanceMs(1);
  EXPECT_FALSE(tries_.IsLeftOut(7));
  EXPECT_TRUE(tries_.LeftOut().empty());
}

TEST_F(WriteTriesTest, TheOneThatFailedFirstComesBackFirst) {
  const auto any = [](NodeNumber) { return true; };
  tries_.LeaveOut(9);
  clock_.AdvanceMs(10);
  tries_.LeaveOut(7);
  EXPECT_TRUE(tries_.TakeBackOne([](NodeNumber node) { return node == 7; }));
  EXPECT_EQ(tries_.LeftOut(), std::vector<NodeNumber>{9});
  tries_.LeaveOut(7);
  EXPECT_TRUE(tries_.TakeBackOne(any));
  EXPECT_EQ(tries_.LeftOut(), std::vector<NodeNumber>{7});
  EXPECT_FALSE(tries_.TakeBackOne(any));  // the third try
  tries_.Reset();
  EXPECT_TRUE(tries_.TakeBackOne(any));
  EXPECT_FALSE(tries_.TakeBackOne(any));  // none is left out
  EXPECT_EQ(tries_.count(), 1);
}

TEST_F(WriteTriesTest, TriesAreCounted) {
  EXPECT_TRUE(tries_.Again());
  EXPECT_TRUE(tries_.Again());
  EXPECT_FALSE(tries_.Again());
}

}  // namespace
}  // namespace cairn
