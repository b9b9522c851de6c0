// Disks that fail under running daemons and clients (P1, P3, P4, P8): in part, for reads, for
// writes, and for good.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "tests/fault/fault_fixture.h"
#include "tests/support/files.h"
#include "tests/support/sick_disk_control.h"

namespace cairn::testing {
namespace {

class SickDiskTest : public FaultTest {
 protected:
  void TearDown() override {
    traffic_.reset();
    fs_.reset();
    cluster_.reset();
  }

  // DataNodes below dir_, each with a disk that can fall sick, as the NameNode's can. None is
  // degraded for long after its errors are over, or for being slow: the machine may be busy.
  void Start(std::vector<std::string> datanode_flags = {}, int datanodes = 4) {
    datanode_flags.emplace_back("--reserved=0");
    StartCluster({.datanodes = datanodes,
                  .namenode_flags = {"--error-window=10s", "--slow-node-threshold=0"},
                  .datanode_flags = std::move(datanode_flags),
                  .place = [&](const std::string& name) { return DiskOf(name).At(); },
                  .dir = dir_.path()});
  }
  SickDisk DiskOf(const std::string& daemon) { return {dir_ / daemon, dir_ / (daemon + ".sick")}; }

  std::string StatusOf(size_t node) {
    const nlohmann::json nodes = CairnJson(*cluster_, {"admin", "nodes"});
    if (nodes.is_discarded()) return "";
    for (const auto& entry : nodes) {
      if (entry.at("id") == cluster_->datanode(node).Field("id")) return entry.at("status");
    }
    return "";
  }
  static bool AwaitEnd(Daemon& daemon) {
    return WaitUntil(60'000, [&] { return !daemon.running(); });
  }
  static bool LogSays(const Daemon& daemon, const std::string& what) {
    return ReadWholeFile(daemon.log_path()).find(what) != std::string::npos;
  }
  // Every block has all its replicas, on the disks that work.
  void ExpectRepaired() {
    EXPECT_TRUE(WaitUntil(kHealMs, [&] { return IsHealthy(*cluster_); }))
        << cluster_->Cairn({"admin", "health"}).out;
  }

  // The only disk of a DataNode falls sick, which it must notice: the node ends, for it has
  // nothing to offer; nobody fails, and its blocks are copied elsewhere.
  void ExpectNodeEndsUnnoticed(const Sickness& sickness, const std::string& what) {
    Start();
    ASSERT_FALSE(HasFatalFailure());
    StartTraffic("/traffic");
    ASSERT_FALSE(HasFatalFailure());
    Daemon& node = cluster_->datanode(1);
    DiskOf("dn1").Make(sickness);
    ASSERT_TRUE(AwaitEnd(node));
    EXPECT_TRUE(LogSays(node, "failed and is not used any more")) << node.log_path();
    AwaitFiles(2);
    ExpectRepaired();
    DiskOf("dn1").Heal();
    Do(node.Start());
    AwaitFiles(2);
    EndTraffic(what);
    EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
    ExpectHealed();
  }

  const TempDir dir_;
};

// P3, P8: one of two disks takes no byte any more. It alone is taken out, the node goes on with the
// other one, and no put or read fails. Three nodes: the third replica of a block has no other
// place.
TEST_F(SickDiskTest, OneOfTwoDisksFailsWritesAndIsTakenOut) {
  Start({}, 3);
  ASSERT_FALSE(HasFatalFailure());
  Daemon& node = cluster_->datanode(1);
  const std::string more = dir_ / "more";
  node.flags().push_back("--data-dir=" + more);
  ASSERT_TRUE(node.Stop().ok());
  Do(node.Start());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  DiskOf("dn1").Make({.fail_writes = true, .fail_syncs = true});
  EXPECT_TRUE(WaitUntil(60'000, [&] { return StatusOf(1) == "degraded"; })) << StatusOf(1);
  EXPECT_TRUE(WaitUntil(
      60'000, [&] { return LogSays(node, dir_ / "dn1 failed and is not used any more"); }));
  const size_t before = FinalizedFiles(more).size();
  EXPECT_TRUE(WaitUntil(60'000, [&] { return FinalizedFiles(more).size() > before; }));
  ExpectRepaired();
  EXPECT_TRUE(node.running());
  DiskOf("dn1").Heal();
  ASSERT_TRUE(node.Stop().ok());
  Do(node.Start());
  AwaitFiles(2);
  EndTraffic("one of two disks of a DataNode fails writes");
  EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
  ExpectHealed();
}

// P4, P8: no replica there can be read. Readers go to others, and what was found is replaced.
TEST_F(SickDiskTest, ADisksReadsFailAndItsReplicasAreReplaced) {
  // Else clients read the files themselves, and the log of small replicas what was just written,
  // which is in the page cache.
  Start({"--local-socket=off", "--small-replica-max=0"});
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  std::vector<std::string> before;
  ASSERT_TRUE(WaitUntil(60'000, [&] {
    before = FinalizedFiles(cluster_->datanode(1));
    return before.size() >= 3;
  }));
  DiskOf("dn1").Make({.fail_reads = true});
  EXPECT_TRUE(WaitUntil(
      kHealMs, [&] { return LogSays(cluster_->datanode(1), "is bad and will not be served"); }));
  // The bad one goes when good ones are elsewhere.
  EXPECT_TRUE(WaitUntil(kHealMs, [&] {
    return std::any_of(before.begin(), before.end(),
                       [](const std::string& path) { return !std::filesystem::exists(path); });
  }));
  AwaitFiles(2);
  DiskOf("dn1").Heal();
  EndTraffic("a disk of a DataNode fails reads");
  EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
  ExpectHealed();
}

// P4, P8: nobody but a copy reads there. What it cannot read is found bad, and is copied from
// others.
TEST_F(SickDiskTest, CopiesFromADiskThatCannotBeReadComeFromOthers) {
  Start({"--local-socket=off", "--small-replica-max=0"});
  ASSERT_FALSE(HasFatalFailure());
  WriteWholeFile(dir_ / "local", RandomBytes(1, 3'000'000));
  for (int i = 0; i < 12; ++i) {
    const std::string path = fmt::format("/f{}", i);
    ASSERT_EQ(cluster_->Cairn({"put", "--replication=2", dir_ / "local", path}).code, 0);
  }
  ASSERT_FALSE(FinalizedFiles(cluster_->datanode(1)).empty());
  ASSERT_TRUE(WaitUntil(60'000, [&] { return AllNodesHealthy(); }));
  DiskOf("dn1").Make({.fail_reads = true});
  ASSERT_EQ(cluster_->Cairn({"setrep", "-R", "3", "/"}).code, 0);
  ExpectRepaired();
  EXPECT_TRUE(LogSays(cluster_->datanode(1), "is bad and will not be served"));
  DiskOf("dn1").Heal();
  ExpectHealed();
}

// P3, P8.
TEST_F(SickDiskTest, ADataNodesDiskTurnsReadOnly) {
  ExpectNodeEndsUnnoticed({.read_only = true}, "the disk of a DataNode turns read-only");
}

// P3, P8: what was not synced is lost there, and elsewhere it is.
TEST_F(SickDiskTest, ADataNodesDiskFailsSyncs) {
  ExpectNodeEndsUnnoticed({.fail_syncs = true}, "the disk of a DataNode fails syncs");
}

// P3: while no disk can sync, no file is acknowledged; what was is there when they can again.
TEST_F(SickDiskTest, EveryDataNodesDiskFailsSyncs) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic", {.timeout_ms = 5'000});
  ASSERT_FALSE(HasFatalFailure());
  for (size_t i = 0; i < cluster_->datanodes(); ++i) {
    DiskOf(cluster_->datanode(i).name()).Make({.fail_syncs = true});
  }
  const size_t then = traffic_->files();
  // One that gets nothing to sync does not find out.
  const auto ended = [&] {
    size_t count = 0;
    for (size_t i = 0; i < cluster_->datanodes(); ++i) count += !cluster_->datanode(i).running();
    return count;
  };
  EXPECT_TRUE(WaitUntil(120'000, [&] { return ended() + 1 >= cluster_->datanodes(); })) << ended();
  EXPECT_TRUE(WaitUntil(120'000, [&] { return traffic_->failures() > 0; }));
  EXPECT_LE(traffic_->files(), then + 2);  // each writer had one under way
  for (size_t i = 0; i < cluster_->datanodes(); ++i) {
    Daemon& node = cluster_->datanode(i);
    DiskOf(node.name()).Heal();
    // One that runs may have given its disk up a moment ago, and be about to end.
    if (node.running()) ASSERT_TRUE(node.Stop().ok());
    Do(node.Start());
  }
  AwaitFiles(2);
  EndTrafficWhenHealed("all disks of DataNodes fail syncs");
}

// P1, P2: a NameNode that cannot write its journal ends, and does not start before it can. Every
// file that was acknowledged is there, and clients only wait.
TEST_F(SickDiskTest, TheNameNodesDiskFailsSyncsThenTurnsReadOnly) {
  Start();
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  Daemon& namenode = cluster_->namenode();
  for (const Sickness& sickness : {Sickness{.fail_syncs = true}, Sickness{.read_only = true}}) {
    DiskOf("nn").Make(sickness);
    ASSERT_TRUE(AwaitEnd(namenode));
    EXPECT_TRUE(LogSays(namenode, "ending the process, since memory is now ahead of the disk"));
    EXPECT_FALSE(namenode.Start().ok());
    DiskOf("nn").Heal();
    Do(namenode.Start());
    Do(cluster_->AwaitSafeModeOff(60'000));
    AwaitFiles(2);
  }
  EndTraffic("the disk of the NameNode fails syncs, then turns read-only");
  EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
  ExpectHealed();
}

}  // namespace
}  // namespace cairn::testing
