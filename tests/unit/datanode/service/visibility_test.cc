// What readers get of a replica that is being written, and what the consistency levels promise.
#include <gmock/gmock.h>

#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr Block kBlock{.id = 77, .generation = 3, .length = 8 << 20};
const std::string kRbwData = "/d0/current/rbw/blk_77";

class VisibilityTest : public PipelineTest {
 protected:
  // What may be read of the block at a node; -1: nothing is known.
  int64_t Visible(size_t node) {
    const auto reply = TestCaller(*nodes_[node]).GetReplica(kBlockAnyLength);
    if (!reply.ok()) return -1;
    EXPECT_TRUE(reply->open());
    EXPECT_EQ(reply->block().generation(), 3u);
    return static_cast<int64_t>(reply->block().length());
  }
  static constexpr Block kBlockAnyLength{.id = 77, .generation = 3, .length = 0};
};

TEST_F(VisibilityTest, WhatIsAckedCanBeReadEverywhere) {
  Start(3);
  const std::string bytes = BytesOf(1, 20'000);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, Behind());
  writer.ReadAck();
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(Visible(i), 0);
  // A flush within a chunk, and one after it: the chunk comes again.
  writer.Send(TestWriter::Packet(1, 0, bytes.substr(0, 5'000), false));
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(0, 0, 0));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Visible(i), 5'000);
    const auto read = TestCaller(*nodes_[i]).Read({77, 3, 5'000}, 0, 0);
    EXPECT_TRUE(read.status.ok()) << read.status;
    EXPECT_TRUE(read.bytes == bytes.substr(0, 5'000));
  }
  writer.Send(TestWriter::Packet(2, 4'096, bytes.substr(4'096, 10'000), false));
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(0, 0, 0));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(Visible(i), 14'096);
    const auto read = TestCaller(*nodes_[i]).Read({77, 3, 14'096}, 5'000, 5'000);
    EXPECT_TRUE(read.status.ok()) << read.status;
    EXPECT_EQ(read.offset, 4'096u);
    EXPECT_EQ(read.replica_length, 14'096u);
    EXPECT_TRUE(read.bytes == bytes.substr(4'096, 8'192));
    // More than there is, and an older replica than asked for, is refused.
    EXPECT_TRUE(absl::IsNotFound(TestCaller(*nodes_[i]).Read({77, 3, 14'097}, 0, 0).status));
    EXPECT_EQ(KindOf(TestCaller(*nodes_[i]).Read({77, 4, 0}, 0, 0).status),
              ErrorKind::kStaleReplica);
  }
  writer.Send(TestWriter::Packet(3, 12'288, bytes.substr(12'288), true));
  EXPECT_EQ(NodeOf(writer.ReadAck(), 2).durable_length(), 20'000u);
  EXPECT_TRUE(writer.Finish().ok());
  for (const auto& node : nodes_) EXPECT_TRUE(*Get(node->store(), kBlock) == bytes);
  ExpectAllIdle();
}

TEST_F(VisibilityTest, WhatTheNodesBehindHaveNotAckedIsNotVisible) {
  Start(2);
  TestWriter writer(*nodes_[0]);
  WriteStart(writer, kBlock, BytesOf(1, 4'096));
  nodes_[1]->env().SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kWrite ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  writer.Send(TestWriter::Packet(2, 4'096, BytesOf(2, 4'096), false));
  EXPECT_THAT(writer.ReadCodes(),
              ElementsAre(0, static_cast<int>(absl::StatusCode::kResourceExhausted)));
  EXPECT_EQ(Visible(0), 4'096);
  EXPECT_EQ(Visible(1), 4'096);
}

TEST_F(VisibilityTest, WhatAnHsyncAckedSurvivesAPowerCut) {
  Start(3);
  const std::string bytes = BytesOf(1, 20'000);
  for (const auto consistency : {v1::STRONG, v1::EVENTUAL, v1::WEAK}) {
    const Block block{
        .id = 100 + static_cast<BlockId>(consistency), .generation = 3, .length = 8 << 20};
    TestWriter writer(*nodes_[0]);
    writer.Open(block, Behind(), {.consistency = consistency});
    writer.ReadAck();
    writer.Send(TestWriter::SyncPacket(1, 0, bytes.substr(0, 5'000)));
    v1::WriteAck ack = writer.ReadAck();
    ASSERT_EQ(ack.nodes_size(), 3);
    for (const v1::NodeAck& node : ack.nodes()) EXPECT_EQ(node.durable_length(), 5'000u);
    writer.Send(TestWriter::Packet(2, 4'096, bytes.substr(4'096, 8'192), false));
    writer.ReadAck();
    writer.Send(TestWriter::SyncPacket(3, 12'288, ""));  // all that was written before
    ack = writer.ReadAck();
    for (const v1::NodeAck& node : ack.nodes()) EXPECT_EQ(node.durable_length(), 12'288u);
    writer.Send(TestWriter::Packet(4, 12'288, bytes.substr(12'288), false));
    EXPECT_THAT(writer.ReadCodes(), ElementsAre(0, 0, 0));
    for (const auto& node : nodes_) {
      node->CutPower();
      EXPECT_EQ(node->StateOf(block.id), "waiting 3/12288");
    }
  }
  ExpectAllIdle();
}

TEST_F(VisibilityTest, StrongIsDurableAtTheLastAckAndEventualSoonAfterIt) {
  Start(2);
  const std::string bytes = BytesOf(1, 10'000);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, Behind(), {.consistency = v1::EVENTUAL});
  writer.ReadAck();
  const v1::WriteAck last = writer.SendAll(bytes, 4'096);
  ASSERT_EQ(last.nodes_size(), 2);
  for (const v1::NodeAck& node : last.nodes()) {
    EXPECT_EQ(node.code(), 0) << node.message();
    EXPECT_EQ(node.held_length(), bytes.size());
    EXPECT_EQ(node.durable_length(), 0u);
  }
  EXPECT_TRUE(writer.Finish().ok());
  for (const auto& node : nodes_) EXPECT_TRUE(*Get(node->store(), kBlock) == bytes);
  nodes_[1]->store().SyncPending();
  nodes_[0]->CutPower();
  nodes_[1]->CutPower();
  EXPECT_NE(nodes_[0]->StateOf(77), "finalized 3/10000");
  EXPECT_TRUE(*Get(nodes_[1]->store(), kBlock) == bytes);
  ExpectAllIdle();
}

// A mirror whose disk hangs: what tells weak from eventual.
TEST_F(VisibilityTest, WeakIsAckedByTheFirstNodeWhichFeedsTheOthersWithoutTheWriter) {
  Start(3);
  const std::string bytes = BytesOf(1, 3 << 20);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, Behind(), {.consistency = v1::WEAK});
  EXPECT_EQ(writer.ReadAck().nodes_size(), 3);
  writer.Send(TestWriter::Packet(1, 0, bytes.substr(0, 1 << 20), false));
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(0, 0, 0));  // all nodes, but for the last one
  const Hang hang(nodes_[2]->env());
  writer.Send(TestWriter::Packet(2, 1 << 20, bytes.substr(1 << 20, 1 << 20), false));
  writer.Send(TestWriter::Packet(3, 2 << 20, bytes.substr(2 << 20), true));
  v1::WriteAck ack = writer.ReadAck();
  EXPECT_EQ(ack.seq(), 3u);  // before that of packet 2
  ASSERT_EQ(ack.nodes_size(), 1);
  EXPECT_EQ(NodeOf(ack, 0).code(), 0);
  EXPECT_EQ(NodeOf(ack, 0).held_length(), bytes.size());
  EXPECT_EQ(NodeOf(ack, 0).storage(), 10u);
  writer.Leave();
  EXPECT_TRUE(*Get(nodes_[0]->store(), kBlock) == bytes);
  hang.End();
  for (const auto& node : nodes_) {
    EXPECT_TRUE(Eventually([&] {
      const auto read = Get(node->store(), kBlock);
      return read.ok() && *read == bytes;
    }));
    node->store().SyncPending();
  }
  ExpectAllIdle();
}

TEST_F(VisibilityTest, ChecksumsOfOpenAndFinalizedReplicas) {
  Start(2);
  const std::string bytes = BytesOf(1, 10'000);
  TestWriter writer(*nodes_[0]);
  WriteStart(writer, kBlock, bytes.substr(0, 9'000));
  EXPECT_EQ(TestCaller(*nodes_[1]).BlockChecksum({77, 3, 9'000})->crc(),
            Crc32c(bytes.substr(0, 9'000)));
  EXPECT_EQ(TestCaller(*nodes_[0]).BlockChecksum({77, 3, 5'000})->crc(),
            Crc32c(bytes.substr(0, 5'000)));
  EXPECT_FALSE(TestCaller(*nodes_[0]).BlockChecksum({77, 3, 9'001}).ok());
  writer.Send(TestWriter::Packet(2, 8'192, bytes.substr(8'192), true));
  EXPECT_EQ(NodeOf(writer.ReadAck(), 1).durable_length(), 10'000u);
  EXPECT_EQ(TestCaller(*nodes_[1]).BlockChecksum({77, 3, 10'000})->crc(), Crc32c(bytes));
  EXPECT_TRUE(absl::IsNotFound(TestCaller(*nodes_[1]).BlockChecksum({78, 3, 1}).status()));
}

}  // namespace
}  // namespace cairn::datanode
