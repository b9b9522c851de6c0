// Write pipelines in which a node fails: the acks name it, the others go on.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Block kBlock{.id = 77, .generation = 3, .length = 8 << 20};
constexpr int kOk = 0;
constexpr int kAborted = static_cast<int>(absl::StatusCode::kAborted);
constexpr int kDeadline = static_cast<int>(absl::StatusCode::kDeadlineExceeded);
constexpr int kUnavailable = static_cast<int>(absl::StatusCode::kUnavailable);

// Sends a last packet and expects these durable lengths.
void FinishWith(TestWriter& writer, const std::vector<uint64_t>& lengths, uint64_t seq = 2) {
  writer.Send(TestWriter::Packet(seq, 4096, BytesOf(2, 1'000), true));
  const v1::WriteAck last = writer.ReadAck();
  ASSERT_EQ(last.nodes_size(), static_cast<int>(lengths.size()));
  for (size_t i = 0; i < lengths.size(); ++i) {
    EXPECT_EQ(last.nodes(static_cast<int>(i)).durable_length(), lengths[i]) << i;
  }
  EXPECT_TRUE(writer.Finish().ok());
}

TEST_F(PipelineTest, AMirrorThatIsDeadAtSetupIsNamed) {
  for (const size_t dead : {1, 2}) {
    nodes_.clear();
    Start(3);
    nodes_[dead]->Kill();
    TestWriter writer(*nodes_[0]);
    writer.Open(kBlock, Behind());
    const v1::WriteAck setup = writer.ReadAck();
    ASSERT_EQ(setup.nodes_size(), 3);
    const int index = static_cast<int>(dead);
    EXPECT_EQ(setup.nodes(index).code(), kUnavailable);
    EXPECT_EQ(setup.nodes(index).node(), dead + 1);
    EXPECT_THAT(setup.nodes(index).message(), HasSubstr("cannot connect"));
    for (int i = 0; i < index; ++i) EXPECT_EQ(setup.nodes(i).code(), kOk);
    if (dead == 1) EXPECT_EQ(NodeOf(setup, 2).code(), kAborted);
    writer.Leave();
    ExpectAllIdle();
  }
}

TEST_F(PipelineTest, AMirrorThatDiesIsNamedAndTheOthersGoOn) {
  for (const size_t victim : {1, 2}) {
    nodes_.clear();
    Start(3);
    TestWriter writer(*nodes_[0]);
    writer.Open(kBlock, Behind());
    EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk, kOk));
    writer.Send(TestWriter::Packet(1, 0, BytesOf(1, 4096), false));
    EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk, kOk));
    nodes_[victim]->Kill();
    writer.Send(TestWriter::Packet(2, 4096, BytesOf(2, 1'000), false));
    if (victim == 1) {
      EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kUnavailable, kAborted));
      FinishWith(writer, {5'096, 0, 0}, 3);
    } else {
      EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk, kUnavailable));
      FinishWith(writer, {5'096, 5'096, 0}, 3);
    }
    EXPECT_EQ(Get(nodes_[0]->store(), kBlock)->size(), 5'096u);
    // What was acknowledged before is kept.
    EXPECT_TRUE(Eventually([&] { return nodes_[victim]->StateOf(77) == "waiting 3/4096"; }));
    ExpectAllIdle();
  }
}

TEST_F(PipelineTest, ANodeThatHasNotRegisteredTakesNoReplica) {
  Start(1, {.registered = false});
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, {});
  const v1::WriteAck setup = writer.ReadAck();
  ASSERT_EQ(setup.nodes_size(), 1);
  EXPECT_EQ(NodeOf(setup, 0).code(), static_cast<int>(absl::StatusCode::kUnavailable));
  EXPECT_EQ(NodeOf(setup, 0).message(), "this DataNode has not registered yet; try another");
  EXPECT_TRUE(absl::IsUnavailable(writer.Finish()));
  EXPECT_THAT(nodes_[0]->store().Replicas(0), IsEmpty());
  ExpectAllIdle();
}

TEST_F(PipelineTest, AFullDiskIsNamedAndTheOthersGoOn) {
  for (const int full : {0, 1, 2}) {
    nodes_.clear();
    Start(3);
    TestWriter writer(*nodes_[0]);
    writer.Open(kBlock, Behind());
    EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk, kOk));
    nodes_[static_cast<size_t>(full)]->env().SetHook([](FaultOp op, const std::string& path) {
      return op == FaultOp::kWrite ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
    });
    writer.Send(TestWriter::Packet(1, 0, BytesOf(1, 4096), false));
    const v1::WriteAck ack = writer.ReadAck();
    ASSERT_EQ(ack.nodes_size(), 3);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(ack.nodes(i).kind(), i == full ? static_cast<int>(ErrorKind::kNoSpace) : 0) << i;
      EXPECT_EQ(ack.nodes(i).code() == kOk, i != full) << i;
    }
    std::vector<uint64_t> lengths(3, 5'096);
    lengths[static_cast<size_t>(full)] = 0;
    FinishWith(writer, lengths);
    ExpectAllIdle();
    const TransferLoad load = nodes_[static_cast<size_t>(full)]->transfers().load();
    EXPECT_EQ(load.errors, 1u);
    EXPECT_EQ(load.disk_errors, 0u);  // it is no worse for being full
  }
}

