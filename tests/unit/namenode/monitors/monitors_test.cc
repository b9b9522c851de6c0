// The monitors on their own; the checkpoint's real child runs in the integration tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "common/clock.h"
#include "common/env.h"
#include "namenode/monitors/checkpoint_monitor.h"
#include "namenode/monitors/cluster_metrics.h"
#include "namenode/monitors/decommission_monitor.h"
#include "namenode/monitors/disk_space_monitor.h"
#include "namenode/monitors/heartbeat_monitor.h"
#include "tests/support/cluster.h"
#include "tests/unit/namenode/namesystem/door_fixture.h"

namespace cairn::namenode {
namespace {

using ::testing::HasSubstr;

TEST(DiskSpaceMonitorTest, LowSpaceForcesSafeModeUntilItIsBack) {
  Door door;
  testing::TempDir temp;
  const std::unique_ptr<Env> env = NewPosixEnv();
  ForcedSafeMode forced(&door.blocks);
  StateStore store(env.get(), {temp.path()}, "cluster-1");
  DiskSpaceMonitor starved(&store, UINT64_MAX, &forced);
  DiskSpaceMonitor fine(&store, 0, &forced);
  EXPECT_EQ(starved.RunOnce(), absl::OkStatus());
  EXPECT_TRUE(door.blocks.InSafeMode());
  EXPECT_THAT(door.blocks.SafeModeNow().reason, HasSubstr("--reserved"));
  EXPECT_FALSE(door.blocks.LeaveSafeMode().ok());
  EXPECT_EQ(fine.RunOnce(), absl::OkStatus());
  EXPECT_FALSE(door.blocks.InSafeMode());
}

TEST(DiskSpaceMonitorTest, EnoughSpaceDoesNotLiftAnOlderJournal) {
  Door door;
  testing::TempDir temp;
  const std::unique_ptr<Env> env = NewPosixEnv();
  ForcedSafeMode forced(&door.blocks);
  forced.SetOlderJournal("safe mode: an older journal");
  StateStore store(env.get(), {temp.path()}, "cluster-1");
  EXPECT_EQ(DiskSpaceMonitor(&store, 0, &forced).RunOnce(), absl::OkStatus());
  EXPECT_TRUE(door.blocks.InSafeMode());
}

// Of 60 s until a node is dead, and heartbeats every 3 s.
TEST(HeartbeatMonitorTest, NobodyIsDeadRightAfterThisProcessWasStill) {
  ManualClock clock;
  int checks = 0;
  HeartbeatMonitor monitor({}, &clock, [&](int64_t now_ms) {
    EXPECT_EQ(now_ms, clock.SteadyMs());
    ++checks;
  });
  const auto run_after = [&](int64_t ms) {
    clock.AdvanceMs(ms);
    EXPECT_EQ(monitor.RunOnce(), absl::OkStatus());
    return std::exchange(checks, 0);
  };
  EXPECT_EQ(run_after(0), 1);
  EXPECT_EQ(run_after(1'000), 1);
  EXPECT_EQ(run_after(29'999), 1);  // too short to make a difference
  EXPECT_EQ(run_after(70'000), 0);
  EXPECT_EQ(run_after(4'000), 0);
  EXPECT_EQ(run_after(3'999), 0);
  EXPECT_EQ(run_after(1), 1);
  EXPECT_EQ(run_after(1'000), 1);
}

TEST(HeartbeatMonitorTest, NorAfterAPauseWithinTheCheck) {
  ManualClock clock;
  int checks = 0;
  int64_t pause_ms = 70'000;
  HeartbeatMonitor monitor({}, &clock, [&](int64_t now_ms) {
    EXPECT_EQ(now_ms, clock.SteadyMs());
    ++checks;
    clock.AdvanceMs(std::exchange(pause_ms, 0));
  });
  EXPECT_EQ(monitor.RunOnce(), absl::OkStatus());
  EXPECT_EQ(checks, 1);
  for (const int64_t ms : {1'000, 6'999}) {
    clock.AdvanceMs(ms);
    EXPECT_EQ(monitor.RunOnce(), absl::OkStatus());
    EXPECT_EQ(checks, 1);
  }
  clock.AdvanceMs(1);
  EXPECT_EQ(monitor.RunOnce(), absl::OkStatus());
  EXPECT_EQ(checks, 2);
}

// An empty node in a cluster without blocks: nothing depends on it, and a later start knows.
TEST(DecommissionMonitorTest, ANodeThatNothingDependsOnIsDecommissioned) {
  Door door;
  door.journal.Flow();
  const auto commit = [&](const Namesystem::PlanFn& plan) {
    return door.namesystem.CommitAndWait(Origin::kInternal, std::nullopt, plan).status();
  };
  NodeRegistration node;
  node.id = "n1";
  node.addresses = {"127.0.0.1:1"};
  node.number = 1;
  ASSERT_EQ(commit([](const FsState& s) {
              return PlanRegisterNode(s, {"n1", "/r", {}});
            }),
            absl::OkStatus());
  ASSERT_EQ(door.blocks.Register(node), absl::OkStatus());
  DecommissionMonitor monitor(&door.namesystem, &door.blocks);
  const auto state = [&] {
    AdminState admin = AdminState::kInService;
    door.namesystem.Peek([&](const FsState& s) { admin = s.registry().FindNode(1)->admin; });
    EXPECT_EQ(door.blocks.Report().datanodes[0].admin_state, admin);
    return admin;
  };
  EXPECT_EQ(monitor.RunOnce(), absl::OkStatus());
  EXPECT_EQ(state(), AdminState::kInService);
  ASSERT_EQ(commit([](const FsState& s) {
              return PlanSetAdminState(s, {"root", {}, true}, {1, AdminState::kDecommissioning});
            }),
            absl::OkStatus());
  EXPECT_EQ(state(), AdminState::kDecommissioning);
  door.blocks.RunHeartbeatCheck();
  EXPECT_EQ(monitor.RunOnce(), absl::OkStatus());
  EXPECT_EQ(state(), AdminState::kDecommissioned);
  EXPECT_EQ(ClusterMetrics(&door.namesystem, &door.blocks, &door.metrics).RunOnce(),
            absl::OkStatus());
  const std::string text = door.metrics.RenderText();
  EXPECT_THAT(text, HasSubstr("cairn_cluster_datanodes_admin{state=\"decommissioned\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("cairn_cluster_datanodes_admin{state=\"in_service\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("cairn_cluster_leaving_nodes_blocks_left 0\n"));
}

TEST(ClusterMetricsTest, FiguresOfBothStatesAreShown) {
  Door door;
  door.journal.Flow();
  Slot<absl::Status> made;
  door.operations.Mkdirs(door.Call(1), {"/a", 0755, false}, made.Reply());
  ASSERT_TRUE(made.Await().has_value());
  NodeRegistration node;
  node.number = 1;
  node.id = "n1";
  node.addresses = {"127.0.0.1:1"};
  ASSERT_EQ(door.blocks.Register(node), absl::OkStatus());
  EXPECT_EQ(ClusterMetrics(&door.namesystem, &door.blocks, &door.metrics).RunOnce(),
            absl::OkStatus());
  const std::string text = door.metrics.RenderText();
  EXPECT_THAT(text, HasSubstr("cairn_cluster_directories 2\n"));
  EXPECT_THAT(text, HasSubstr("cairn_cluster_safe_mode 0\n"));
  EXPECT_THAT(text, HasSubstr("cairn_cluster_datanodes{state=\"failed\"} 0\n"));
}

class CheckpointMonitorTest : public ::testing::Test {
 protected:
  CheckpointMonitorTest() {
    door_.journal.Flow();
    EXPECT_TRUE(env_->CreateDirs(temp_ / "current").ok());
    EXPECT_TRUE(store_.Format("root", "supergroup", 0).ok());
  }
  CheckpointMonitor Monitor(const std::string& program, uint64_t every_edits) {
    CheckpointOptions options;
    options.data_dirs = {temp_.path()};
    options.program = program;
    options.every_edits = every_edits;
    return CheckpointMonitor(&door_.clock, &door_.namesystem, &store_, options, 0, &door_.metrics);
  }
  void Edit() {
    Slot<absl::Status> made;
    door_.operations.Mkdirs(door_.Call(++call_), {"/a/b", 0755, true}, made.Reply());
    ASSERT_TRUE(made.Await().has_value());
  }

  testing::TempDir temp_;
  const std::unique_ptr<Env> env_ = NewPosixEnv();
  StateStore store_{env_.get(), {temp_ / "current"}, "cluster-1"};
  Door door_;
  uint64_t call_ = 0;
};

TEST_F(CheckpointMonitorTest, ChildrenThatFailAreErrorsAndNothingIsDropped) {
  EXPECT_THAT(MessageOf(Monitor("/bin/false", 1).Checkpoint().status()), HasSubstr("status 1"));
  EXPECT_FALSE(Monitor("/nonexistent/program", 1).Checkpoint().ok());
}

TEST_F(CheckpointMonitorTest, OneIsTakenAfterEnoughEditsOrTime) {
  CheckpointMonitor never_due = Monitor("/bin/false", 1000);
  Edit();
  EXPECT_EQ(never_due.RunOnce(), absl::OkStatus());
  door_.clock.AdvanceMs(3600 * 1000);
  EXPECT_FALSE(never_due.RunOnce().ok());  // an hour has passed: the child runs, and fails
  EXPECT_FALSE(Monitor("/bin/false", 1).RunOnce().ok());
  EXPECT_EQ(Monitor("/bin/true", 1).RunOnce(), absl::OkStatus());
}

}  // namespace
}  // namespace cairn::namenode
