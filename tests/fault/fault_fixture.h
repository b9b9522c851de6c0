// What the fault tests share: a cluster with a host for each process, traffic, and what must hold
// when the fault is over.
//
// Header only; for tests.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/file_system.h"
#include "tests/fault/net_hosts.h"
#include "tests/fault/traffic.h"
#include "tests/integration/cluster_view.h"
#include "tests/support/cluster.h"
#include "tests/support/history.h"

namespace cairn::testing {

class FaultTest : public ::testing::Test {
 protected:
  static constexpr int64_t kDeadAfterMs = 4'000;
  // A copy that its source could not make, and did not tell of, is ordered again after 120 s.
  static constexpr int64_t kHealMs = 240'000;

  // Hosts "nn", "dn0", ..., "client", and a cluster in them.
  void StartCluster(int datanodes, std::vector<std::string> namenode_flags = {},
                    const std::vector<std::string>& datanode_flags = {"--reserved=0"}) {
    std::vector<std::string> names = {"nn", "client"};
    for (int i = 0; i < datanodes; ++i) names.push_back(fmt::format("dn{}", i));
    auto hosts = NetHosts::Make(names);
    ASSERT_TRUE(hosts.ok()) << hosts.status();
    hosts_ = *std::move(hosts);
    StartCluster({.datanodes = datanodes,
                  .namenode_flags = std::move(namenode_flags),
                  .datanode_flags = datanode_flags,
                  .place = hosts_->Placing()});
  }

  // Anywhere. Failures are noticed within seconds.
  void StartCluster(Cluster::Options options) {
    for (std::string flag : {"--block-size=1M", "--heartbeat-interval=300ms", "--stale-after=1s",
                             "--dead-after=4s", "--redundancy-interval=300ms"}) {
      options.namenode_flags.insert(options.namenode_flags.begin(), std::move(flag));
    }
    // A node that was slow is tried again before the patience of these tests ends.
    options.datanode_flags.insert(options.datanode_flags.begin(), "--peer-latency-window=10s");
    auto started = Cluster::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    auto fs = FileSystem::Connect({.namenodes = {cluster_->rpc_address()},
                                   .timeout_ms = 60'000,
                                   .transfer = {.packet_bytes = 64 << 10}});
    ASSERT_TRUE(fs.ok()) << fs.status();
    fs_ = *std::move(fs);
  }

  void Do(const absl::Status& status) { ASSERT_TRUE(status.ok()) << status; }

  void StartTraffic(const std::string& directory, const Traffic::Options& options = {}) {
    auto traffic = Traffic::Start(cluster_->rpc_address(), directory, options);
    ASSERT_TRUE(traffic.ok()) << traffic.status();
    traffic_ = *std::move(traffic);
    AwaitFiles(2);
  }
  // So many more have been written.
  void AwaitFiles(size_t more) {
    const size_t before = traffic_->files();
    ASSERT_TRUE(WaitUntil(120'000, [&] { return traffic_->files() >= before + more; }))
        << traffic_->ToString();
  }
  // The fault lasts so long, and the clients go on.
  static void Last(int64_t ms) {
    WaitUntil(ms, [] { return false; });
  }
  // What the traffic read was right, and every file that it wrote is there.
  void EndTraffic(const std::string& what) {
    traffic_->Stop();
    fmt::print("{}: {}\n", what, traffic_->ToString());
    EXPECT_GT(traffic_->files(), 0u);
    EXPECT_EQ(traffic_->Wrong(), std::vector<std::string>()) << what;
  }

  // As EndTraffic, after a fault that left nobody to serve: what was acknowledged need not be there
  // before all nodes are back.
  void EndTrafficWhenHealed(const std::string& what) {
    traffic_->Stop();
    ExpectHealed();
    EndTraffic(what);
  }

  bool AllNodesHealthy() {
    return ReportNumber(*cluster_, "nodes_healthy") == static_cast<int64_t>(cluster_->datanodes());
  }
  void ExpectHealed() {
    const int64_t began_us = History::NowUs();
    EXPECT_TRUE(WaitUntil(kHealMs, [&] { return AllNodesHealthy() && IsHealthy(*cluster_); }))
        << cluster_->Cairn({"admin", "health"}).out << cluster_->Cairn({"admin", "report"}).out;
    fmt::print("healed after {:.1f} s more\n",
               static_cast<double>(History::NowUs() - began_us) / 1e6);
    const CommandResult fsck = cluster_->Cairn({"fsck", "/"});
    EXPECT_EQ(fsck.code, 0) << fsck.out;
  }

  std::unique_ptr<NetHosts> hosts_;  // outlives the processes in them
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<Traffic> traffic_;
};

}  // namespace cairn::testing
