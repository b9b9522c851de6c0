// Write pipelines over gRPC: good ones, and the writer's mistakes.
#include <gmock/gmock.h>

#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Block kBlock{.id = 77, .generation = 3, .length = 8 << 20};
constexpr size_t kPiece = 1 << 20;

TEST_F(PipelineTest, ThreeNodesHaveTheSameBytes) {
  Start(3);
  const std::string bytes = BytesOf(1, 3 * kPiece + 12'345);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, Behind());
  const v1::WriteAck setup = writer.ReadAck();
  EXPECT_EQ(setup.seq(), 0u);
  ASSERT_EQ(setup.nodes_size(), 3);
  const v1::WriteAck last = writer.SendAll(bytes, kPiece);
  EXPECT_EQ(last.seq(), 4u);
  ASSERT_EQ(last.nodes_size(), 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(last.nodes(i).code(), 0) << last.nodes(i).message();
    EXPECT_EQ(last.nodes(i).node(), static_cast<uint32_t>(i + 1));
    EXPECT_EQ(last.nodes(i).storage(), static_cast<uint32_t>(10 * (i + 1)));
    EXPECT_EQ(last.nodes(i).durable_length(), bytes.size());
  }
  EXPECT_TRUE(writer.Finish().ok());
  for (const auto& node : nodes_) {
    EXPECT_TRUE(*Get(node->store(), kBlock) == bytes);
    node->env().Crash();  // it is durable
    EXPECT_TRUE(*node->env().ReadFile("/d0/current/finalized/subdir0/subdir0/blk_77") == bytes);
  }
  ExpectAllIdle();
}

TEST_F(PipelineTest, TheLastPacketMayBeEmpty) {
  Start(2);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, Behind());
  writer.ReadAck();
  writer.Send(TestWriter::Packet(1, 0, BytesOf(1, 5'000), false));
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(0, 0));
  writer.Send(TestWriter::Packet(2, 5'000, "", true));
  EXPECT_EQ(NodeOf(writer.ReadAck(), 1).durable_length(), 5'000u);
  EXPECT_TRUE(writer.Finish().ok());
  EXPECT_TRUE(*Get(nodes_[1]->store(), kBlock) == BytesOf(1, 5'000));
}

TEST_F(PipelineTest, ManyPipelinesAtOnce) {
  Start(3);
  const std::string bytes = BytesOf(1, 2 * kPiece + 1);
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (BlockId id = 1; id <= 9; ++id) {
    threads.emplace_back([&, id] {
      const size_t first = id % 3;
      TestWriter writer(*nodes_[first]);
      writer.Open({id, 1, 4 * kPiece},
                  {nodes_[(first + 1) % 3].get(), nodes_[(first + 2) % 3].get()});
      writer.ReadAck();
      const v1::WriteAck last = writer.SendAll(bytes, 256 << 10);
      if (last.nodes_size() == 3 && NodeOf(last, 2).durable_length() == bytes.size()) ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 9);
  for (BlockId id = 1; id <= 9; ++id) {
    for (const auto& node : nodes_) EXPECT_TRUE(*Get(node->store(), {id, 1, 0}) == bytes);
  }
  ExpectAllIdle();
}

// --- A writer that errs --------------------------------------------------------------------------

class WrongPacketTest : public PipelineTest {
 protected:
  // The end of a stream whose first packet was good and whose second is this one.
  absl::Status EndAfter(const v1::WritePacket& wrong) {
    if (nodes_.empty()) Start(2);
    const Block block{.id = next_id_++, .generation = 3, .length = 8 << 20};
    TestWriter writer(*nodes_[0]);
    WriteStart(writer, block, BytesOf(1, 8192));
    writer.Send(wrong);
    EXPECT_EQ(writer.ReadAck().nodes_size(), 0);
    const absl::Status end = writer.Finish();
    ExpectAllIdle();
    // What was acknowledged is kept, and nothing else.
    EXPECT_THAT(States(block.id), testing::Each("waiting 3/8192"));
    return end;
  }
  void ExpectInvalid(const v1::WritePacket& wrong, std::string_view message) {
    const absl::Status end = EndAfter(wrong);
    EXPECT_TRUE(absl::IsInvalidArgument(end)) << end;
    EXPECT_THAT(MessageOf(end), HasSubstr(std::string(message)));
  }

  BlockId next_id_ = 1;
};

TEST_F(WrongPacketTest, WrongChecksum) {
  v1::WritePacket packet = TestWriter::Packet(2, 8192, BytesOf(2, 10'000), true);
  packet.set_crcs(2, packet.crcs(2) ^ 1);
  const absl::Status end = EndAfter(packet);
  EXPECT_EQ(KindOf(end), ErrorKind::kChecksum) << end;
  EXPECT_THAT(MessageOf(end), HasSubstr("offset 16384"));
}

TEST_F(WrongPacketTest, OutOfOrder) {
  ExpectInvalid(TestWriter::Packet(3, 8192, "x", false), "packet 3 came where packet 2");
  ExpectInvalid(TestWriter::Packet(1, 8192, "x", false), "packet 1 came where packet 2");
  ExpectInvalid(TestWriter::Packet(2, 5000, "x", false), "no multiple of 4096");
  ExpectInvalid(TestWriter::Packet(2, 12'288, "x", false), "bytes so far are 8192");
}

TEST_F(WrongPacketTest, OutOfBounds) {
  ExpectInvalid(TestWriter::Packet(2, 8192, BytesOf(1, (2 << 20) + 1), false), "at most 2M");
  v1::WritePacket no_crc = TestWriter::Packet(2, 8192, BytesOf(1, 5'000), false);
  no_crc.clear_crcs();
  ExpectInvalid(no_crc, "0 checksums for 5000 bytes");
}

TEST_F(WrongPacketTest, BeyondTheBlock) {
  Start(1);
  TestWriter writer(*nodes_[0]);
  writer.Open({1, 1, 8192}, {});
  writer.ReadAck();
  writer.Send(TestWriter::Packet(1, 0, BytesOf(1, 4096), false));
  writer.ReadAck();
  writer.Send(TestWriter::Packet(2, 4096, BytesOf(1, 4097), true));
  EXPECT_EQ(writer.ReadAck().nodes_size(), 0);
  EXPECT_THAT(MessageOf(writer.Finish()), HasSubstr("beyond the block's limit"));
  ExpectAllIdle();
}

TEST_F(WrongPacketTest, AfterAPartialChunk) {
  Start(1);
  TestWriter writer(*nodes_[0]);
  writer.Open({1, 1, 8192}, {});
  writer.ReadAck();
  writer.Send(TestWriter::Packet(1, 0, BytesOf(1, 100), false));
  writer.ReadAck();
  writer.Send(TestWriter::Packet(2, 100, BytesOf(1, 100), true));
  EXPECT_EQ(writer.ReadAck().nodes_size(), 0);
  EXPECT_THAT(MessageOf(writer.Finish()), HasSubstr("no multiple of 4096"));
}

TEST_F(WrongPacketTest, WrongHeaders) {
  Start(1);
  for (const Block& block : {Block{0, 1, 4096}, Block{1, 0, 4096}, Block{1, 1, 0},
                             Block{1, 1, (uint64_t{1} << 40) + 1}}) {
    TestWriter writer(*nodes_[0]);
    writer.Open(block, {});
    EXPECT_EQ(writer.ReadAck().nodes_size(), 0);
    EXPECT_TRUE(absl::IsInvalidArgument(writer.Finish()));
  }
  for (const How& how : {How{.stage = static_cast<v1::WriteHeader::Stage>(9)},
                         How{.consistency = static_cast<v1::Consistency>(9)},
                         How{.stage = v1::WriteHeader::RECOVER, .from_generation = 1},
                         How{.stage = v1::WriteHeader::RECOVER}}) {
    TestWriter writer(*nodes_[0]);
    writer.Open({1, 1, 4096}, {}, how);
    EXPECT_EQ(writer.ReadAck().nodes_size(), 0);
    EXPECT_TRUE(absl::IsInvalidArgument(writer.Finish()));
  }
  TestWriter headless(*nodes_[0]);
  headless.Send(TestWriter::Packet(1, 0, "x", true));
  EXPECT_TRUE(absl::IsInvalidArgument(headless.Finish()));
  TestWriter silent(*nodes_[0]);
  EXPECT_TRUE(absl::IsInvalidArgument(silent.Finish()));
  ExpectAllIdle();
}

TEST_F(PipelineTest, AWriterThatLeavesLeavesWhatItWrote) {
  Start(3);
  for (const bool cancel : {true, false}) {
    const Block block{.id = cancel ? 7u : 8u, .generation = 3, .length = 8 << 20};
    TestWriter writer(*nodes_[0]);
    WriteStart(writer, block, BytesOf(1, kPiece));
    if (cancel) {
      writer.Leave();
    } else {
      EXPECT_TRUE(absl::IsCancelled(writer.Finish()));
    }
    ExpectAllIdle();
    EXPECT_THAT(States(block.id), testing::Each("waiting 3/1048576"));
  }
}

TEST_F(PipelineTest, AWriterThatLeavesBeforeItsFirstByteLeavesNothing) {
  Start(2);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, Behind());
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(0, 0));
  writer.Leave();
  ExpectAllIdle();
  EXPECT_THAT(States(77), testing::Each("none"));
}

TEST_F(PipelineTest, TooManyStreamsAreRefusedWithAReason) {
  Start(1, {.transfers = {.memory_bytes = 2 * kMaxPacketBytes}});
  TestWriter first(*nodes_[0]);
  TestWriter second(*nodes_[0]);
  first.Open({1, 1, 4096}, {});
  second.Open({2, 1, 4096}, {});
  EXPECT_THAT(first.ReadCodes(), ElementsAre(0));
  EXPECT_THAT(second.ReadCodes(), ElementsAre(0));
  TestWriter third(*nodes_[0]);
  third.Open({3, 1, 4096}, {});
  EXPECT_EQ(third.ReadAck().nodes_size(), 0);
  const absl::Status refused = third.Finish();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(MessageOf(refused), HasSubstr("--transfer-memory"));
}

TEST_F(PipelineTest, ADeletedBlockEndsItsWrite) {
  Start(1);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, {});
  writer.ReadAck();
  ASSERT_TRUE(nodes_[0]->store().Delete(kBlock).ok());
  nodes_[0]->transfers().CancelWrites(kBlock);
  EXPECT_EQ(writer.ReadAck().nodes_size(), 0);
  ExpectAllIdle();
  EXPECT_THAT(States(77), ElementsAre("none"));
  EXPECT_THAT(*nodes_[0]->env().List("/d0/current/rbw"), IsEmpty());
}

}  // namespace
}  // namespace cairn::datanode
