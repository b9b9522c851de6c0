#include "namenode/monitors/trash_monitor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/trash_names.h"
#include "tests/unit/namenode/namesystem/door_fixture.h"

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kHour = 3'600'000;

class TrashMonitorTest : public ::testing::Test {
 protected:
  TrashMonitorTest() {
    door_.journal.Flow();
    monitor_ = Monitor();
  }
  // Kept for 3 hours, checkpoints every hour.
  std::unique_ptr<TrashMonitor> Monitor(int users_a_run = 100) {
    return std::make_unique<TrashMonitor>(&door_.clock, &door_.namesystem, &door_.blocks,
                                          TrashOptions{3 * kHour, kHour, users_a_run},
                                          &door_.metrics);
  }
  void Make(const std::string& path) {
    Slot<absl::Status> made;
    door_.operations.Mkdirs(door_.Call(++call_), {path, 0700, true}, made.Reply());
    ASSERT_EQ(made.Await(), absl::OkStatus()) << path;
  }
  std::vector<std::string> List(const std::string& path) {
    Slot<absl::StatusOr<ListPage>> listed;
    door_.operations.List(door_.Call(0), path, "", 0, listed.Reply());
    const auto page = *listed.Await();
    std::vector<std::string> names;
    if (page.ok()) {
      for (const FileStatus& entry : page->entries) names.push_back(entry.name);
    }
    return names;
  }
  // As the background task does, every second, `ms` long.
  void Pass(int64_t ms) {
    const int64_t end = door_.clock.WallMs() + ms;
    while (door_.clock.WallMs() < end) {
      door_.clock.AdvanceMs(std::min<int64_t>(end - door_.clock.WallMs(), 60'000));
      for (int i = 0; i < 3; ++i) ASSERT_EQ(monitor_->RunOnce(), absl::OkStatus());
    }
  }
  void PassToNextHour() { Pass(kHour - door_.clock.WallMs() % kHour); }
  std::string NameNow() { return TrashCheckpointName(door_.clock.WallMs()); }

  Door door_;
  std::unique_ptr<TrashMonitor> monitor_;
  uint64_t call_ = 0;
};

TEST_F(TrashMonitorTest, CurrentBecomesACheckpointAndGoesWhenItIsOld) {
  Make("/user/alice/.Trash/Current/a/b");
  PassToNextHour();
  const std::string first = NameNow();
  EXPECT_THAT(List("/user/alice/.Trash"), ElementsAre(first));
  EXPECT_THAT(List("/user/alice/.Trash/" + first + "/a"), ElementsAre("b"));
  Pass(3 * kHour);
  EXPECT_THAT(List("/user/alice/.Trash"), ElementsAre(first));  // not older than three hours yet
  Pass(kHour);
  EXPECT_THAT(List("/user/alice/.Trash"), IsEmpty());
  EXPECT_THAT(door_.metrics.RenderText(), HasSubstr("cairn_namenode_trash_checkpoints_total 1\n"));
  EXPECT_THAT(door_.metrics.RenderText(), HasSubstr("cairn_namenode_trash_deleted_total 1\n"));
}

TEST_F(TrashMonitorTest, ARoundMakesOneCheckpointAndARestartWaitsForTheNext) {
  Make("/user/alice/.Trash/Current/a");
  PassToNextHour();
  const std::string first = NameNow();
  Make("/user/alice/.Trash/Current/b");
  ASSERT_EQ(monitor_->RunOnce(), absl::OkStatus());
  monitor_ = Monitor();
  Pass(kHour / 2);
  EXPECT_THAT(List("/user/alice/.Trash"), ElementsAre(first, "Current"));
  PassToNextHour();
  EXPECT_THAT(List("/user/alice/.Trash"), ElementsAre(first, NameNow()));
}

TEST_F(TrashMonitorTest, ManyUsersTakeSeveralRunsOfOneRound) {
  monitor_ = Monitor(/*users_a_run=*/2);
  for (int i = 0; i < 5; ++i) Make(fmt::format("/user/u{}/.Trash/Current", i));
  door_.clock.AdvanceMs(kHour - door_.clock.WallMs() % kHour);
  const std::string name = NameNow();
  for (int i = 0; i < 4; ++i) {
    ASSERT_EQ(monitor_->RunOnce(), absl::OkStatus());
    door_.clock.AdvanceMs(1000);
  }
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(List(fmt::format("/user/u{}/.Trash", i)), ElementsAre(name)) << i;
  }
}

TEST_F(TrashMonitorTest, WhatIsNoCheckpointIsLeftAlone) {
  Make("/user/alice/.Trash/notes");
  Make("/user/alice/.Trash/150101000000-2");  // long ago
  Make("/user/alice/data");
  Make("/user/bob");
  Make("/elsewhere/.Trash/Current");
  PassToNextHour();
  EXPECT_THAT(List("/user/alice/.Trash"), ElementsAre("notes"));
  EXPECT_THAT(List("/user/alice"), ElementsAre(".Trash", "data"));
  EXPECT_THAT(List("/elsewhere/.Trash"), ElementsAre("Current"));
}

TEST_F(TrashMonitorTest, SafeModePutsTheRoundOff) {
  Make("/user/alice/.Trash/Current");
  door_.blocks.EnterSafeMode();
  PassToNextHour();
  EXPECT_THAT(List("/user/alice/.Trash"), ElementsAre("Current"));
  Pass(kHour / 2);
  ASSERT_EQ(door_.blocks.LeaveSafeMode(), absl::OkStatus());
  Pass(60'000);
  EXPECT_THAT(List("/user/alice/.Trash"), ElementsAre(NameNow()));
}

TEST(TrashNamesTest, CheckpointsAreNamedByTheirTimeInUtc) {
  EXPECT_EQ(TrashCheckpointName(1'795'831'865'123), "261128021105");
  EXPECT_EQ(ParseTrashCheckpoint("261128021105"), 1'795'831'865'000);
  EXPECT_EQ(ParseTrashCheckpoint("261128021105-12"), 1'795'831'865'000);
  for (const char* name : {"Current", "", "26112802110", "2611280211055", "261328021105",
                           "261128021105-", "261128021105-x", "26112802110x", "2611280211"}) {
    EXPECT_EQ(ParseTrashCheckpoint(name), std::nullopt) << name;
  }
}

}  // namespace
}  // namespace cairn::namenode
