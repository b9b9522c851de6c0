#include "namenode/blocks/datanode_table.h"

#include <gtest/gtest.h>

#include "common/status.h"

namespace cairn::namenode {
namespace {

NodeRegistration Registration(NodeNumber number, uint64_t incarnation, std::string address) {
  NodeRegistration registration;
  registration.number = number;
  registration.id = "node-" + std::to_string(number);
  registration.incarnation = incarnation;
  registration.addresses = {std::move(address)};
  for (const StorageNumber storage : {10 * number, 10 * number + 1}) {
    registration.storages.push_back({storage, "storage-" + std::to_string(storage),
                                     "/d" + std::to_string(storage), 1000, 100, 900, false});
  }
  return registration;
}

class DatanodeTableTest : public ::testing::Test {
 protected:
  void Reported(NodeNumber number) {
    for (Storage* storage : table_.Find(number)->storages) storage->stale = false;
    table_.Refresh(*table_.Find(number), now_);
  }
  NodeState State(NodeNumber number) {
    reason_.clear();
    return table_.State(*table_.Find(number), now_, &reason_);
  }
  PlacementTier Tier(NodeNumber number) {
    table_.FindDead(now_);  // refreshes
    return table_.view().node(table_.Find(number)->view_index).tier;
  }

  BlockManagerOptions options_;
  DatanodeTable table_{options_};
  int64_t now_ = 1'000'000;
  std::string reason_;
};

TEST_F(DatanodeTableTest, StatesOverALife) {
  table_.Load(Registration(1, 0, ""), AdminState::kInService);
  EXPECT_EQ(State(1), NodeState::kFailed);
  EXPECT_EQ(reason_, "not seen since the NameNode started");
  EXPECT_EQ(Tier(1), PlacementTier::kUnusable);
  EXPECT_FALSE(table_.AllReported());

  table_.Register(Registration(1, 7, "a:1"), now_);
  EXPECT_EQ(State(1), NodeState::kRecovering);
  EXPECT_EQ(Tier(1), PlacementTier::kSecondary);
  Reported(1);
  EXPECT_EQ(State(1), NodeState::kHealthy);
  EXPECT_EQ(reason_, "");
  EXPECT_EQ(Tier(1), PlacementTier::kPreferred);
  EXPECT_TRUE(table_.AllReported());

  now_ += options_.stale_after_ms + 1;
  EXPECT_EQ(State(1), NodeState::kDegraded);
  EXPECT_EQ(reason_, "no heartbeat for 10 s");
  EXPECT_EQ(Tier(1), PlacementTier::kLastResort);
  now_ += options_.dead_after_ms;
  ASSERT_EQ(table_.FindDead(now_).size(), 1u);
  EXPECT_TRUE(table_.FindDead(now_).empty());
  EXPECT_EQ(State(1), NodeState::kFailed);
  EXPECT_EQ(KindOf(table_.Speaker("node-1", 7).status()), ErrorKind::kUnknownNode);
}

TEST_F(DatanodeTableTest, FailedVolumes) {
  table_.Register(Registration(1, 7, "a:1"), now_);
  Reported(1);
  HeartbeatReport report;
  report.storages = {{10, "", "", 1000, 100, 900, true}, {11, "", "", 1000, 100, 900, false}};
  const std::vector<Storage*> lost = table_.Heartbeat(*table_.Find(1), report, now_);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0]->number, 10u);
  EXPECT_EQ(State(1), NodeState::kDegraded);
  EXPECT_EQ(reason_, "volume /d10 failed");
  EXPECT_EQ(Tier(1), PlacementTier::kSecondary);
  EXPECT_EQ(table_.Describe(*table_.Find(1), now_).capacity_bytes, 1000u);
  report.storages[1].failed = true;
  table_.Heartbeat(*table_.Find(1), report, now_);
  EXPECT_EQ(State(1), NodeState::kFailed);
  EXPECT_EQ(reason_, "all volumes failed");
}

TEST_F(DatanodeTableTest, SlowVolumes) {
  table_.Register(Registration(1, 7, "a:1"), now_);
  Reported(1);
  HeartbeatReport report;
  report.storages = {{10, "", "", 1000, 100, 900, false},
                     {11, "", "", 1000, 100, 900, false, 310'000, 4'000}};
  EXPECT_TRUE(table_.Heartbeat(*table_.Find(1), report, now_).empty());  // nothing is lost
  EXPECT_EQ(State(1), NodeState::kDegraded);
  EXPECT_EQ(reason_, "volume /d11 is slow: 310.0 ms a write or sync, the others 4.0 ms");
  EXPECT_EQ(Tier(1), PlacementTier::kSecondary);
  EXPECT_TRUE(table_.Describe(*table_.Find(1), now_).volumes[1].slow);
  EXPECT_FALSE(table_.Describe(*table_.Find(1), now_).volumes[0].slow);
  report.storages[1].slow_us = report.storages[1].others_us = 0;
  table_.Heartbeat(*table_.Find(1), report, now_);
  EXPECT_EQ(State(1), NodeState::kHealthy);
}

TEST_F(DatanodeTableTest, SecondLiveNodeWithTheSameIdIsRefused) {
  table_.Register(Registration(1, 7, "a:1"), now_);
  const NodeRegistration second = Registration(1, 8, "b:2");
  EXPECT_TRUE(table_.CheckRegistration(Registration(1, 7, "a:1"), now_).ok());
  EXPECT_TRUE(table_.CheckRegistration(Registration(1, 8, "a:1"), now_).ok());  // a restart
  const absl::Status refused = table_.CheckRegistration(second, now_);
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(MessageOf(refused),
            "DataNode node-1 already runs at a:1; stop that one, or give this one a data directory "
            "of its own");
  now_ += 3 * options_.heartbeat_interval_ms;
  EXPECT_TRUE(table_.CheckRegistration(second, now_).ok());
  table_.Register(second, now_);
  EXPECT_FALSE(table_.Speaker("node-1", 7).ok());  // the old one has no say any more
  EXPECT_TRUE(table_.Speaker("node-1", 8).ok());
  EXPECT_FALSE(table_.CheckRegistration(Registration(1, 7, "a:1"), now_).ok());
}

TEST_F(DatanodeTableTest, StoragesThatAreGoneAreLost) {
  table_.Register(Registration(1, 7, "a:1"), now_);
  NodeRegistration fewer = Registration(1, 8, "a:1");
  fewer.storages.pop_back();
  const std::vector<Storage*> lost = table_.Register(fewer, now_);
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0]->number, 11u);
  EXPECT_TRUE(lost[0]->lost);
  EXPECT_EQ(table_.SpeakerStorage("node-1", 8, 12).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(DatanodeTableTest, PlacementSeesSpaceAndLoad) {
  table_.Register(Registration(1, 7, "a:1"), now_);
  Reported(1);
  DataNode& node = *table_.Find(1);
  HeartbeatReport report;
  report.active_writes = 3;
  report.active_reads = 4;
  node.promised_bytes = 800;
  node.open_blocks = 5;
  table_.Heartbeat(node, report, now_);
  const PlacementNode& view = table_.view().node(node.view_index);
  EXPECT_EQ(view.capacity_bytes, 2000u);
  EXPECT_EQ(view.free_bytes, 1000u);
  EXPECT_EQ(view.transfers, 9u);
  EXPECT_EQ(Tier(1), PlacementTier::kPreferred);
  node.promised_bytes = 1650;  // over 90% full
  EXPECT_EQ(Tier(1), PlacementTier::kSecondary);
}

}  // namespace
}  // namespace cairn::namenode
