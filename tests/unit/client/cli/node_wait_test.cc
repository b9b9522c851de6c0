#include "client/cli/node_wait.h"

#include <gtest/gtest.h>

#include "client/cli/admin_text.h"
#include "common/status.h"

namespace cairn::cli {
namespace {

DataNodeReport Node(const std::string& admin_state, uint64_t blocks_left = 0,
                    const std::string& reason = "") {
  DataNodeReport node;
  node.id = "n1";
  node.status = "healthy";
  node.admin_state = admin_state;
  node.blocks_left = blocks_left;
  node.admin_reason = reason;
  return node;
}

TEST(NodeWaitTest, WhenANodeIsThere) {
  EXPECT_EQ(Reached(NodeGoal::kDecommissioned, Node("decommissioning", 3)).value(), false);
  EXPECT_EQ(Reached(NodeGoal::kDecommissioned, Node("decommissioning")).value(), false);
  EXPECT_EQ(Reached(NodeGoal::kDecommissioned, Node("decommissioned")).value(), true);
  EXPECT_EQ(Reached(NodeGoal::kMaintenance, Node("maintenance", 1)).value(), false);
  EXPECT_EQ(Reached(NodeGoal::kMaintenance, Node("maintenance", 0, "safe mode")).value(), false);
  EXPECT_EQ(Reached(NodeGoal::kMaintenance, Node("maintenance")).value(), true);
  EXPECT_EQ(Reached(NodeGoal::kInService, Node("in_service")).value(), true);
  DataNodeReport away = Node("in_service");
  away.status = "failed";
  EXPECT_EQ(Reached(NodeGoal::kInService, away).value(), false);
}

TEST(NodeWaitTest, AnotherAdministratorsWordEndsTheWait) {
  EXPECT_EQ(MessageOf(Reached(NodeGoal::kDecommissioned, Node("in_service")).status()),
            "DataNode n1 is in_service now: another administrator has changed it");
  EXPECT_FALSE(Reached(NodeGoal::kMaintenance, Node("decommissioning")).ok());
  EXPECT_FALSE(Reached(NodeGoal::kInService, Node("maintenance")).ok());
}

TEST(NodeWaitTest, TheLineTellsBlocksAndTimeLeft) {
  NodeWaitNumbers numbers{.blocks_left = 750, .most_blocks_left = 1000, .elapsed_ms = 20'000};
  EXPECT_EQ(FormatNodeWait(numbers, 50), " 25% 750 of 1000 blocks left, 1m01s left");
  EXPECT_EQ(FormatNodeWait(numbers, 56),
            " 25% [===>         ] 750 of 1000 blocks left, 1m01s left");
  EXPECT_EQ(FormatNodeWait(numbers, 12), " 25% 750 of ");
  numbers.blocks_left = 1000;  // no rate yet
  EXPECT_EQ(FormatNodeWait(numbers, 30), "  0% 1000 of 1000 blocks left");
  numbers.blocks_left = 12;
  numbers.most_blocks_left = 12;
  numbers.obstacle = "need 3 other DataNodes, 2 available";
  EXPECT_EQ(FormatNodeWait(numbers, 60),
            "  0% 12 of 12 blocks left: need 3 other DataNodes, 2 availab");
  numbers.blocks_left = 0;
  numbers.reason = "waits for block reports of other DataNodes";
  EXPECT_EQ(FormatNodeWait(numbers, 80), numbers.reason);
}

TEST(NodeWaitTest, TheObstacleIsWhatStandsBehindTheColon) {
  EXPECT_EQ(Obstacle(Node("decommissioning", 12, "waits for 12 blocks")), "");
  EXPECT_EQ(Obstacle(Node("decommissioning", 1, "waits for 1 block: 1 being written")),
            "1 being written");
}

TEST(NodeWaitTest, TheTableOfNodesSaysIt) {
  DataNodeReport node = Node("decommissioning", 1, "waits for 1 block: 1 being written");
  node.status = "degraded";
  node.reason = "no heartbeat for 11 s";
  const std::string text = NodesText({node});
  EXPECT_NE(text.find("degraded, decommissioning"), std::string::npos) << text;
  EXPECT_NE(text.find("no heartbeat for 11 s; waits for 1 block: 1 being written"),
            std::string::npos)
      << text;
}

}  // namespace
}  // namespace cairn::cli
