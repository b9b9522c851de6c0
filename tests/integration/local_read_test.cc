// Reads of replicas on this host out of their files, with real daemons: what goes over TCP then,
// and what happens when a DataNode dies, stops, or has bad replicas.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>

#include "client/file_system.h"
#include "tests/integration/cluster_view.h"
#include "tests/support/files.h"
#include "tests/support/http_get.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kBlock = 1 << 20;
constexpr uint64_t kSize = 5 * kBlock + 12'345;
constexpr int64_t kPatienceMs = 90'000;

class LocalReadTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> datanode_flags = {}) {
    auto started = Cluster::Start({.datanodes = 2, .datanode_flags = std::move(datanode_flags)});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    WriteWholeFile(Local("source"), bytes_);
    const CommandResult put =
        cluster_->Cairn({"put", "-r", "2", "--block-size", "1M", Local("source"), "/f"});
    ASSERT_EQ(put.code, 0) << put.err;
  }
  std::string Local(const std::string& name) const { return cluster_->dir() / name; }

  // The sum of a counter over all DataNodes.
  double Counter(const std::string& name) {
    double sum = 0;
    for (size_t i = 0; i < cluster_->datanodes(); ++i) {
      const auto page = HttpGet(cluster_->datanode(i).Field("http"), "/metrics");
      EXPECT_TRUE(page.ok()) << page.status();
      const size_t at = page.ok() ? page->body.find("\n" + name + " ") : std::string::npos;
      EXPECT_NE(at, std::string::npos) << name;
      if (at != std::string::npos) sum += std::stod(page->body.substr(at + name.size() + 2));
    }
    return sum;
  }
  double SentOverTcp() { return Counter("cairn_datanode_read_bytes_total"); }
  double Passed() { return Counter("cairn_datanode_local_reads_passed_total"); }

  void Get(std::vector<std::string> flags = {}) {
    std::vector<std::string> args = {"get", "-f", "/f", Local("copy")};
    args.insert(args.end(), flags.begin(), flags.end());
    const CommandResult got = cluster_->Cairn(args);
    ASSERT_EQ(got.code, 0) << got.err;
    EXPECT_EQ(got.err, "");
    EXPECT_TRUE(ReadWholeFile(Local("copy")) == bytes_);
  }
  // A client in this process, which counts what it reads from where.
  std::unique_ptr<FileSystem> Connect() {
    ClientOptions options{.namenodes = {cluster_->rpc_address()}};
    options.transfer.local_ms = 20'000;
    return *FileSystem::Connect(options);
  }
  // Reads `count` bytes from the stream's position, and compares.
  void Read(InputStream& in, uint64_t count) {
    const uint64_t from = in.position();
    std::string got(count, '\0');
    const auto read = in.Read(got);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(*read, count);
    EXPECT_TRUE(got == bytes_.substr(from, count));
  }

  const std::string bytes_ = RandomBytes(5, kSize);
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(LocalReadTest, NoByteGoesOverTcp) {
  ASSERT_NO_FATAL_FAILURE(Start());
  // A node that had no time to answer is read over TCP: on a busy machine, once more then.
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] {
    const double sent = SentOverTcp();
    const double passed = Passed();
    Get();
    return SentOverTcp() == sent && Passed() >= passed + 6;
  }));
}

TEST_F(LocalReadTest, OverTcpWhereTheClientSaysSo) {
  ASSERT_NO_FATAL_FAILURE(Start());
  Get({"--no-short-circuit"});
  EXPECT_EQ(Passed(), 0);
  EXPECT_GE(SentOverTcp(), static_cast<double>(kSize));
}

TEST_F(LocalReadTest, OverTcpWhereTheNodesSaySo) {
  ASSERT_NO_FATAL_FAILURE(Start({"--local-socket", "off"}));
  Get();
  EXPECT_GE(SentOverTcp(), static_cast<double>(kSize));
  EXPECT_FALSE(std::filesystem::exists(cluster_->datanode(0).data_dir() + "/local.sock"));
}

TEST_F(LocalReadTest, AKillInTheMiddleOfARead) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto fs = Connect();
  const auto in = *fs->Open("/f");
  Read(*in, 300'000);
  const uint64_t local = fs->GetReadStatistics().local_bytes;
  EXPECT_EQ(local, 300'000u);
  // Both may have passed the first block; one stays for the others.
  cluster_->datanode(0).Kill();
  Read(*in, kSize - 300'000);
  // Started again, it takes the place of the socket that it left behind.
  ASSERT_EQ(cluster_->datanode(0).Start(), absl::OkStatus());
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] {
    const double passed = Passed();
    cluster_->Cairn({"cat", "/f"});
    return Passed() > passed;
  }));
}

TEST_F(LocalReadTest, AStoppedNodeBeforeTheOpen) {
  ASSERT_NO_FATAL_FAILURE(Start());
  cluster_->datanode(0).Signal(SIGSTOP);
  Get();
  cluster_->datanode(0).Signal(SIGCONT);
}

TEST_F(LocalReadTest, ANodeThatStopsBetweenBlocks) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const auto fs = FileSystem::Connect({.namenodes = {cluster_->rpc_address()}}).value();
  const auto in = *fs->Open("/f");
  Read(*in, 300'000);
  cluster_->datanode(0).Signal(SIGSTOP);
  Read(*in, kSize - 300'000);
  cluster_->datanode(0).Signal(SIGCONT);
}

TEST_F(LocalReadTest, ABadReplicaIsReportedAndHealed) {
  ASSERT_NO_FATAL_FAILURE(Start());
  // The first node's replicas, all of them: whichever node is asked first, both are good for every
  // byte together.
  for (const std::string& file : FinalizedFiles(cluster_->datanode(0))) FlipByte(file, 4'000);
  const auto fs = Connect();
  // Found out by the client, verified by the node, and replaced from the other one: until then a
  // read may choose the good one. No read ever gets a wrong byte.
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] {
    const auto in = *fs->Open("/f");
    Read(*in, kSize);
    return fs->GetReadStatistics().local_fallbacks > 0;
  }));
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] {
    const CommandResult get = cluster_->Cairn({"cat", "/f"});
    EXPECT_TRUE(get.out == bytes_) << get.err;
    return IsHealthy(*cluster_);
  }));
}

TEST_F(LocalReadTest, TheSocketCanBeElsewhere) {
  const TempDir dir;
  auto started = Cluster::Start(
      {.datanodes = 1, .datanode_flags = {"--local-socket", dir / "elsewhere.sock"}});
  ASSERT_TRUE(started.ok()) << started.status();
  EXPECT_TRUE(std::filesystem::is_socket(dir / "elsewhere.sock"));
  EXPECT_FALSE(std::filesystem::exists((*started)->datanode(0).data_dir() + "/local.sock"));
  // Where it was asked for and cannot be, the node does not start.
  EXPECT_FALSE((*started)->AddDataNode({"--local-socket", dir / "none/x.sock"}).ok());
  const auto stopped = (*started)->datanode(0).Stop();
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_FALSE(std::filesystem::exists(dir / "elsewhere.sock"));
}

}  // namespace
}  // namespace cairn::testing
