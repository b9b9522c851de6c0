// Writers, readers and mirrors that are silent, lie, or take nothing: each is noticed, the right
// one is named, and nothing of it is left behind.
#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <atomic>

#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr Block kBlock{.id = 77, .generation = 3, .length = 8 << 20};
constexpr int kOk = 0;
constexpr int kAborted = static_cast<int>(absl::StatusCode::kAborted);
constexpr int kDataLoss = static_cast<int>(absl::StatusCode::kDataLoss);
constexpr int kDeadline = static_cast<int>(absl::StatusCode::kDeadlineExceeded);
constexpr int kInternal = static_cast<int>(absl::StatusCode::kInternal);
constexpr int kUnavailable = static_cast<int>(absl::StatusCode::kUnavailable);

// A DataNode that does with a write what the test wants.
class FakeNode final : public v1::DataTransfer::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::WriteAck, v1::WritePacket>;
  using Serve = std::function<absl::Status(grpc::ServerContext*, Stream*)>;

  explicit FakeNode(NodeNumber number, Serve serve) : number_(number), serve_(std::move(serve)) {
    server_ = *RpcServer::Start({"127.0.0.1", 0}, {this});
  }
  grpc::Status WriteBlock(grpc::ServerContext* context, Stream* stream) override {
    return ToRpcStatus(serve_(context, stream));
  }
  v1::NodeAddress Address() const {
    return TestNode::AddressOf(number_, server_->address().ToString());
  }

  // What they are made of.
  static void AckOne(Stream* stream, uint64_t seq, uint32_t number) {
    v1::WriteAck ack;
    ack.set_seq(seq);
    ack.add_nodes()->set_node(number);
    stream->Write(ack);
  }
  static void WaitForCancel(grpc::ServerContext* context) {
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  // Signs of life for as long as somebody wants them.
  static void OnlyLive(grpc::ServerContext* context, Stream* stream) {
    v1::WriteAck alive;
    alive.set_alive(true);
    while (!context->IsCancelled() && stream->Write(alive)) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

 private:
  const NodeNumber number_;
  const Serve serve_;
  std::unique_ptr<RpcServer> server_;
};

class MisbehavingPeerTest : public PipelineTest {
 protected:
  static TestNode::Options Impatient() {
    TestNode::Options options;
    options.receiver.alive_ms = 20;
    options.receiver.stall_ms = 2'000;
    options.receiver.max_progress_ms = 4'000;
    return options;
  }
  // Writes a packet through node 1 and this one; the codes in the acks of setup and packet.
  std::vector<std::vector<int>> WriteThrough(const FakeNode& mirror, const Block& block = kBlock) {
    TestWriter writer(*nodes_[0]);
    writer.OpenTo(block, {mirror.Address()}, {});
    std::vector<std::vector<int>> codes = {writer.ReadCodes()};
    writer.Send(TestWriter::Packet(1, 0, BytesOf(1, 4'096), false));
    codes.push_back(writer.ReadCodes());
    return codes;
  }
};

// --- mirrors -------------------------------------------------------------------------------------

TEST_F(MisbehavingPeerTest, AMirrorThatSaysNothingHasStalled) {
  Start(1, Impatient());
  const FakeNode mute(2, [](grpc::ServerContext* context, FakeNode::Stream*) {
    FakeNode::WaitForCancel(context);
    return absl::OkStatus();
  });
  EXPECT_THAT(WriteThrough(mute),
              ElementsAre(ElementsAre(kOk, kDeadline), ElementsAre(kOk, kDeadline)));
  ExpectAllIdle();
  const FakeNode stopped(2, [](grpc::ServerContext* context, FakeNode::Stream* stream) {
    FakeNode::AckOne(stream, 0, 2);
    FakeNode::WaitForCancel(context);
    return absl::OkStatus();
  });
  EXPECT_THAT(WriteThrough(stopped, {78, 3, 8 << 20}),
              ElementsAre(ElementsAre(kOk, kOk), ElementsAre(kOk, kDeadline)));
  ExpectAllIdle();
}

TEST_F(MisbehavingPeerTest, AMirrorThatOnlyLivesHasFailedToo) {
  Start(1, Impatient());
  const FakeNode idler(2, [](grpc::ServerContext* context, FakeNode::Stream* stream) {
    FakeNode::OnlyLive(context, stream);
    return absl::OkStatus();
  });
  EXPECT_THAT(WriteThrough(idler),
              ElementsAre(ElementsAre(kOk, kDeadline), ElementsAre(kOk, kDeadline)));
  ExpectAllIdle();
}

// It neither takes nor acks, but lives: what waits in between is bounded, and ends.
TEST_F(MisbehavingPeerTest, AMirrorThatTakesNothing) {
  Start(1, Impatient());
  const FakeNode idler(2, [](grpc::ServerContext* context, FakeNode::Stream* stream) {
    FakeNode::AckOne(stream, 0, 2);
    FakeNode::OnlyLive(context, stream);
    return absl::OkStatus();
  });
  TestWriter writer(*nodes_[0]);
  writer.OpenTo({77, 3, 64 << 20}, {idler.Address()}, {});
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk));
  const v1::WriteAck last = writer.SendAll(BytesOf(1, 40 << 20), 1 << 20);
  ASSERT_EQ(last.nodes_size(), 2);
  EXPECT_EQ(NodeOf(last, 0).durable_length(), uint64_t{40} << 20);
  EXPECT_EQ(NodeOf(last, 1).code(), kDeadline);
  writer.Finish().IgnoreError();
  ExpectAllIdle();
}

TEST_F(MisbehavingPeerTest, AWriteThatIsCancelledDoesNotWaitForItsMirror) {
  TestNode::Options options;  // patient
  options.receiver.alive_ms = 20;
  Start(1, options);
  const FakeNode idler(2, [](grpc::ServerContext* context, FakeNode::Stream* stream) {
    FakeNode::AckOne(stream, 0, 2);
    FakeNode::OnlyLive(context, stream);
    return absl::OkStatus();
  });
  TestWriter writer(*nodes_[0]);
  writer.OpenTo({77, 3, 64 << 20}, {idler.Address()}, {});
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk));
  std::thread sender([&] { writer.SendAll(BytesOf(1, 40 << 20), 1 << 20); });
  EXPECT_TRUE(Eventually([&] {  // it waits, for the mirror to take or to ack something
    const std::string before = nodes_[0]->StateOf(77);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    return before != "open 3/0" && nodes_[0]->StateOf(77) == before;
  }));
  const auto start = std::chrono::steady_clock::now();
  nodes_[0]->transfers().FenceWrites(77, 4).IgnoreError();
  EXPECT_TRUE(Eventually([&] { return nodes_[0]->IsIdle(); }));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  sender.join();
  ExpectAllIdle();
}

