// Block recovery over gRPC: what the members of a pipeline agree on when their writer is gone.
#include "datanode/pipeline/block_recovery.h"

#include <gmock/gmock.h>

#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr Block kBlock{.id = 77, .generation = 3, .length = 8 << 20};
constexpr Block kAsJournaled{.id = 77, .generation = 3, .length = 0};

class BlockRecoveryTest : public PipelineTest {
 protected:
  // A replica without a writer, of the first bytes of the same content.
  void PutOpen(size_t node, uint64_t length, GenerationStamp generation = 3) {
    const auto writer = nodes_[node]->store().Create({77, generation, kBlock.length});
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_TRUE(AppendAll(**writer, bytes_.substr(0, length), 64 << 10).ok());
  }
  void PutFinalized(size_t node, uint64_t length, GenerationStamp generation = 3) {
    ASSERT_TRUE(
        Put(nodes_[node]->store(), {77, generation, kBlock.length}, bytes_.substr(0, length)).ok());
  }
  void PutRestarted(size_t node, uint64_t length) {
    PutOpen(node, length);
    nodes_[node]->Restart();
  }
  absl::StatusOr<RecoveryResult> Recover(GenerationStamp recovery, size_t leader = 0,
                                         Block block = kAsJournaled, bool cut = false) {
    RecoveryOrder order{.block = block, .recovery = recovery, .members = {}, .cut = cut};
    for (const auto& node : nodes_) order.members.push_back(node->AsTarget());
    return RecoverBlock(order, &nodes_[leader]->peers());
  }
  void ExpectSettled(const std::vector<size_t>& nodes, GenerationStamp generation,
                     uint64_t length) {
    for (const size_t node : nodes) {
      EXPECT_EQ(nodes_[node]->StateOf(77),
                "finalized " + std::to_string(generation) + "/" + std::to_string(length))
          << node;
      EXPECT_TRUE(*Get(nodes_[node]->store(), {77, generation, 0}) == bytes_.substr(0, length));
    }
  }

