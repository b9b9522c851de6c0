// Files whose writers are gone, from the end of the lease until the file is closed.
#include "namenode/monitors/lease_monitor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "common/metrics.h"
#include "tests/unit/namenode/namesystem/writing_fixture.h"

namespace cairn::namenode {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr int64_t kHardLimitMs = 20 * 60'000;
constexpr int64_t kFirstRetryMs = 2 * 3'000 + 10'000;

class LeaseMonitorTest : public ::testing::Test {
 protected:
  LeaseMonitorTest()
      : nodes_(w_.AddNodes()),
        monitor_(&w_.door.clock, &w_.door.namesystem, &w_.door.blocks, {}, &w_.door.metrics) {}

  void Run() { ASSERT_EQ(monitor_.RunOnce(), absl::OkStatus()); }
  // Time passes; the nodes that are not in `silent` send heartbeats. Orders of recovery that they
  // get are collected by node.
  void Pass(int64_t ms, const std::vector<NodeNumber>& silent = {}) {
    for (int64_t left = ms; left > 0; left -= 1000) {
      w_.door.clock.AdvanceMs(std::min<int64_t>(left, 1000));
      for (const auto& [number, node] : nodes_) {
        if (std::count(silent.begin(), silent.end(), number) == 0) Beat(node);
      }
      w_.door.blocks.RunHeartbeatCheck();
    }
  }
  void Beat(const Writing::Node& node) {
    for (const NodeCommand& command : w_.Beat(node)) {
      const auto* order = std::get_if<RecoverBlock>(&command);
      if (order != nullptr) orders_.emplace_back(node.number, *order);
    }
  }
  // The one order that was given; nothing else may be.
  std::pair<NodeNumber, RecoverBlock> TakeOrder() {
    for (const auto& [number, node] : nodes_) Beat(node);
    EXPECT_THAT(orders_, SizeIs(1));
    const auto order = orders_.empty() ? std::pair<NodeNumber, RecoverBlock>() : orders_.back();
    orders_.clear();
    return order;
  }
  static std::vector<NodeNumber> Members(const RecoverBlock& order) {
    std::vector<NodeNumber> numbers;
    for (const NodeAddress& member : order.members) numbers.push_back(member.number);
    return numbers;
  }
  // What its primary does when all goes well: `length` bytes on all members.
  absl::Status Settle(NodeNumber primary, const RecoverBlock& order, uint64_t length) {
    std::vector<StorageNumber> storages;
    for (const NodeNumber n : Members(order)) storages.push_back(nodes_.at(n).storage);
    if (length == 0) storages.clear();
    return w_.Commit(nodes_.at(primary), {order.block.id, order.recovery, length}, storages);
  }
  std::string Metrics() { return w_.door.metrics.RenderText(); }

