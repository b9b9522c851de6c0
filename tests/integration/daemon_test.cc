// The daemons as their users meet them: ports, ready files, pages, signals.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/integration/program.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"
#include "tests/support/http_get.h"

namespace cairn::testing {
namespace {

using Json = nlohmann::json;

int StatusOf(const std::string& address, const std::string& target) {
  const absl::StatusOr<HttpReply> reply = HttpGet(address, target);
  return reply.ok() ? reply->status : -1;
}

class DaemonTest : public ::testing::Test {
 protected:
  void StartCluster(int datanodes) {
    auto started = Cluster::Start({.datanodes = datanodes});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
  }

  TempDir dir_;
  Programs programs_{&dir_};
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(DaemonTest, AUsedPortIsRefused) {
  StartCluster(1);
  const std::string rpc = cluster_->rpc_address();
  for (const std::string flag : {"--listen", "--http"}) {
    for (const std::string field : {"rpc", "http"}) {
      const std::string address = cluster_->namenode().Field(field);
      SCOPED_TRACE(flag + " " + address);
      ExpectOneLine(
          programs_.RunDaemon("cairn-namenode", {"--data-dir", dir_ / "nn", flag, address}), 1,
          "cairn-namenode", {address, "in use"});
      ExpectOneLine(programs_.RunDaemon("cairn-datanode", {"--data-dir", dir_ / "dn", "--namenode",
                                                           rpc, flag, address}),
                    1, "cairn-datanode", {address, "in use"});
    }
  }
  EXPECT_EQ(cluster_->Cairn({"ls", "/"}).code, 0);
}

TEST_F(DaemonTest, ReadyFilesTellTheAddresses) {
  StartCluster(1);
  const Json namenode = Json::parse(ReadWholeFile(cluster_->dir() / "nn.ready"));
  EXPECT_EQ(namenode.at("role"), "namenode");
  EXPECT_EQ(namenode.at("pid"), cluster_->namenode().pid());
  EXPECT_EQ(StatusOf(namenode.at("http"), "/healthz"), 200);
  EXPECT_EQ(
      programs_.Run("cairn", {"--namenode", namenode.at("rpc").get<std::string>(), "mkdir", "/a"})
          .code,
      0);

  const Json datanode = Json::parse(ReadWholeFile(cluster_->dir() / "dn0.ready"));
  EXPECT_EQ(datanode.at("role"), "datanode");
  EXPECT_EQ(datanode.at("pid"), cluster_->datanode(0).pid());
  EXPECT_EQ(StatusOf(datanode.at("http"), "/healthz"), 200);
  const Json nodes = Json::parse(cluster_->Cairn({"admin", "nodes", "--json"}).out);
  ASSERT_EQ(nodes.size(), 1u);
  EXPECT_EQ(nodes[0].at("id"), datanode.at("id"));
  EXPECT_EQ(nodes[0].at("address"), datanode.at("data"));
  EXPECT_EQ(nodes[0].at("http_address"), datanode.at("http"));
}

TEST_F(DaemonTest, AnOldReadyFileIsRemovedAtTheStart) {
  StartCluster(0);
  WriteWholeFile(dir_ / "ready", "{}");
  // It removes the file before it finds the directory in use.
  const CommandResult result = programs_.RunDaemon(
      "cairn-namenode",
      {"--data-dir", cluster_->namenode().data_dir(), "--ready-file", dir_ / "ready"});
  EXPECT_EQ(result.code, 1);
  EXPECT_FALSE(std::filesystem::exists(dir_ / "ready"));
}

// The checkpoint's child inherits the environment; the ready file is not its own.
TEST_F(DaemonTest, ACheckpointLeavesTheReadyFile) {
  Process::Spec spec{
      .args = {BinDir() + "/cairn-namenode", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"},
      .env = {{"CAIRN_READY_FILE", dir_ / "ready"},
              {"CAIRN_DATA_DIR", dir_ / "data"},
              {"CAIRN_LOG_FILE", dir_ / "log"}}};
  auto namenode = Process::Start(spec);
  ASSERT_TRUE(namenode.ok()) << namenode.status();
  ASSERT_TRUE(WaitUntil(60'000, [&] { return std::filesystem::exists(dir_ / "ready"); }))
      << ReadWholeFile(dir_ / "log");
  const Json ready = Json::parse(ReadWholeFile(dir_ / "ready"));
  const std::string rpc = ready.at("rpc");
  ASSERT_EQ(programs_.Run("cairn", {"--namenode", rpc, "mkdir", "/a"}).code, 0);
  const CommandResult checkpoint =
      programs_.Run("cairn", {"--namenode", rpc, "admin", "checkpoint"});
  EXPECT_EQ(checkpoint.code, 0) << checkpoint.err;
  EXPECT_TRUE(std::filesystem::exists(dir_ / "ready"));
}

TEST_F(DaemonTest, TheNameNodesPagesAnswer) {
  StartCluster(1);
  ASSERT_EQ(cluster_->Cairn({"put", "-r", "1", "-", "/file"}, {.input = "hello"}).code, 0);
  const std::string http = cluster_->namenode().Field("http");
  EXPECT_EQ(StatusOf(http, "/healthz"), 200);
  EXPECT_EQ(StatusOf(http, "/nothing"), 404);
  EXPECT_EQ(StatusOf(http, "/api/health?limit=none"), 400);

  const absl::StatusOr<HttpReply> metrics = HttpGet(http, "/metrics");
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_EQ(metrics->status, 200);
  EXPECT_NE(metrics->headers.find("text/plain; version=0.0.4"), std::string::npos);
  EXPECT_NE(metrics->body.find("\n# TYPE cairn_namenode_"), std::string::npos) << metrics->body;

  absl::StatusOr<HttpReply> report;
  Json cluster;
  EXPECT_TRUE(WaitUntil(60'000,
                        [&] {  // a node is healthy when its first report is in
                          report = HttpGet(http, "/api/report");
                          if (report.ok()) cluster = Json::parse(report->body).at("cluster");
                          return report.ok() && cluster.at("nodes_healthy") == 1;
                        }))
      << report.status() << cluster;
  for (const char* key :
       {"nodes_total", "nodes_healthy", "nodes_degraded", "nodes_failed", "nodes_recovering",
        "files_total", "blocks_total", "capacity_bytes", "used_bytes", "remaining_bytes",
        "utilization_percent", "default_replication", "block_size_bytes", "safe_mode",
        "under_replicated_blocks", "over_replicated_blocks", "corrupt_blocks", "missing_blocks",
        "health_score"}) {
    EXPECT_TRUE(cluster.contains(key)) << key;
  }
  EXPECT_EQ(cluster.at("files_total"), 1);
  EXPECT_EQ(cluster.at("default_replication"), 3);
  EXPECT_EQ(cluster.at("block_size_bytes"), 128 << 20);
  EXPECT_EQ(cluster.at("safe_mode"), false);
  EXPECT_EQ(Json::parse(report->body).at("datanodes").size(), 1u);

  const absl::StatusOr<HttpReply> health = HttpGet(http, "/api/health?limit=10");
  ASSERT_TRUE(health.ok()) << health.status();
  const Json blocks = Json::parse(health->body);
  for (const char* key : {"under_replicated_blocks", "over_replicated_blocks", "corrupt_blocks",
                          "missing_blocks", "totals", "truncated", "replication_health_score"}) {
    EXPECT_TRUE(blocks.contains(key)) << key;
  }
  EXPECT_EQ(blocks.at("replication_health_score"), 100);
}

TEST_F(DaemonTest, ADataNodeIsNotHealthyBeforeItIsRegistered) {
  StartCluster(1);
  Daemon& node = cluster_->datanode(0);
  const std::string http = node.Field("http");
  const absl::StatusOr<HttpReply> metrics = HttpGet(http, "/metrics");
  ASSERT_TRUE(metrics.ok()) << metrics.status();
  EXPECT_NE(metrics->body.find("# TYPE cairn_"), std::string::npos) << metrics->body;

  ASSERT_TRUE(node.Stop().ok());
  ASSERT_TRUE(cluster_->namenode().Stop().ok());
  ASSERT_TRUE(node.Launch().ok());
  EXPECT_TRUE(WaitUntil(60'000, [&] { return StatusOf(http, "/healthz") == 503; }));
  EXPECT_FALSE(std::filesystem::exists(cluster_->dir() / "dn0.ready"));
  ASSERT_TRUE(cluster_->namenode().Start().ok());
  const absl::Status ready = node.AwaitReady();
  EXPECT_TRUE(ready.ok()) << ready;
  EXPECT_EQ(StatusOf(http, "/healthz"), 200);
}

TEST_F(DaemonTest, SigtermEndsEachDaemonInTime) {
  StartCluster(2);
  ASSERT_EQ(cluster_->Cairn({"put", "-r", "2", "-", "/file"}, {.input = "hello"}).code, 0);
  const auto stop = [](Daemon& daemon) {
    daemon.Signal(SIGTERM);
    const bool ended = WaitUntil(60'000, [&] { return !daemon.running(); });
    EXPECT_TRUE(ended) << daemon.name() << " did not end within 60 s";
    const absl::StatusOr<ExitState> state = daemon.Stop();
    ASSERT_TRUE(state.ok()) << state.status();
    EXPECT_EQ(*state, (ExitState{0, 0})) << daemon.name();
  };
  stop(cluster_->datanode(0));
  stop(cluster_->namenode());
  stop(cluster_->datanode(1));  // whose NameNode is gone
  ASSERT_TRUE(cluster_->datanode(0).Launch().ok());
  const std::string http = cluster_->datanode(0).Field("http");
  ASSERT_TRUE(WaitUntil(60'000, [&] { return StatusOf(http, "/healthz") == 503; }));
  stop(cluster_->datanode(0));  // never registered
}

}  // namespace
}  // namespace cairn::testing