  const std::string bytes_ = BytesOf(7, 200'000);
};

TEST_F(BlockRecoveryTest, AWriterIsStoppedForGood) {
  Start(3);
  TestWriter writer(*nodes_[0]);
  WriteStart(writer, kBlock, bytes_.substr(0, 100'000));
  const auto result = Recover(9);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->block, (Block{77, 9, 100'000}));
  EXPECT_THAT(result->storages, ElementsAre(10, 20, 30));
  ExpectSettled({0, 1, 2}, 9, 100'000);
  writer.Send(TestWriter::Packet(2, 98'304, bytes_.substr(98'304), false));
  EXPECT_EQ(writer.ReadAck().nodes_size(), 0);
  TestWriter late(*nodes_[0]);
  late.Open({77, 8, kBlock.length}, Behind(),
            {.stage = v1::WriteHeader::RECOVER, .from_generation = 3, .from_length = 100'000});
  EXPECT_THAT(late.ReadCodes(), Each(static_cast<int>(absl::StatusCode::kFailedPrecondition)));
  ExpectSettled({0, 1, 2}, 9, 100'000);
  for (const auto& node : nodes_) {
    node->CutPower();
    EXPECT_TRUE(*Get(node->store(), {77, 9, 0}) == bytes_.substr(0, 100'000));
  }
  ExpectAllIdle();
}

TEST_F(BlockRecoveryTest, OpenReplicasAreCutToTheShortest) {
  Start(3);
  PutOpen(0, 150'000);
  PutOpen(1, 100'001);
  PutOpen(2, 200'000, 4);  // took a stamp that no pipeline got
  const auto result = Recover(9);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->block.length, 100'001u);
  ExpectSettled({0, 1, 2}, 9, 100'001);
}

TEST_F(BlockRecoveryTest, OneThatRestartedCountsOnlyWhereNoneIsOpen) {
  Start(3);
  PutOpen(0, 150'000);
  PutRestarted(1, 100'000);
  PutRestarted(2, 160'000);
  const auto result = Recover(9, /*leader=*/1);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->block.length, 150'000u);
  EXPECT_THAT(result->storages, ElementsAre(10, 30));
  ExpectSettled({0, 2}, 9, 150'000);
  EXPECT_EQ(nodes_[1]->StateOf(77), "waiting 3/100000");  // stale now
}

TEST_F(BlockRecoveryTest, WhatAPowerCutLeftIsKept) {
  Start(3);
  PutRestarted(0, 100'000);
  PutRestarted(1, 150'000);
  const auto result = Recover(9);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->block.length, 150'000u);
  EXPECT_THAT(result->storages, ElementsAre(20));
  ExpectSettled({1}, 9, 150'000);
}

TEST_F(BlockRecoveryTest, AFinalizedReplicaFixesTheLength) {
  Start(3);
  PutFinalized(0, 150'000);
  PutOpen(1, 150'000);
  PutOpen(2, 100'000);
  const auto result = Recover(9);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->storages, ElementsAre(10, 20));
  ExpectSettled({0, 1}, 9, 150'000);
}

TEST_F(BlockRecoveryTest, OlderReplicasAreAsGoodAsNone) {
  Start(3);
  PutFinalized(0, 150'000, 2);
  PutOpen(1, 100'000);
  const auto result = Recover(9);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->block.length, 100'000u);
  EXPECT_THAT(result->storages, ElementsAre(20));
  EXPECT_EQ(nodes_[0]->StateOf(77), "finalized 2/150000");
}

TEST_F(BlockRecoveryTest, NobodyHasAByte) {
  Start(2);
  const auto result = Recover(9);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->block, (Block{77, 9, 0}));
  EXPECT_THAT(result->storages, IsEmpty());
}

TEST_F(BlockRecoveryTest, AMemberThatDoesNotAnswerEndsItUntilTheNextTry) {
  Start(3);
  for (size_t i = 0; i < 3; ++i) PutOpen(i, 100'000 + 1'000 * i);
  nodes_[2]->Kill();
  const absl::Status status = Recover(9).status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(States(77), Each(testing::StartsWith("waiting 3/")));
  nodes_.pop_back();
  const absl::Status again = Recover(9).status();  // needs a new stamp
  EXPECT_EQ(KindOf(again), ErrorKind::kStaleReplica) << again;
  const auto result = Recover(10, /*leader=*/1);
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectSettled({0, 1}, 10, 100'000);
}

TEST_F(BlockRecoveryTest, AfterOneThatWasNotCommittedEverythingIsAgreedOnAgain) {
  Start(2);
  PutRestarted(0, 50'000);
  PutOpen(1, 150'000);
  std::unique_ptr<TestNode> second = std::move(nodes_.back());
  nodes_.pop_back();
  ASSERT_TRUE(Recover(9).ok());  // of what one node had lost; the NameNode does not hear of it
  ExpectSettled({0}, 9, 50'000);
  nodes_.push_back(std::move(second));
  const auto result = Recover(10);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->block.length, 150'000u);
  EXPECT_THAT(result->storages, ElementsAre(20));
  ExpectSettled({1}, 10, 150'000);
}

TEST_F(BlockRecoveryTest, ALaterRecoveryFencesAnEarlierOne) {
  Start(1);
  PutOpen(0, 100'000);
  TestCaller caller(*nodes_[0]);
  const auto earlier = caller.StartRecovery(kAsJournaled, 9);
  ASSERT_TRUE(earlier.ok()) << earlier.status();
  EXPECT_EQ(earlier->state(), v1::StartRecoveryReply::OPEN);
  const auto later = caller.StartRecovery(kAsJournaled, 10);
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_FALSE(caller.FinishRecovery({77, 3, 50'000}, 9).ok());
  EXPECT_EQ(nodes_[0]->StateOf(77), "waiting 3/100000");
  const auto finished = caller.FinishRecovery({77, 3, 60'000}, 10);
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(finished->storage(), 10u);
  ExpectSettled({0}, 10, 60'000);
  EXPECT_TRUE(caller.FinishRecovery({77, 3, 60'000}, 10).ok());  // a retry
  EXPECT_FALSE(caller.FinishRecovery({77, 3, 70'000}, 10).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(caller.StartRecovery({77, 3, 0}, 3).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(caller.StartRecovery({0, 3, 0}, 4).status()));
}

TEST_F(BlockRecoveryTest, ATruncationCutsFinalizedReplicas) {
  Start(3);
  for (size_t i = 0; i < 3; ++i) PutFinalized(i, 150'000);
  const auto result = Recover(9, 0, {.id = 77, .generation = 3, .length = 70'001}, /*cut=*/true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->storages, UnorderedElementsAre(10, 20, 30));
  ExpectSettled({0, 1, 2}, 9, 70'001);
  for (const auto& node : nodes_) {
    node->CutPower();
    EXPECT_TRUE(*Get(node->store(), {77, 9, 0}) == bytes_.substr(0, 70'001));
  }
  const absl::Status more =
      Recover(10, 0, {.id = 77, .generation = 9, .length = 70'002}, /*cut=*/true).status();
  EXPECT_THAT(more.ToString(), HasSubstr("no replica of block 77 has 70002 bytes"));
}

TEST_F(BlockRecoveryTest, AFullDiskLeavesTheOthersToFinish) {
  Start(2);
  PutFinalized(0, 150'000);
  PutFinalized(1, 150'000);
  nodes_[0]->env().SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kWrite ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  const auto result = Recover(9, 0, {.id = 77, .generation = 3, .length = 70'001}, /*cut=*/true);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->storages, ElementsAre(20));
  nodes_[0]->env().SetHook(nullptr);
  EXPECT_TRUE(*Get(nodes_[0]->store(), kAsJournaled) == bytes_.substr(0, 150'000));
}

TEST_F(BlockRecoveryTest, AWriterThatHangsKeepsItFromBeingSettled) {
  TestNode::Options options;
  options.receiver.fence_ms = 100;
  Start(1, options);
  TestWriter writer(*nodes_[0]);
  WriteStart(writer, kBlock, bytes_.substr(0, 100'000));
  const Hang hang(nodes_[0]->env());
  writer.Send(TestWriter::Packet(2, 98'304, bytes_.substr(98'304), false));
  EXPECT_TRUE(Eventually([&] { return hang.waiting() > 0; }));
  EXPECT_TRUE(absl::IsUnavailable(Recover(9).status()));
  hang.End();
  EXPECT_TRUE(Eventually([&] { return nodes_[0]->IsIdle(); }));
  const auto result = Recover(10);
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectSettled({0}, 10, 200'000);
}

TEST_F(BlockRecoveryTest, AStoppedNodeAsksNobody) {
  Start(2);
  PutOpen(1, 100'000);
  nodes_[0]->peers().Stop();
  EXPECT_TRUE(absl::IsCancelled(Recover(9).status()));
}

}  // namespace
}  // namespace cairn::datanode