  Writing w_;
  const std::map<NodeNumber, Writing::Node> nodes_;
  LeaseMonitor monitor_;
  std::vector<std::pair<NodeNumber, RecoverBlock>> orders_;
};

TEST_F(LeaseMonitorTest, ALeaseThatIsNotRenewedEndsAndItsTemporaryGoes) {
  CreateRequest request;
  request.path = "/f._COPYING_.1";
  request.unpublished = true;
  const absl::StatusOr<CreatedFile> created = w_.Create(1, request);
  ASSERT_TRUE(created.ok());
  w_.door.clock.AdvanceMs(kHardLimitMs - 1);
  w_.Renew(1);
  w_.door.clock.AdvanceMs(kHardLimitMs - 1);
  Run();
  EXPECT_TRUE(w_.Exists(request.path));
  w_.door.clock.AdvanceMs(2);
  Run();
  EXPECT_FALSE(w_.Exists(request.path));
  EXPECT_EQ(KindOf(w_.Complete(1, created->inode, {})), ErrorKind::kLeaseLost);
  EXPECT_THAT(Metrics(), HasSubstr("cairn_namenode_leases_ended_total 1\n"));
}

TEST_F(LeaseMonitorTest, AWriterThatLivesKeepsItsOtherFilesToo) {
  CreateRequest request;
  for (const char* path : {"/a", "/b"}) {
    request.path = path;
    ASSERT_TRUE(w_.Create(1, request).ok());
  }
  w_.door.clock.AdvanceMs(kHardLimitMs);
  Run();
  EXPECT_TRUE(w_.Locate("/a").status.open);
  w_.door.clock.AdvanceMs(1);
  Run();
  EXPECT_FALSE(w_.Locate("/a").status.open);  // nothing of it was unfinished
  EXPECT_FALSE(w_.Locate("/b").status.open);
}

TEST_F(LeaseMonitorTest, WhatAWriterLeftOpenIsSettledByItsPipeline) {
  const CreatedFile file = w_.Create(1, "/f");
  Pass(kHardLimitMs + 1000);
  Run();
  EXPECT_TRUE(w_.Locate("/f").status.open);
  EXPECT_THAT(Metrics(), HasSubstr("cairn_namenode_files_in_recovery 1\n"));
  const auto [primary, order] = TakeOrder();
  EXPECT_EQ(order.block, file.block->block);
  EXPECT_GT(order.recovery, file.block->block.generation);
  EXPECT_FALSE(order.cut);
  EXPECT_THAT(Members(order), UnorderedElementsAre(1, 2, 3));
  EXPECT_EQ(Settle(primary, order, 700), absl::OkStatus());

  Run();
  const LocatedFile closed = w_.Locate("/f");
  EXPECT_FALSE(closed.status.open);
  EXPECT_EQ(closed.status.length, 700u);
  EXPECT_EQ(closed.blocks[0].block.generation, order.recovery);
  EXPECT_THAT(Writing::Numbers(closed.blocks[0]), UnorderedElementsAre(1, 2, 3));
  EXPECT_THAT(Metrics(), HasSubstr("cairn_namenode_files_in_recovery 0\n"));
  Pass(200'000);
  Run();
  EXPECT_THAT(orders_, IsEmpty());
}

TEST_F(LeaseMonitorTest, ARecoveryThatDoesNotEndIsOvertakenByAnotherAndCannotEndLater) {
  w_.Create(1, "/f");
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  Run();
  const auto first = TakeOrder();
  Pass(kFirstRetryMs - 1000);
  Run();
  EXPECT_THAT(orders_, IsEmpty());
  Pass(1000);
  Run();
  const auto second = TakeOrder();
  EXPECT_GT(second.second.recovery, first.second.recovery);
  EXPECT_NE(second.first, first.first);  // led by another
  EXPECT_TRUE(absl::IsFailedPrecondition(Settle(first.first, first.second, 10)));
  EXPECT_TRUE(w_.Locate("/f").status.open);

  // Ever more rarely, a minute apart at most.
  Pass(2 * kFirstRetryMs - 1000);
  Run();
  EXPECT_THAT(orders_, IsEmpty());
  Pass(1000);
  Run();
  const auto third = TakeOrder();
  for (int i = 0; i < 3; ++i) {
    Pass(59'000);
    Run();
    EXPECT_THAT(orders_, IsEmpty());
    Pass(1000);
    Run();
    TakeOrder();
  }
  EXPECT_TRUE(absl::IsFailedPrecondition(Settle(third.first, third.second, 10)));
  EXPECT_THAT(Metrics(), HasSubstr("cairn_namenode_block_recoveries_total 6\n"));
}

TEST_F(LeaseMonitorTest, ADeadMemberIsNoLongerAskedAndNotWaitedFor) {
  w_.Create(1, "/f");
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  Run();
  EXPECT_THAT(Members(TakeOrder().second), UnorderedElementsAre(1, 2, 3));
  // The retries back off; but the death of a member is a reason not to wait for the next.
  for (int i = 0; i < 59; ++i) {
    Pass(1000, {2});
    Run();
  }
  orders_.clear();
  Pass(1000, {2});
  Run();
  Beat(nodes_.at(1));
  Beat(nodes_.at(3));
  ASSERT_THAT(orders_, SizeIs(1));
  EXPECT_THAT(Members(orders_[0].second), UnorderedElementsAre(1, 3));
  EXPECT_EQ(Settle(orders_[0].first, orders_[0].second, 5), absl::OkStatus());
  EXPECT_THAT(Writing::Numbers(w_.Locate("/f").blocks[0]), UnorderedElementsAre(1, 3));
}

TEST_F(LeaseMonitorTest, AFileWhoseNodesAreAllDeadWaitsForOne) {
  w_.Create(1, "/f");
  Pass(61'000, {1, 2, 3});
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  for (int i = 0; i < 10; ++i) {
    Pass(60'000, {1, 2, 3});
    Run();
  }
  EXPECT_TRUE(w_.Locate("/f").status.open);
  EXPECT_THAT(Metrics(), HasSubstr("cairn_namenode_files_awaiting_datanodes 1\n"));
  EXPECT_THAT(Metrics(), HasSubstr("cairn_namenode_block_recoveries_total 0\n"));
  w_.AddNode("n3");
  Run();
  Beat(nodes_.at(3));
  ASSERT_THAT(orders_, SizeIs(1));
  EXPECT_THAT(Members(orders_[0].second), UnorderedElementsAre(3));
  EXPECT_EQ(Settle(3, orders_[0].second, 42), absl::OkStatus());
  EXPECT_EQ(w_.Locate("/f").status.length, 42u);
  Run();
  EXPECT_THAT(Metrics(), HasSubstr("cairn_namenode_files_awaiting_datanodes 0\n"));
}

// --- Several open blocks --------------------------------------------------------------------

TEST_F(LeaseMonitorTest, BlocksAreSettledInOrder) {
  const uint64_t size = 8192;
  const CreatedFile file = w_.Create(1, "/f", size);
  std::vector<Block> blocks = {file.block->block};
  for (int i = 0; i < 2; ++i) blocks.push_back(w_.AddBlock(1, file.inode)->block);
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  for (const Block& block : blocks) {
    Run();
    const auto [primary, order] = TakeOrder();
    EXPECT_EQ(order.block, block);
    EXPECT_EQ(Settle(primary, order, block.id == blocks.back().id ? 77 : size), absl::OkStatus());
  }
  const LocatedFile closed = w_.Locate("/f");
  EXPECT_FALSE(closed.status.open);
  EXPECT_EQ(closed.status.length, 2 * size + 77);
}

TEST_F(LeaseMonitorTest, AShortBlockEndsItsFileAndWhatFollowsIsDeleted) {
  const uint64_t size = 8192;
  const CreatedFile file = w_.Create(1, "/f", size);
  std::vector<Block> blocks = {file.block->block};
  for (int i = 0; i < 3; ++i) blocks.push_back(w_.AddBlock(1, file.inode)->block);
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  Run();
  auto order = TakeOrder();
  EXPECT_EQ(Settle(order.first, order.second, size), absl::OkStatus());
  Run();
  order = TakeOrder();
  EXPECT_EQ(Settle(order.first, order.second, 100), absl::OkStatus());
  const LocatedFile closed = w_.Locate("/f");
  EXPECT_FALSE(closed.status.open);
  EXPECT_EQ(closed.status.length, size + 100);
  EXPECT_THAT(closed.blocks, SizeIs(2));
  std::vector<BlockId> deleted;
  for (const NodeCommand& command : w_.Beat(nodes_.at(1))) {
    const auto* deletes = std::get_if<DeleteReplicas>(&command);
    if (deletes == nullptr) continue;
    for (const Block& block : deletes->blocks) deleted.push_back(block.id);
  }
  EXPECT_THAT(deleted, UnorderedElementsAre(blocks[2].id, blocks[3].id));
}

TEST_F(LeaseMonitorTest, ABlockOfWhichNobodyHasAByteGoes) {
  w_.Create(1, "/f");
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  Run();
  const auto [primary, order] = TakeOrder();
  EXPECT_EQ(Settle(primary, order, 0), absl::OkStatus());
  EXPECT_FALSE(w_.Locate("/f").status.open);
  EXPECT_THAT(w_.Locate("/f").blocks, IsEmpty());
}

TEST_F(LeaseMonitorTest, AnAppendedBlockNeverGetsShorterThanItWas) {
  const LocatedBlock written = w_.WriteFile("/f", 1000, nodes_);
  const absl::StatusOr<AppendedFile> file = w_.Append(1, "/f");
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE(w_.NewStamp(1, file->inode, written.block).ok());  // it may have been touched
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  Run();
  const auto [primary, order] = TakeOrder();
  for (const uint64_t length : {0, 999}) {
    EXPECT_TRUE(absl::IsFailedPrecondition(Settle(primary, order, length)));
  }
  EXPECT_TRUE(w_.Locate("/f").status.open);
  EXPECT_EQ(Settle(primary, order, 1000), absl::OkStatus());
  EXPECT_FALSE(w_.Locate("/f").status.open);
}

TEST_F(LeaseMonitorTest, ACutIsOrderedWithTheLengthThatItMustEndAt) {
  const LocatedBlock written = w_.WriteFile("/f", 1000, nodes_);
  ASSERT_FALSE(*w_.Truncate(1, "/f", 300));
  Run();
  const auto [primary, order] = TakeOrder();
  EXPECT_TRUE(order.cut);
  EXPECT_EQ(order.block.length, 300u);
  EXPECT_EQ(order.block.generation, written.block.generation);
  EXPECT_FALSE(Settle(primary, order, 400).ok());
  EXPECT_EQ(Settle(primary, order, 300), absl::OkStatus());
  const LocatedFile cut = w_.Locate("/f");
  EXPECT_FALSE(cut.status.open);
  EXPECT_EQ(cut.status.length, 300u);
  // Their old replicas are outdated; those that were cut are the writers' word yet.
  EXPECT_THAT(Writing::Numbers(cut.blocks[0]), UnorderedElementsAre(1, 2, 3));
  EXPECT_EQ(w_.door.blocks.Report().blocks, w_.door.blocks.Recount());
}

TEST_F(LeaseMonitorTest, ABlockThatWasSettledAndIsOpenAgainIsNotTakenForTheSameRecovery) {
  w_.WriteFile("/f", 1000, nodes_);
  for (const uint64_t length : {900, 800}) {
    ASSERT_FALSE(*w_.Truncate(1, "/f", length));
    Run();
    const auto [primary, order] = TakeOrder();
    EXPECT_EQ(Settle(primary, order, length), absl::OkStatus());
  }
  EXPECT_EQ(w_.Locate("/f").status.length, 800u);
}

TEST_F(LeaseMonitorTest, AFileThatIsDeletedMeanwhileIsForgotten) {
  w_.Create(1, "/f");
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  Run();
  const auto [primary, order] = TakeOrder();
  EXPECT_EQ(AwaitReply<absl::Status>([&](auto reply) {
              w_.door.operations.Delete(w_.Call(2), {"/f", false}, std::move(reply));
            }),
            absl::OkStatus());
  Pass(kFirstRetryMs);
  Run();
  EXPECT_THAT(orders_, IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(Settle(primary, order, 10)));
  EXPECT_THAT(Metrics(), HasSubstr("cairn_namenode_files_in_recovery 0\n"));
}

TEST_F(LeaseMonitorTest, NothingIsDoneInSafeMode) {
  w_.Create(1, "/f");
  w_.Create(2, "/g");
  ASSERT_FALSE(*w_.RecoverLease(3, "/f"));
  w_.door.blocks.EnterSafeMode();
  Pass(kHardLimitMs + 1000);
  const size_t edits = w_.door.journal.records().size();
  Run();
  EXPECT_EQ(w_.door.journal.records().size(), edits);  // no stamp, no lease ended
  EXPECT_THAT(orders_, IsEmpty());
  ASSERT_EQ(w_.door.blocks.LeaveSafeMode(), absl::OkStatus());
  EXPECT_EQ(KindOf(w_.Append(1, "/f").status()), ErrorKind::kRecoveryInProgress);
  Run();
  Pass(1000);
  EXPECT_THAT(orders_, SizeIs(2));
}

// --- A restart in the middle ----------------------------------------------------------------

class RestartTest : public LeaseMonitorTest {
 protected:
  // The NameNode starts again on what its journal holds.
  void Restart() {
    again_.emplace(w_.Reloaded());
    second_ =
        std::make_unique<LeaseMonitor>(&again_->door.clock, &again_->door.namesystem,
                                       &again_->door.blocks, LeaseOptions(), &again_->door.metrics);
  }
  std::vector<RecoverBlock> OrdersOf(const Writing::Node& node) {
    std::vector<RecoverBlock> orders;
    for (const NodeCommand& command : again_->Beat(node)) {
      if (const auto* order = std::get_if<RecoverBlock>(&command)) orders.push_back(*order);
    }
    return orders;
  }

  std::optional<Writing> again_;
  std::unique_ptr<LeaseMonitor> second_;
};

TEST_F(RestartTest, AnotherStampIsTakenOnceAllMembersAreBackAndTheOldOneEndsNothing) {
  w_.Create(1, "/f");
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  Run();
  const auto [primary, order] = TakeOrder();
  Restart();
  ASSERT_TRUE(again_->Locate("/f").status.open);
  for (const char* id : {"n1", "n2"}) {
    again_->AddNode(id);
    ASSERT_EQ(second_->RunOnce(), absl::OkStatus());
  }
  const Writing::Node first{1, nodes_.at(1).storage, "n1"};
  EXPECT_THAT(OrdersOf(first), IsEmpty());  // node 3 may come yet, and know more
  again_->AddNode("n3");
  ASSERT_EQ(second_->RunOnce(), absl::OkStatus());
  std::vector<RecoverBlock> orders;
  for (const auto& [number, node] : nodes_) {
    for (RecoverBlock& one : OrdersOf(node)) orders.push_back(std::move(one));
  }
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_GT(orders[0].recovery, order.recovery);
  EXPECT_EQ(orders[0].block, order.block);
  const Block late{order.block.id, order.recovery, 10};
  EXPECT_TRUE(absl::IsFailedPrecondition(
      again_->Commit(nodes_.at(primary), late, {nodes_.at(primary).storage})));
  const Block settled{order.block.id, orders[0].recovery, 12};
  EXPECT_EQ(again_->Commit(first, settled, {first.storage}), absl::OkStatus());
  EXPECT_EQ(again_->Locate("/f").status.length, 12u);
  EXPECT_FALSE(again_->Locate("/f").status.open);
}

TEST_F(RestartTest, AMemberThatStaysAwayIsGivenUpOnceItIsDead) {
  w_.Create(1, "/f");
  ASSERT_FALSE(*w_.RecoverLease(2, "/f"));
  Restart();
  const Writing::Node first = again_->AddNode("n1");
  for (int i = 0; i < 59; ++i) {
    again_->door.clock.AdvanceMs(1000);
    ASSERT_EQ(second_->RunOnce(), absl::OkStatus());
    ASSERT_THAT(OrdersOf(first), IsEmpty());
  }
  again_->door.clock.AdvanceMs(1000);
  ASSERT_EQ(second_->RunOnce(), absl::OkStatus());
  const std::vector<RecoverBlock> orders = OrdersOf(first);
  ASSERT_THAT(orders, SizeIs(1));
  EXPECT_THAT(Members(orders[0]), UnorderedElementsAre(1));
}

TEST_F(RestartTest, AWriterGoesOnWithTheStampAndPipelineThatAreJournaled) {
  const CreatedFile file = w_.Create(1, "/f");
  const auto stamp = w_.NewStamp(1, file.inode, file.block->block);
  ASSERT_TRUE(stamp.ok());
  ASSERT_EQ(w_.UpdatePipeline(1, file.inode, file.block->block, stamp->generation, {3, 1}),
            absl::OkStatus());
  Restart();
  for (const char* id : {"n1", "n2", "n3"}) again_->AddNode(id);
  ASSERT_EQ(second_->RunOnce(), absl::OkStatus());  // the writer was not silent for long
  const LocatedFile open = again_->Locate("/f");
  EXPECT_EQ(open.blocks[0].block.generation, stamp->generation);
  EXPECT_THAT(Writing::Numbers(open.blocks[0]), UnorderedElementsAre(1, 3));
  Block done = open.blocks[0].block;
  done.length = 9;
  again_->Call(1);  // calls 1 to 3 were of before the restart
  again_->Call(1);
  again_->Call(1);
  EXPECT_EQ(again_->Complete(1, file.inode, {{done, {nodes_.at(3).storage, nodes_.at(1).storage}}}),
            absl::OkStatus());
}

}  // namespace
}  // namespace cairn::namenode