TEST_F(MisbehavingPeerTest, AMirrorThatLies) {
  Start(1, Impatient());
  const FakeNode ahead(2, [](grpc::ServerContext* context, FakeNode::Stream* stream) {
    FakeNode::AckOne(stream, 0, 2);
    FakeNode::AckOne(stream, 2, 2);  // out of order, whatever it has got by now
    FakeNode::WaitForCancel(context);
    return absl::OkStatus();
  });
  EXPECT_THAT(WriteThrough(ahead)[1], ElementsAre(kOk, kInternal));
  const FakeNode crowd(2, [](grpc::ServerContext* context, FakeNode::Stream* stream) {
    v1::WriteAck ack;
    for (int i = 0; i < 3; ++i) ack.add_nodes();
    stream->Write(ack);
    FakeNode::WaitForCancel(context);
    return absl::OkStatus();
  });
  EXPECT_THAT(WriteThrough(crowd, {78, 3, 8 << 20}),
              ElementsAre(ElementsAre(kOk, kInternal), ElementsAre(kOk, kInternal)));
  const FakeNode hasty(2, [](grpc::ServerContext*, FakeNode::Stream*) { return absl::OkStatus(); });
  EXPECT_THAT(WriteThrough(hasty, {79, 3, 8 << 20}),
              ElementsAre(ElementsAre(kOk, kUnavailable), ElementsAre(kOk, kUnavailable)));
  ExpectAllIdle();
}

// Of two nodes between which bytes are damaged the receiver is left out; a sender that meets this
// with a second receiver takes the blame itself.
TEST_F(MisbehavingPeerTest, DamagedBytes) {
  Start(1, Impatient());
  const auto complain = [](grpc::ServerContext*, FakeNode::Stream* stream) {
    FakeNode::AckOne(stream, 0, 2);
    v1::WritePacket packet;
    stream->Read(&packet);  // the header
    stream->Read(&packet);
    return WithKind(absl::DataLossError("wrong checksum"), ErrorKind::kChecksum);
  };
  const FakeNode first(2, complain);
  EXPECT_THAT(WriteThrough(first)[1], ElementsAre(kOk, kDataLoss));
  EXPECT_THAT(WriteThrough(first, {78, 3, 8 << 20})[1], ElementsAre(kOk, kDataLoss));
  const FakeNode second(3, complain);
  EXPECT_THAT(WriteThrough(second, {79, 3, 8 << 20})[1], ElementsAre(kDataLoss, kAborted));
  EXPECT_EQ(TestCaller(*nodes_[0]).GetReplica({79, 3, 0})->block().length(), 0u);
}

// --- writers -------------------------------------------------------------------------------------

TEST_F(MisbehavingPeerTest, ANodeSaysThatItLives) {
  Start(2, Impatient());
  TestWriter writer(*nodes_[0]);
  WriteStart(writer, kBlock, BytesOf(1, 4'096));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(writer.ReadSignOfLife());  // 400 ms, idle
  writer.Send(TestWriter::Packet(2, 0, "", false));
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk));
}

