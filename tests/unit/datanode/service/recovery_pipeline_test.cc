// Pipelines that go on with the replicas of an earlier one, and nodes that join them.
#include <gmock/gmock.h>

#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Block kBlock{.id = 77, .generation = 3, .length = 8 << 20};
constexpr int kOk = 0;
constexpr int kPrecondition = static_cast<int>(absl::StatusCode::kFailedPrecondition);

class RecoveryPipelineTest : public PipelineTest {
 protected:
  static constexpr Block Stamped(GenerationStamp generation) {
    return {.id = kBlock.id, .generation = generation, .length = kBlock.length};
  }
  static How Recover(uint64_t from_length, GenerationStamp from_generation = 3) {
    return {.stage = v1::WriteHeader::RECOVER,
            .from_generation = from_generation,
            .from_length = from_length};
  }
  // Sends `bytes` from a chunk border on as the last packet, and expects it whole at these nodes.
  void FinishAndExpect(TestWriter& writer, uint64_t seq, uint64_t from, const std::string& bytes,
                       const std::vector<size_t>& nodes, GenerationStamp generation) {
    writer.Send(TestWriter::Packet(seq, from, bytes.substr(from), true));
    const v1::WriteAck last = writer.ReadAck();
    ASSERT_EQ(last.nodes_size(), static_cast<int>(nodes.size()));
    for (const v1::NodeAck& node : last.nodes()) {
      EXPECT_EQ(node.code(), 0) << node.message();
      EXPECT_EQ(node.durable_length(), bytes.size());
    }
    EXPECT_TRUE(writer.Finish().ok());
    for (const size_t node : nodes) {
      EXPECT_TRUE(*Get(nodes_[node]->store(), Stamped(generation)) == bytes) << node;
    }
  }
};

TEST_F(RecoveryPipelineTest, SurvivorsGoOnWhereTheFirstPipelineEnded) {
  const std::string bytes = BytesOf(1, 3 << 20);
  for (const size_t victim : {0, 1, 2}) {
    nodes_.clear();
    Start(3);
    TestWriter first(*nodes_[0]);
    WriteStart(first, kBlock, bytes.substr(0, 1'000'000));
    nodes_[victim]->Kill();
    std::vector<size_t> survivors;
    for (size_t i = 0; i < 3; ++i) {
      if (i != victim) survivors.push_back(i);
    }
    // The writer of the first pipeline has not left: the second one takes its place.
    TestWriter second(*nodes_[survivors[0]]);
    second.Open(Stamped(4), {nodes_[survivors[1]].get()}, Recover(1'000'000));
    EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk, kOk));
    const uint64_t from = 1'000'000 / kChunkBytes * kChunkBytes;
    second.Send(TestWriter::Packet(1, from, bytes.substr(from, 1 << 20), false));
    EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk, kOk));
    FinishAndExpect(second, 2, (from + (1 << 20)), bytes, survivors, 4);
    for (const size_t node : survivors) {
      EXPECT_EQ(KindOf(TestCaller(*nodes_[node]).Read({77, 5, 0}, 0, 0).status),
                ErrorKind::kStaleReplica);
    }
    ExpectAllIdle();
  }
}

