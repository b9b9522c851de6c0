// Clients that break the rules, against a real DataNode: it refuses them, goes on serving, and
// keeps nothing of them: no replica, stream, thread, descriptor or promised space.
#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "client/packet.h"
#include "common/net/channel.h"
#include "proto/data_transfer.grpc.pb.h"
#include "tests/integration/cluster_view.h"
#include "tests/support/files.h"
#include "tests/support/http_get.h"

namespace cairn::testing {
namespace {

constexpr int kRounds = 40;
constexpr uint64_t kIds = 12;  // of blocks that were given out once, and deleted

struct Counts {
  size_t descriptors = 0;
  size_t threads = 0;
  int64_t open_streams = 0;
  size_t replicas = 0;
  uint64_t remaining_bytes = 0;

  std::string ToString() const {
    return fmt::format("descriptors {}, threads {}, streams {}, replicas {}, remaining {} MiB",
                       descriptors, threads, open_streams, replicas, remaining_bytes >> 20);
  }
};

class BrokenClientsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started =
        Cluster::Start({.datanodes = 1,
                        .namenode_flags = {"--replication=1", "--heartbeat-interval=300ms",
                                           "--stale-after=1500ms", "--redundancy-interval=300ms"},
                        .datanode_flags = {"--reserved=0", "--capacity=4G"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    content_ = RandomBytes(1, 3'000'000);
    WriteWholeFile(dir_ / "local", content_);
    for (uint64_t i = 0; i < kIds; ++i) Must({"put", dir_ / "local", fmt::format("/gone{}", i)});
    Must({"put", dir_ / "local", "/kept"});
    for (uint64_t i = 0; i < kIds; ++i) Must({"rm", fmt::format("/gone{}", i)});
    ASSERT_TRUE(WaitUntil(60'000, [&] { return CountFinalized(*cluster_) == 1; }));
    const nlohmann::json blocks = CairnJson(*cluster_, {"locations", "/kept"});
    kept_.set_id(blocks.at(0).at("block_id"));
    kept_.set_generation(blocks.at(0).at("generation"));
    kept_.set_length(blocks.at(0).at("length"));
  }

  void Must(std::vector<std::string> args) {
    const CommandResult result = cluster_->Cairn(std::move(args));
    ASSERT_EQ(result.code, 0) << result.err;
  }

  Counts Count() {
    Daemon& node = cluster_->datanode(0);
    Counts counts;
    const std::string proc = fmt::format("/proc/{}", node.pid());
    for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(proc + "/fd")) {
      ++counts.descriptors;
    }
    for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(proc + "/task")) {
      ++counts.threads;
    }
    const auto metrics = HttpGet(node.Field("http"), "/metrics");
    std::istringstream lines(metrics.ok() ? metrics->body : "");
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("cairn_datanode_open_streams ")) {
        counts.open_streams = std::stol(line.substr(line.find(' ')));
      }
    }
    counts.replicas = OpenFiles(node).size() + FinalizedFiles(node).size();
    counts.remaining_bytes = CairnJson(*cluster_, {"admin", "nodes"}).at(0).at("remaining_bytes");
    return counts;
  }

  // --- What a writer may do wrong. Each runs a stream of its own to its end or leaves it.

  using Stream = grpc::ClientReaderWriter<v1::WritePacket, v1::WriteAck>;

  v1::WritePacket Header(uint64_t id, v1::WriteHeader::Stage stage = v1::WriteHeader::CREATE) {
    v1::WritePacket packet;
    v1::WriteHeader& header = *packet.mutable_header();
    header.mutable_block()->set_id(id);
    header.mutable_block()->set_generation(id);
    header.mutable_block()->set_length(64 << 20);
    header.set_stage(stage);
    header.set_client("broken");
    return packet;
  }
  static v1::WritePacket Packet(uint64_t seq, uint64_t offset, size_t bytes) {
    v1::WritePacket packet;
    packet.set_seq(seq);
    packet.set_offset(offset);
    packet.set_payload(std::string(bytes, 'x'));
    AddChecksums(packet);
    return packet;
  }

