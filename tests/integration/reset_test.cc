// Connections that are reset at every packet's border of a short transfer: the bytes arrive all the
// same.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "client/file_system.h"
#include "tests/integration/cluster_view.h"
#include "tests/support/files.h"
#include "tests/support/relay.h"

namespace cairn::testing {
namespace {

constexpr size_t kDataNodes = 4;
constexpr size_t kPacket = 64 << 10;
constexpr size_t kStep = kPacket / 4;  // borders, and three places between them

class ResetTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = Cluster::Start({.datanodes = 0, .namenode_flags = {"--block-size=1M"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    for (size_t i = 0; i < kDataNodes; ++i) {
      auto relay = Relay::Start();
      ASSERT_TRUE(relay.ok()) << relay.status();
      const absl::Status added =
          cluster_->AddDataNode({"--advertise=" + (*relay)->address(), "--reserved=0"});
      ASSERT_TRUE(added.ok()) << added;
      (*relay)->SetTarget(cluster_->datanode(i).Field("data"));
      relays_.push_back(*std::move(relay));
    }
  }

  std::unique_ptr<FileSystem> Connect() {
    auto fs = FileSystem::Connect({.namenodes = {cluster_->rpc_address()},
                                   .short_circuit = false,  // over what is reset
                                   .transfer = {.packet_bytes = kPacket}});
    EXPECT_TRUE(fs.ok()) << fs.status();
    return *std::move(fs);
  }

  uint64_t Resets() {
    uint64_t resets = 0;
    for (const auto& relay : relays_) resets += relay->resets();
    return resets;
  }
  void Arm(Direction direction, uint64_t bytes) {
    for (const auto& relay : relays_) relay->ResetAfter(direction, bytes);
  }
  void Disarm() {
    for (const auto& relay : relays_) relay->Disarm();
  }

  static void Put(FileSystem& fs, const std::string& path, const std::string& content) {
    auto out = fs.Create(path, {.replication = 3});
    ASSERT_TRUE(out.ok()) << out.status();
    const absl::Status written = (*out)->Write(content);
    ASSERT_TRUE(written.ok()) << path << ": " << written;
    const absl::Status closed = (*out)->Close();
    ASSERT_TRUE(closed.ok()) << path << ": " << closed;
  }
  static void ExpectContent(FileSystem& fs, const std::string& path, const std::string& content) {
    const auto in = fs.Open(path);
    ASSERT_TRUE(in.ok()) << in.status();
    std::string bytes(content.size(), '\0');
    const auto read = (*in)->PRead(0, {bytes.data(), bytes.size()});
    ASSERT_TRUE(read.ok()) << path << ": " << read.status();
    EXPECT_TRUE(bytes == content) << path << " has other bytes";
  }

  std::unique_ptr<Cluster> cluster_;
  std::vector<std::unique_ptr<Relay>> relays_;
};

TEST_F(ResetTest, WritesArriveWhereverTheConnectionIsReset) {
  const std::string content = RandomBytes(1, 5 * kPacket + 1'234);
  uint64_t resets = 0;
  for (uint64_t at = 0; at < content.size() + kStep; at += kStep) {
    for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
      // Acks are small: the same steps, in a few bytes each.
      const uint64_t bytes = direction == Direction::kToServer ? at : at / kStep * 40;
      const auto fs = Connect();
      const uint64_t before = Resets();
      // One node a time, so that enough are left.
      relays_[at / kStep % kDataNodes]->ResetAfter(direction, bytes);
      const std::string path = fmt::format("/w{}-{}", at, static_cast<int>(direction));
      Put(*fs, path, content);
      if (HasFatalFailure()) return;
      resets += Resets() - before;
      Disarm();
      ExpectContent(*fs, path, content);
    }
  }
  EXPECT_GT(resets, 15u);
  fmt::print("{} connections were reset while files were written\n", resets);
}

TEST_F(ResetTest, ReadsGoOnWhereverTheConnectionIsReset) {
  const std::string content = RandomBytes(2, 20 * kPacket + 99);
  Put(*Connect(), "/r", content);
  uint64_t resets = 0;
  for (uint64_t at = 0; at < content.size(); at += kStep) {
    const auto fs = Connect();
    const uint64_t before = Resets();
    Arm(Direction::kToClient, at);  // of every node: the next one fails in its turn
    ExpectContent(*fs, "/r", content);
    resets += Resets() - before;
    Disarm();
  }
  EXPECT_GT(resets, 20u);
  fmt::print("{} connections were reset while a file was read\n", resets);
}

}  // namespace
}  // namespace cairn::testing