TEST_F(MisbehavingPeerTest, ASilentWriterIsEndedAndItsReplicaStays) {
  TestNode::Options options;
  options.transfers.writer_silence_ms = 5'000;  // a node is a writer to the next, and may be slow
  Start(2, options);
  TestWriter writer(*nodes_[0]);
  WriteStart(writer, kBlock, BytesOf(1, 4'096));
  EXPECT_EQ(writer.ReadAck().nodes_size(), 0);
  const absl::Status end = writer.Finish();
  EXPECT_EQ(KindOf(end), ErrorKind::kIdleStream) << end;
  EXPECT_TRUE(absl::IsAborted(end));
  ExpectAllIdle();
  EXPECT_THAT(States(77), Each("waiting 3/4096"));
}

TEST_F(MisbehavingPeerTest, AWriterThatShowsThatItLivesIsNot) {
  TestNode::Options options;
  options.transfers.writer_silence_ms = 10'000;
  Start(2, options);
  TestWriter writer(*nodes_[0]);
  WriteStart(writer, kBlock, BytesOf(1, 4'096));
  for (uint64_t seq = 2; seq < 82; ++seq) {
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
    writer.Send(TestWriter::Packet(seq, 4'096, "", false));
    EXPECT_THAT(writer.ReadCodes(), ElementsAre(kOk, kOk));
  }
  writer.Send(TestWriter::Packet(82, 4'096, "", true));
  EXPECT_EQ(NodeOf(writer.ReadAck(), 1).durable_length(), 4'096u);
}

TEST_F(MisbehavingPeerTest, AWriterWithoutAHeaderIsEndedToo) {
  TestNode::Options options;
  options.transfers = {.memory_bytes = 2 * kMaxPacketBytes, .writer_silence_ms = 2'000};
  Start(1, options);
  TestWriter one(*nodes_[0]);
  TestWriter two(*nodes_[0]);
  EXPECT_EQ(one.ReadAck().nodes_size(), 0);
  EXPECT_EQ(two.ReadAck().nodes_size(), 0);
  EXPECT_EQ(KindOf(one.Finish()), ErrorKind::kIdleStream);
  ExpectAllIdle();
  TestWriter good(*nodes_[0]);
  WriteStart(good, kBlock, BytesOf(1, 4'096));
}

TEST_F(MisbehavingPeerTest, AWriterThatTakesNoAcksIsEnded) {
  TestNode::Options options;
  options.transfers.writer_silence_ms = 2'000;
  Start(1, options);
  grpc::ChannelArguments narrow;  // acks are small: not too many may wait here
  narrow.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  TestWriter writer(
      grpc::CreateCustomChannel(nodes_[0]->address(), grpc::InsecureChannelCredentials(), narrow));
  WriteStart(writer, kBlock, BytesOf(1, 4'096));
  uint64_t seq = 2;
  while (seq < 1'000'000 && writer.Send(TestWriter::Packet(seq, 0, "", false))) ++seq;
  EXPECT_LT(seq, 1'000'000u);
  while (writer.ReadAck().nodes_size() > 0) {
  }
  EXPECT_EQ(KindOf(writer.Finish()), ErrorKind::kIdleStream);
  ExpectAllIdle();
  EXPECT_THAT(States(77), Each("waiting 3/4096"));
}

// --- readers -------------------------------------------------------------------------------------

TEST_F(MisbehavingPeerTest, AReaderThatTakesNothingIsEnded) {
  TestNode::Options options;
  options.transfers.reader_idle_ms = 2'000;
  Start(1, options);
  ASSERT_TRUE(Put(nodes_[0]->store(), {77, 3, 64 << 20}, BytesOf(1, 40 << 20)).ok());
  const auto stub =
      v1::DataTransfer::NewStub(MakeChannel(nodes_[0]->address(), ChannelPurpose::kData));
  grpc::ClientContext context;
  SetupContext(context, 60'000);
  v1::ReadBlockRequest request;
  ToProto(kBlock, request.mutable_block());
  request.mutable_block()->set_length(0);
  const auto reader = stub->ReadBlock(&context, request);
  v1::ReadPacket packet;
  ASSERT_TRUE(reader->Read(&packet));
  ExpectAllIdle();
  while (reader->Read(&packet)) {
  }
  EXPECT_EQ(KindOf(FromRpcStatus(reader->Finish(), "node")), ErrorKind::kIdleStream);
}

TEST_F(MisbehavingPeerTest, QuestionsAboutWhatIsNotThere) {
  Start(2);
  TestCaller caller(*nodes_[0]);
  EXPECT_TRUE(absl::IsNotFound(caller.GetReplica(kBlock).status()));
  EXPECT_TRUE(absl::IsNotFound(caller.BlockChecksum(kBlock).status()));
  EXPECT_TRUE(absl::IsNotFound(caller.TransferBlock(kBlock, {nodes_[1]->Address()})));
  EXPECT_EQ(caller.StartRecovery(kBlock, 9)->state(), v1::StartRecoveryReply::NONE);
  EXPECT_TRUE(absl::IsNotFound(caller.FinishRecovery(kBlock, 9).status()));
  ExpectAllIdle();
}

}  // namespace
}  // namespace cairn::datanode