  grpc::Status Send(const std::vector<v1::WritePacket>& packets, bool leave = false) {
    grpc::ClientContext context;
    SetupContext(context, 20'000);
    const auto stub = v1::DataTransfer::NewStub(channel_);
    const std::unique_ptr<Stream> stream = stub->WriteBlock(&context);
    for (const v1::WritePacket& packet : packets) {
      if (!stream->Write(packet)) break;
    }
    if (leave) {
      context.TryCancel();
    } else {
      stream->WritesDone();
    }
    v1::WriteAck ack;
    while (stream->Read(&ack)) {
    }
    return stream->Finish();
  }

  void BreakWrites(uint64_t id) {
    v1::WritePacket damaged = Packet(1, 0, 10'000);
    damaged.set_crcs(1, damaged.crcs(1) ^ 1);
    const std::vector<std::vector<v1::WritePacket>> wrong = {
        {Packet(1, 0, 100)},                                        // no header
        {Header(0)},                                                // no block
        {Header(id), Packet(2, 0, 100)},                            // a seq is missing
        {Header(id), Packet(1, 0, 8192), Packet(1, 8192, 100)},     // and comes twice
        {Header(id), Packet(1, 4096, 100)},                         // a gap
        {Header(id), Packet(1, 7, 100)},                            // not a chunk's border
        {Header(id), Packet(1, 0, 3 << 20)},                        // too long
        {Header(id), damaged},                                      // a wrong CRC
        {Header(id, v1::WriteHeader::RECOVER), Packet(1, 0, 100)},  // nothing to recover
        {Header(kept_.id()), Packet(1, 0, 100)},                    // it has that block
        {Header(id), Packet(1, 0, 100'000)},                        // leaves in the middle
        {Header(id)},                                               // leaves at once
    };
    for (size_t i = 0; i < wrong.size(); ++i) {
      const grpc::Status status = Send(wrong[i]);
      EXPECT_FALSE(status.ok()) << "wrong in way " << i;
      EXPECT_NE(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED) << "way " << i;
    }
    Send({Header(id), Packet(1, 0, 1 << 20)}, /*leave=*/true);
  }

  void BreakReads() {
    const auto stub = v1::DataTransfer::NewStub(channel_);
    for (int i = 0; i < 4; ++i) {
      grpc::ClientContext context;
      SetupContext(context, 20'000);
      v1::ReadBlockRequest request;
      *request.mutable_block() = kept_;
      if (i == 0) request.mutable_block()->set_id(1);
      if (i == 1) request.mutable_block()->set_generation(kept_.generation() + 1);
      if (i == 2) request.set_offset(kept_.length() + 1);
      const auto reader = stub->ReadBlock(&context, request);
      if (i == 3) {
        context.TryCancel();  // having read nothing
        continue;
      }
      v1::ReadPacket packet;
      EXPECT_FALSE(reader->Read(&packet)) << i;
      EXPECT_FALSE(reader->Finish().ok()) << i;
    }
  }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
  std::string content_;
  v1::Block kept_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(BrokenClientsTest, LeaveNothingBehind) {
  const std::string address = cluster_->datanode(0).Field("data");
  // Once, so that what a server makes for good is there.
  channel_ = MakeChannel(address, ChannelPurpose::kData);
  BreakWrites(1);
  BreakReads();
  channel_.reset();
  ASSERT_TRUE(WaitUntil(60'000, [&] { return Count().replicas == 1; }));
  const Counts before = Count();

  int streams = 0;
  for (int round = 0; round < kRounds; ++round) {
    channel_ = MakeChannel(address, ChannelPurpose::kData);
    BreakWrites(1 + static_cast<uint64_t>(round) % kIds);
    BreakReads();
    streams += 17;
  }
  channel_.reset();

  Counts after;
  EXPECT_TRUE(WaitUntil(60'000, [&] {
    after = Count();
    return after.replicas == 1 && after.open_streams == 0 &&
           after.descriptors <= before.descriptors + 4 && after.threads <= before.threads + 4 &&
           after.remaining_bytes + (64 << 20) > before.remaining_bytes;
  }));
  fmt::print("before {} broken streams: {}\nafter: {}\n", streams, before.ToString(),
             after.ToString());
  EXPECT_EQ(after.replicas, 1u);
  EXPECT_EQ(after.open_streams, 0);
  const CommandResult read = cluster_->Cairn({"cat", "/kept"});
  EXPECT_EQ(read.code, 0) << read.err;
  EXPECT_TRUE(read.out == content_);
  Must({"put", dir_ / "local", "/new"});
}

}  // namespace
}  // namespace cairn::testing