TEST_F(RecoveryPipelineTest, BytesThatWereStoredButNotAckedComeAgain) {
  Start(2);
  const std::string bytes = BytesOf(1, 300'000);
  {
    TestWriter first(*nodes_[0]);
    WriteStart(first, kBlock, bytes.substr(0, 100'000));
    nodes_[1]->Kill();
    first.Send(TestWriter::Packet(2, 98'304, bytes.substr(98'304, 100'000), false));
    first.ReadAck();  // the mirror failed
    nodes_[1]->Restart();
  }
  EXPECT_THAT(States(77),
              ElementsAre(testing::AnyOf("open 3/198304", "waiting 3/198304"), "waiting 3/100000"));
  TestWriter second(*nodes_[0]);
  second.Open(Stamped(4), Behind(), Recover(100'000));
  EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk, kOk));
  EXPECT_EQ(TestCaller(*nodes_[0]).GetReplica({77, 4, 0})->block().length(), 100'000u);
  // Packets of other sizes than before; the first one lies wholly in what node 1 has.
  second.Send(TestWriter::Packet(1, 98'304, bytes.substr(98'304, 50'000), false));
  EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk, kOk));
  EXPECT_EQ(TestCaller(*nodes_[0]).GetReplica({77, 4, 0})->block().length(), 148'304u);
  FinishAndExpect(second, 2, 147'456, bytes, {0, 1}, 4);
  ExpectAllIdle();
}

TEST_F(RecoveryPipelineTest, AReplicaThatDiffersFromTheWritersIsNamed) {
  Start(2);
  const std::string bytes = BytesOf(1, 100'000);
  {
    TestWriter first(*nodes_[0]);
    WriteStart(first, kBlock, bytes);
  }
  EXPECT_TRUE(Eventually([&] { return nodes_[1]->IsIdle(); }));
  TestWriter second(*nodes_[0]);
  second.Open(Stamped(4), Behind(), Recover(40'960));
  EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk, kOk));
  std::string other = bytes.substr(40'960, 8'192);
  other[5'000] ^= 1;
  second.Send(TestWriter::Packet(1, 40'960, other, false));
  const v1::WriteAck ack = second.ReadAck();
  ASSERT_EQ(ack.nodes_size(), 2);
  for (const v1::NodeAck& node : ack.nodes()) {
    EXPECT_EQ(node.code(), static_cast<int>(absl::StatusCode::kDataLoss));
    EXPECT_EQ(node.kind(), 0);  // no bytes were damaged on their way
  }
}

TEST_F(RecoveryPipelineTest, StaleWritersAndReplicasAreRefused) {
  Start(1);
  const std::string bytes = BytesOf(1, 50'000);
  TestWriter first(*nodes_[0]);
  WriteStart(first, kBlock, bytes);
  const auto setup_code = [&](const Block& block, How how) {
    TestWriter writer(*nodes_[0]);
    writer.Open(block, {}, how);
    const std::vector<int> codes = writer.ReadCodes();
    return codes.empty() ? -1 : codes[0];
  };
  EXPECT_EQ(setup_code(Stamped(4), Recover(50'001)), kPrecondition);     // more than it has
  EXPECT_EQ(setup_code(Stamped(6), Recover(50'000, 5)), kPrecondition);  // older than that
  EXPECT_EQ(setup_code({78, 4, 1 << 20}, Recover(1)),
            static_cast<int>(absl::StatusCode::kNotFound));
  // None of these is at work any more; the first writer was fenced off.
  EXPECT_TRUE(Eventually([&] { return nodes_[0]->IsIdle(); }));
  {
    TestWriter second(*nodes_[0]);
    second.Open(Stamped(5), {}, Recover(50'000));
    EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk));
    // The first writer's stream has ended, and an older recovery than the one at work is fenced.
    first.Send(TestWriter::Packet(2, 49'152, BytesOf(2, 10'000), false));
    EXPECT_EQ(first.ReadAck().nodes_size(), 0);
    EXPECT_NE(setup_code(Stamped(4), Recover(50'000)), kOk);
    second.Send(TestWriter::Packet(1, 49'152, bytes.substr(49'152), false));
    EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk));
  }
  EXPECT_TRUE(Eventually([&] { return nodes_[0]->StateOf(77) == "waiting 5/50000"; }));
  EXPECT_EQ(setup_code(Stamped(5), Recover(50'000)), kPrecondition);  // that stamp has been
  ExpectAllIdle();
}

TEST_F(RecoveryPipelineTest, AFinalizedReplicaGoesOnForAnAppend) {
  Start(2);
  const std::string bytes = BytesOf(1, 100'000);
  for (const auto& node : nodes_) {
    ASSERT_TRUE(Put(node->store(), kBlock, bytes.substr(0, 60'000)).ok());
  }
  {
    TestWriter writer(*nodes_[0]);
    writer.Open(Stamped(4), Behind(), Recover(60'000));
    EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk));
    // What was there can be read on, under both stamps.
    EXPECT_TRUE(TestCaller(*nodes_[1]).Read({77, 3, 60'000}, 0, 0).bytes ==
                bytes.substr(0, 60'000));
    EXPECT_TRUE(TestCaller(*nodes_[1]).Read({77, 4, 60'000}, 0, 0).bytes ==
                bytes.substr(0, 60'000));
    FinishAndExpect(writer, 1, 57'344, bytes, {0, 1}, 4);
  }
  ExpectAllIdle();
}

TEST_F(RecoveryPipelineTest, ANodeThatJoinsGetsTheStartAndGoesOn) {
  Start(4);
  const std::string bytes = BytesOf(1, 3 << 20);
  const uint64_t acked = (2 << 20) + 777;
  TestWriter first(*nodes_[0]);
  first.Open(kBlock, {nodes_[1].get(), nodes_[2].get()});
  first.ReadAck();
  first.Send(TestWriter::Packet(1, 0, bytes.substr(0, 2 << 20), false));
  first.Send(TestWriter::Packet(2, 2 << 20, bytes.substr(2 << 20, 777), false));
  EXPECT_THAT(first.ReadCodes(), ElementsAre(kOk, kOk, kOk));
  EXPECT_THAT(first.ReadCodes(), ElementsAre(kOk, kOk, kOk));
  nodes_[1]->Kill();
  // From a survivor whose writer is still there.
  const absl::Status sent =
      TestCaller(*nodes_[2]).TransferBlock({77, 3, acked}, {nodes_[3]->Address()});
  ASSERT_TRUE(sent.ok()) << sent;
  const std::string joined = "waiting 3/" + std::to_string(acked);
  EXPECT_TRUE(Eventually([&] { return nodes_[3]->StateOf(77) == joined; }));
  nodes_[3]->CutPower();  // it was made durable
  EXPECT_EQ(nodes_[3]->StateOf(77), joined);
  TestWriter second(*nodes_[0]);
  second.Open(Stamped(4), {nodes_[2].get(), nodes_[3].get()}, Recover(acked));
  EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk, kOk, kOk));
  FinishAndExpect(second, 1, 2 << 20, bytes, {0, 2, 3}, 4);
  nodes_[1]->Restart();
  EXPECT_EQ(nodes_[1]->StateOf(77), joined);
  ExpectAllIdle();
}

TEST_F(RecoveryPipelineTest, ATransferCanBeRepeatedAndCutAnywhere) {
  Start(3);
  const std::string bytes = BytesOf(1, 100'000);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, {nodes_[1].get()});
  writer.ReadAck();
  writer.Send(TestWriter::Packet(1, 0, bytes, false));
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk));
  for (const uint64_t length : {1, 4'096, 50'000, 100'000}) {
    const absl::Status sent =
        TestCaller(*nodes_[1]).TransferBlock({77, 3, length}, {nodes_[2]->Address()});
    EXPECT_TRUE(sent.ok()) << length << ": " << sent;
    const std::string joined = "waiting 3/" + std::to_string(length);
    EXPECT_TRUE(Eventually([&] { return nodes_[2]->StateOf(77) == joined; }));
    const auto got = GetAs(nodes_[2]->store(), {77, 3, length}, ReadAs::kExact);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_TRUE(*got == bytes.substr(0, length));
  }
  EXPECT_FALSE(TestCaller(*nodes_[1]).TransferBlock({77, 3, 100'001}, {nodes_[2]->Address()}).ok());
  EXPECT_EQ(nodes_[2]->StateOf(77), "waiting 3/100000");
  EXPECT_TRUE(absl::IsInvalidArgument(TestCaller(*nodes_[1]).TransferBlock({77, 3, 1}, {})));
}

// A replica without a byte goes with its writer: who has acknowledged nothing can begin again.
TEST_F(RecoveryPipelineTest, APipelineThatFailsBeforeTheFirstByteGoesOnToo) {
  Start(3);
  TestWriter first(*nodes_[0]);
  first.Open(kBlock, {nodes_[1].get()});
  EXPECT_THAT(first.ReadCodes(), ElementsAre(kOk, kOk));
  first.Leave();
  EXPECT_TRUE(Eventually([&] { return nodes_[0]->IsIdle(); }));
  EXPECT_TRUE(absl::IsNotFound(TestCaller(*nodes_[0]).GetReplica(kBlock).status()));
  TestWriter second(*nodes_[0]);
  second.Open(Stamped(4), {nodes_[2].get()}, Recover(0));
  EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk, kOk));
  FinishAndExpect(second, 1, 0, BytesOf(1, 5'000), {0, 2}, 4);
  ExpectAllIdle();
}

TEST_F(RecoveryPipelineTest, ATransferThatFailsLeavesNothing) {
  Start(3);
  const std::string bytes = BytesOf(1, 3 << 20);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, {nodes_[1].get()});
  writer.ReadAck();
  for (uint64_t i = 0; i < 3; ++i) {
    writer.Send(TestWriter::Packet(1 + i, i << 20, bytes.substr(i << 20, 1 << 20), false));
    EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk));
  }
  int writes = 0;
  nodes_[2]->env().SetHook([&writes](FaultOp op, const std::string& path) {
    return op == FaultOp::kWrite && ++writes > 3 ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  const absl::Status full =
      TestCaller(*nodes_[1]).TransferBlock({77, 3, 3 << 20}, {nodes_[2]->Address()});
  EXPECT_EQ(KindOf(full), ErrorKind::kNoSpace) << full;
  EXPECT_TRUE(Eventually([&] { return nodes_[2]->StateOf(77) == "none"; }));
  nodes_[2]->env().SetHook(nullptr);
  nodes_[2]->Kill();
  const absl::Status gone =
      TestCaller(*nodes_[1]).TransferBlock({77, 3, 3 << 20}, {nodes_[2]->Address()});
  EXPECT_TRUE(absl::IsUnavailable(gone) || absl::IsDeadlineExceeded(gone)) << gone;
  // The pipeline does not notice.
  writer.Send(TestWriter::Packet(4, 3 << 20, "", true));
  EXPECT_EQ(NodeOf(writer.ReadAck(), 1).durable_length(), uint64_t{3} << 20);
  writer.Finish().IgnoreError();
  nodes_.pop_back();
  ExpectAllIdle();
}

// One node of three gets the last packet and hangs: the others have finalized their replicas.
TEST_F(RecoveryPipelineTest, AFailureAtTheLastPacketReopensWhatIsFinalized) {
  TestNode::Options options;
  options.receiver.alive_ms = 20;
  options.receiver.max_progress_ms = 4'000;
  Start(3, options);
  const std::string bytes = BytesOf(1, 200'000);
  TestWriter first(*nodes_[0]);
  WriteStart(first, kBlock, bytes.substr(0, 100'000));
  const Hang hang(nodes_[1]->env());
  first.Send(TestWriter::Packet(2, 98'304, bytes.substr(98'304), true));
  const v1::WriteAck ack = first.ReadAck();
  ASSERT_EQ(ack.nodes_size(), 3);
  EXPECT_EQ(NodeOf(ack, 0).durable_length(), bytes.size());
  EXPECT_EQ(NodeOf(ack, 1).code(), static_cast<int>(absl::StatusCode::kDeadlineExceeded));
  EXPECT_TRUE(Eventually([&] { return nodes_[2]->StateOf(77) == "finalized 3/200000"; }));
  TestWriter second(*nodes_[0]);
  second.Open(Stamped(4), {nodes_[2].get()}, Recover(100'000));
  EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk, kOk));
  FinishAndExpect(second, 1, 98'304, bytes, {0, 2}, 4);
  hang.End();
  ExpectAllIdle();
}

// All nodes have finalized, but the writer did not hear of it.
TEST_F(RecoveryPipelineTest, ALastAckThatIsLostIsAskedForAgain) {
  Start(2);
  const std::string bytes = BytesOf(1, 200'000);
  {
    TestWriter first(*nodes_[0]);
    first.Open(kBlock, Behind());
    first.ReadAck();
    ASSERT_EQ(first.SendAll(bytes, 100'000 / kChunkBytes * kChunkBytes).nodes_size(), 2);
  }
  EXPECT_THAT(States(77), Each("finalized 3/200000"));
  TestWriter second(*nodes_[0]);
  second.Open(Stamped(4), Behind(), Recover(100'000));
  EXPECT_THAT(second.ReadCodes(), ElementsAre(kOk, kOk));
  FinishAndExpect(second, 1, 98'304, bytes, {0, 1}, 4);
  ExpectAllIdle();
}

// A node in the middle that has lost its replica is named; those around it are ready.
TEST_F(RecoveryPipelineTest, ANodeWithoutAReplicaIsNamed) {
  Start(3);
  {
    TestWriter first(*nodes_[0]);
    WriteStart(first, kBlock, BytesOf(1, 50'000));
  }
  EXPECT_TRUE(Eventually([&] { return nodes_[1]->StateOf(77) == "waiting 3/50000"; }));
  ASSERT_TRUE(nodes_[1]->store().Delete(kBlock).ok());
  TestWriter second(*nodes_[0]);
  second.Open(Stamped(4), Behind(), Recover(50'000));
  EXPECT_THAT(second.ReadCodes(),
              ElementsAre(kOk, static_cast<int>(absl::StatusCode::kNotFound), kOk));
  second.Leave();
  ExpectAllIdle();
}

// A recovery that finds the writer before it in the middle of a write that hangs.
TEST_F(RecoveryPipelineTest, AWriterThatHangsIsWaitedForAndThenNamed) {
  TestNode::Options options;
  options.receiver.fence_ms = 200;
  Start(1, options);
  const std::string bytes = BytesOf(1, 50'000);
  TestWriter first(*nodes_[0]);
  WriteStart(first, kBlock, bytes);
  const Hang hang(nodes_[0]->env());
  first.Send(TestWriter::Packet(2, 49'152, bytes.substr(49'152) + "more", false));
  EXPECT_TRUE(Eventually([&] { return hang.waiting() > 0; }));
  {
    TestWriter second(*nodes_[0]);
    second.Open(Stamped(4), {}, Recover(50'000));
    const v1::WriteAck setup = second.ReadAck();
    ASSERT_EQ(setup.nodes_size(), 1);
    EXPECT_EQ(NodeOf(setup, 0).code(), static_cast<int>(absl::StatusCode::kUnavailable));
    EXPECT_THAT(NodeOf(setup, 0).message(), HasSubstr("still being written"));
  }
  hang.End();
  EXPECT_TRUE(Eventually([&] { return nodes_[0]->IsIdle(); }));
  TestWriter third(*nodes_[0]);
  third.Open(Stamped(5), {}, Recover(50'000));
  EXPECT_THAT(third.ReadCodes(), ElementsAre(kOk));
  FinishAndExpect(third, 1, 49'152, bytes + "more", {0}, 5);
  ExpectAllIdle();
}

}  // namespace
}  // namespace cairn::datanode
