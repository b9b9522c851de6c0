// Reports, safe mode, replication and fsck over a real cluster.
#include "tests/integration/cli_fixture.h"

namespace cairn::testing {
namespace {

using CliAdminTest = CliTest;

TEST_F(CliAdminTest, Report) {
  Put("a", Noise(2'500'000));
  const Json report = MustJson({"admin", "report", "--json"});
  const Json& cluster = report["cluster"];
  for (const char* name :
       {"nodes_total", "nodes_healthy", "nodes_degraded", "nodes_failed", "nodes_recovering",
        "files_total", "blocks_total", "capacity_bytes", "used_bytes", "remaining_bytes",
        "utilization_percent", "default_replication", "block_size_bytes", "safe_mode",
        "under_replicated_blocks", "over_replicated_blocks", "corrupt_blocks", "missing_blocks",
        "health_score"}) {
    EXPECT_TRUE(cluster.contains(name)) << name;
  }
  EXPECT_EQ(cluster["nodes_total"], 3);
  EXPECT_EQ(cluster["nodes_healthy"], 3);
  EXPECT_EQ(cluster["block_size_bytes"], 1 << 20);
  EXPECT_EQ(cluster["safe_mode"], false);
  EXPECT_EQ(cluster["missing_blocks"], 0);
  ASSERT_EQ(report["datanodes"].size(), 3u);
  for (const char* name : {"id",
                           "address",
                           "addresses",
                           "http_address",
                           "rack",
                           "status",
                           "reason",
                           "admin_state",
                           "capacity_bytes",
                           "used_bytes",
                           "remaining_bytes",
                           "utilization_percent",
                           "blocks",
                           "read_requests",
                           "write_requests",
                           "errors",
                           "bytes_read",
                           "bytes_written",
                           "disk_errors",
                           "checksum_errors",
                           "packet_latency_us",
                           "last_heartbeat_ms_ago",
                           "volumes"}) {
    EXPECT_TRUE(report["datanodes"][0].contains(name)) << name;
  }
  EXPECT_EQ(report["datanodes"][0]["status"], "healthy");
  EXPECT_EQ(report["datanodes"][0]["admin_state"], "in_service");
  const Json nodes = MustJson({"admin", "nodes", "--json"});
  ASSERT_EQ(nodes.size(), 3u);
  EXPECT_EQ(nodes[0]["id"], report["datanodes"][0]["id"]);
  EXPECT_NE(Must({"admin", "report"}).find("3 healthy"), std::string::npos);
  EXPECT_NE(Must({"admin", "nodes"}).find(cluster_->datanode(0).Field("id")), std::string::npos);
}

TEST_F(CliAdminTest, Health) {
  Put("a", "x");
  ASSERT_TRUE(WaitUntil(60'000, [] {
    return MustJson({"admin", "health", "--json"})["replication_health_score"] == 100;
  }));
  const Json health = MustJson({"admin", "health", "--json", "--limit", "5"});
  for (const char* name :
       {"under_replicated_blocks", "over_replicated_blocks", "corrupt_blocks", "missing_blocks"}) {
    ASSERT_TRUE(health.contains(name)) << name;
    EXPECT_TRUE(health[name].empty()) << name;
  }
  EXPECT_EQ(health["truncated"], false);
  EXPECT_TRUE(health["totals"].is_object());
  EXPECT_NE(Must({"admin", "health"}).find("health score"), std::string::npos);
}

TEST_F(CliAdminTest, SafeMode) {
  EXPECT_EQ(Must({"admin", "safe-mode", "get"}), "off\n");
  Must({"admin", "safe-mode", "wait"});
  Must({"admin", "safe-mode", "enter"});
  EXPECT_EQ(Must({"admin", "safe-mode", "get"}), "on\n");
  CommandResult write;
  EXPECT_TRUE(WaitUntil(60'000, [&] {  // its last try may be cut off by the limit
    write = Run({"mkdir", At("a")}, {.env = {{"CAIRN_TIMEOUT", "5s"}}});
    return write.code != 3;
  }));
  EXPECT_EQ(write.code, 1);
  EXPECT_NE(write.err.find("safe mode"), std::string::npos) << write.err;
  Must({"ls", base_});
  auto waiting = cluster_->StartCairn({"admin", "safe-mode", "wait"});
  ASSERT_TRUE(waiting.ok());
  EXPECT_FALSE((*waiting)->Wait(500).has_value());
  Must({"admin", "safe-mode", "leave"});
  EXPECT_EQ((*waiting)->Wait(30'000), (ExitState{0, 0}));
  Must({"mkdir", At("a")});
  EXPECT_EQ(Run({"--user", "nobody", "admin", "safe-mode", "enter"}).code, 1);
}

TEST_F(CliAdminTest, Balance) {
  EXPECT_EQ(Run({"--user", "nobody", "admin", "balance"}).code, 1);
  const std::string none = Must({"--user", "nobody", "admin", "balance", "--status"});
  EXPECT_NE(none.find("has not run since the NameNode started"), std::string::npos) << none;
  const Json begun = MustJson({"admin", "balance", "--threshold", "20.5", "--json"});
  for (const char* name : {"state", "reason", "threshold_percent", "mean_percent",
                           "most_over_percent", "most_under_percent", "nodes", "nodes_over",
                           "nodes_under", "bytes_left", "moves_done", "bytes_moved", "moves_failed",
                           "moves_in_flight", "bytes_in_flight", "elapsed_ms", "started"}) {
    EXPECT_TRUE(begun.contains(name)) << name;
  }
  EXPECT_EQ(begun["threshold_percent"], 20.5);
  // There is nothing to do.
  const std::string done = Must({"admin", "balance", "--wait", "--threshold", "20.5"});
  EXPECT_NE(done.find("every DataNode is within 20.5% of the mean"), std::string::npos) << done;
  EXPECT_EQ(MustJson({"admin", "balance", "--wait", "--json"})["state"], "balanced");

  // A run that has to wait is shown, not started again.
  Must({"admin", "safe-mode", "enter"});
  EXPECT_NE(Must({"admin", "balance"}).find("the balancer has begun"), std::string::npos);
  ASSERT_TRUE(WaitUntil(60'000, [] {
    const std::string shown = Must({"--user", "nobody", "admin", "balance"});
    return shown.find("runs already") != std::string::npos &&
           shown.find("waits for the end of safe mode") != std::string::npos;
  }));
  MustFail({"admin", "balance", "--threshold", "5"}, 1,
           "cairn: admin balance: the balancer runs already, with a threshold of 10%; stop it "
           "first\n");
  auto waiting = cluster_->StartCairn({"admin", "balance", "--wait"});
  ASSERT_TRUE(waiting.ok());
  EXPECT_FALSE((*waiting)->Wait(500).has_value());
  EXPECT_EQ(Run({"--user", "nobody", "admin", "balance", "--stop"}).code, 1);
  EXPECT_NE(Must({"admin", "balance", "--stop"}).find("stopped after"), std::string::npos);
  EXPECT_EQ((*waiting)->Wait(60'000), (ExitState{1, 0}));
  Must({"admin", "safe-mode", "leave"});

  EXPECT_EQ(Run({"admin", "balance", "--threshold", "0"}).code, 2);
  EXPECT_EQ(Run({"admin", "balance", "--stop", "--wait"}).code, 2);
  EXPECT_EQ(Run({"admin", "balance", "/"}).code, 2);
}

TEST_F(CliAdminTest, Checkpoint) {
  EXPECT_NE(Must({"admin", "checkpoint"}).find("up to "), std::string::npos);
}

TEST_F(CliAdminTest, RepairByHand) {
  // No other node is there for the fourth copy.
  Put("a", "x");
  Must({"setrep", "4", At("a")});
  ASSERT_TRUE(WaitUntil(60'000, [] {
    const Json round = MustJson({"admin", "repair", "--max", "10", "--json"});
    return round["planned"] == 0 && round["waiting"] == 1 && round["no_target"] == 1 &&
           round["reason"].get<std::string>().find("no target qualifies") != std::string::npos;
  }));
  EXPECT_NE(Must({"admin", "repair"}).find("no target qualifies"), std::string::npos);
  EXPECT_EQ(Run({"--user", "nobody", "admin", "repair"}).code, 1);
  Must({"setrep", "3", At("a")});
}

TEST_F(CliAdminTest, LocationsNameLiveNodes) {
  Put("a", Noise(2'500'000));
  ASSERT_TRUE(WaitUntil(60'000, [&] {
    const Json blocks = MustJson({"locations", "--json", At("a")});
    return blocks.size() == 3 && blocks[0]["nodes"].size() == 3 && blocks[1]["nodes"].size() == 3 &&
           blocks[2]["nodes"].size() == 3;
  }));
  const Json block = MustJson({"locations", At("a"), "--json"})[2];
  EXPECT_EQ(block["offset"], 2 << 20);
  EXPECT_EQ(block["length"], 2'500'000 - (2 << 20));
  EXPECT_GT(block["generation"], 0);
  EXPECT_TRUE(block["nodes"][0]["address"].is_string());
  Put("empty", "");
  EXPECT_EQ(MustJson({"locations", At("empty"), "--json"}), Json::array());
  EXPECT_EQ(Run({"locations", base_}).code, 1);
  EXPECT_EQ(Run({"locations", At("none")}).code, 1);
}

TEST_F(CliAdminTest, SetReplicationWaits) {
  Put("a", Noise(1'500'000));
  const auto copies = [&] {
    std::vector<size_t> counts;
    for (const Json& block : MustJson({"locations", "--json", At("a")})) {
      counts.push_back(block["nodes"].size());
    }
    return counts;
  };
  Must({"setrep", "-w", "1", At("a")});
  EXPECT_EQ(copies(), (std::vector<size_t>{1, 1}));
  Must({"setrep", "-w", "3", At("a")});
  EXPECT_EQ(copies(), (std::vector<size_t>{3, 3}));
  EXPECT_EQ(Run({"setrep", "2", base_}).code, 1);
  Must({"setrep", "-R", "2", base_});
  EXPECT_EQ(MustJson({"stat", "--json", At("a")})["replication"], 2);
  // More than there are nodes: it waits until it is interrupted.
  auto process = cluster_->StartCairn({"setrep", "-w", "5", At("a")});
  ASSERT_TRUE(process.ok());
  EXPECT_FALSE((*process)->Wait(1000).has_value());
  (*process)->Signal(SIGINT);
  EXPECT_EQ((*process)->Wait(30'000), (ExitState{130, 0}));
}

TEST_F(CliAdminTest, FsckOfAHealthyTree) {
  Put("a", Noise(1'500'000));
  ASSERT_TRUE(WaitUntil(60'000, [&] {
    return MustJson({"fsck", base_, "--json"})["under_replicated_blocks"] == 0;
  }));
  const Json json = MustJson({"fsck", base_, "--json"});
  EXPECT_EQ(json["healthy"], true);
  EXPECT_EQ(json["files"], 1);
  EXPECT_EQ(json["blocks"], 2);
  EXPECT_EQ(json["bytes"], 1'500'000);
  EXPECT_NE(Must({"fsck", base_}).find("healthy"), std::string::npos);
  EXPECT_EQ(Run({"fsck", At("none")}).code, 1);
}

TEST(CliFsckTest, AMissingBlockFails) {
  auto started = Cluster::Start({.datanodes = 1,
                                 .namenode_flags = {"--heartbeat-interval", "300ms",
                                                    "--stale-after", "5s", "--dead-after", "10s"},
                                 .datanode_flags = {"--reserved", "0"}});
  ASSERT_TRUE(started.ok()) << started.status();
  Cluster& cluster = **started;
  ASSERT_EQ(cluster.Cairn({"put", "-r", "1", "-", "/a"}, {.input = "content"}).code, 0);
  EXPECT_EQ(cluster.Cairn({"fsck", "/"}).code, 0);
  cluster.datanode(0).Kill();
  ASSERT_TRUE(WaitUntil(60'000, [&] { return cluster.Cairn({"fsck", "/"}).code == 1; }));
  const CommandResult result = cluster.Cairn({"fsck", "/"});
  EXPECT_NE(result.out.find("/a: block "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("MISSING"), std::string::npos) << result.out;
  ASSERT_TRUE(cluster.datanode(0).Start().ok());
  ASSERT_TRUE(WaitUntil(60'000, [&] { return cluster.Cairn({"fsck", "/"}).code == 0; }));
  EXPECT_EQ(cluster.Cairn({"cat", "/a"}).out, "content");
}

TEST(CliStrongTest, TooFewNodesAreTold) {
  auto started = Cluster::Start({.datanodes = 1, .datanode_flags = {"--reserved", "0"}});
  ASSERT_TRUE(started.ok()) << started.status();
  const CommandResult result =
      (*started)->Cairn({"--timeout", "15s", "put", "-", "/a"}, {.input = "content"});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.err,
            "cairn: put: /a: need 2 healthy DataNodes, 1 available; add one or use -r 1\n");
  EXPECT_EQ((*started)->Cairn({"ls", "/"}).out, "");
  EXPECT_EQ((*started)->Cairn({"put", "-r", "1", "-", "/a"}, {.input = "content"}).code, 0);
}

}  // namespace
}  // namespace cairn::testing