TEST_F(PipelineTest, AFailedSyncIsNoDurableReplica) {
  Start(2);
  nodes_[1]->env().SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kSync ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, Behind());
  writer.ReadAck();
  writer.Send(TestWriter::Packet(1, 0, BytesOf(1, 4096), false));
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk));
  FinishWith(writer, {5'096, 0});
  EXPECT_TRUE(nodes_[1]->store().Volumes()[0].failed);
  // It is that node's error, although the stream has succeeded.
  EXPECT_TRUE(Eventually([&] { return nodes_[1]->transfers().load().disk_errors == 1; }));
  EXPECT_EQ(nodes_[0]->transfers().load().errors, 0u);
}

// The one whose disk is slow is slow, and not the one that waits for it.
TEST_F(PipelineTest, ASlowDiskIsSeenByTheNodeBeforeIt) {
  for (const size_t slow : {1, 2}) {
    // On a machine that is busy another node may seem slow, too: not every time.
    bool seen = false;
    for (int attempt = 0; attempt < 5 && !seen; ++attempt) {
      nodes_.clear();
      Start(3);
      nodes_[slow]->env().SetHook([](FaultOp op, const std::string&) {
        if (op == FaultOp::kWrite) std::this_thread::sleep_for(std::chrono::milliseconds(150));
        return absl::OkStatus();
      });
      TestWriter writer(*nodes_[0]);
      writer.Open(kBlock, Behind());
      writer.ReadAck();
      const v1::WriteAck last = writer.SendAll(BytesOf(1, 8 * 4096), 4096);
      EXPECT_EQ(NodeOf(last, 2).durable_length(), 8u * 4096);
      EXPECT_TRUE(writer.Finish().ok());
      PeerLatencies::Peer first;
      PeerLatencies::Peer second;
      EXPECT_TRUE(Eventually([&] {
        first = nodes_[0]->LatencyTo(nodes_[1]->number());
        second = nodes_[1]->LatencyTo(nodes_[2]->number());
        return first.samples == 8 && second.samples == 8;
      }));
      seen = (first.median_us > second.median_us) == (slow == 1);
    }
    EXPECT_TRUE(seen) << slow;
  }
}

TEST_F(PipelineTest, AStreamWithNobodyLeftEnds) {
  Start(1);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, {});
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk));
  nodes_[0]->env().SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kWrite ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  writer.Send(TestWriter::Packet(1, 0, BytesOf(1, 4096), false));
  EXPECT_EQ(NodeOf(writer.ReadAck(), 0).kind(), static_cast<int>(ErrorKind::kNoSpace));
  EXPECT_EQ(KindOf(writer.Finish()), ErrorKind::kNoSpace);
  ExpectAllIdle();
}

TEST_F(PipelineTest, ABlockThatIsThereIsRefusedByItsNode) {
  Start(2);
  ASSERT_TRUE(Put(nodes_[1]->store(), kBlock, "there").ok());
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, Behind());
  EXPECT_THAT(writer.ReadCodes(),
              ElementsAre(kOk, static_cast<int>(absl::StatusCode::kAlreadyExists)));
  writer.Leave();
  EXPECT_TRUE(Eventually([&] { return nodes_[0]->IsIdle(); }));
  EXPECT_EQ(*Get(nodes_[1]->store(), kBlock), "there");
}

TEST_F(PipelineTest, AMirrorThatLivesButGetsNowhereIsNamedByTheNodeBeforeIt) {
  TestNode::Options options;
  options.receiver.alive_ms = 20;
  options.receiver.max_progress_ms = 10'000;
  Start(3, options);
  TestWriter writer(*nodes_[0]);
  writer.Open(kBlock, Behind());
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk, kOk));
  const Hang hang(nodes_[2]->env());
  writer.Send(TestWriter::Packet(1, 0, BytesOf(1, 4096), false));
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk, kDeadline));
  FinishWith(writer, {5'096, 5'096, 0});
  hang.End();
  ExpectAllIdle();
}

// As above, with so much on its way that sending blocks too.
TEST_F(PipelineTest, AMirrorThatGetsNowhereDoesNotBlockItsSender) {
  TestNode::Options options;
  options.receiver.max_progress_ms = 4'000;
  Start(2, options);
  TestWriter writer(*nodes_[0]);
  writer.Open({1, 1, 64 << 20}, Behind());
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk));
  const Hang hang(nodes_[1]->env());
  const v1::WriteAck last = writer.SendAll(BytesOf(1, 40 << 20), 1 << 20);
  ASSERT_EQ(last.nodes_size(), 2);
  EXPECT_EQ(NodeOf(last, 0).durable_length(), uint64_t{40} << 20);
  EXPECT_EQ(NodeOf(last, 1).code(), kDeadline) << NodeOf(last, 1).message();
  hang.End();
  ExpectAllIdle();
}

// The disk of the first node hangs: its writer hears that it lives, and nobody else is blamed.
TEST_F(PipelineTest, ANodeThatGetsNowhereBlamesNobodyElse) {
  TestNode::Options options;
  options.receiver.alive_ms = 20;
  options.receiver.max_progress_ms = 3'000;
  Start(2, options);
  TestWriter writer(*nodes_[0]);
  WriteStart(writer, kBlock, BytesOf(1, 4096));
  const Hang hang(nodes_[0]->env());
  writer.Send(TestWriter::Packet(2, 4096, BytesOf(2, 1'000), true));
  for (int i = 0; i < 200; ++i) EXPECT_TRUE(writer.ReadSignOfLife());  // 4 s
  hang.End();
  const v1::WriteAck last = writer.ReadAck();
  ASSERT_EQ(last.nodes_size(), 2);
  for (const v1::NodeAck& node : last.nodes()) EXPECT_EQ(node.durable_length(), 5'096u);
  writer.Finish().IgnoreError();
  ExpectAllIdle();
}

}  // namespace
}  // namespace cairn::datanode
