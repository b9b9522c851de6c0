// Real file systems that fill up under running daemons (P1, P3, P8).
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/fault/fault_fixture.h"
#include "tests/fault/small_disk.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kDiskBytes = 128 << 20;

class DiskTest : public FaultTest {
 protected:
  void TearDown() override {
    traffic_.reset();
    fs_.reset();
    cluster_.reset();
  }

  // A cluster below dir_, with disks of their own where they are mounted before.
  void Start(std::vector<std::string> namenode_flags = {}) {
    StartCluster({.datanodes = 4,
                  .namenode_flags = std::move(namenode_flags),
                  .datanode_flags = {"--reserved=0"},
                  .dir = dir_.path()});
  }
  SmallDisk* Mount(const std::string& folder) {
    auto disk = SmallDisk::Mount(dir_ / folder, kDiskBytes);
    EXPECT_TRUE(disk.ok()) << disk.status();
    if (!disk.ok()) return nullptr;
    disks_.push_back(*std::move(disk));
    return disks_.back().get();
  }

  const TempDir dir_;
  std::vector<std::unique_ptr<SmallDisk>> disks_;
};

TEST_F(DiskTest, ADataNodesDiskFillsUpAndIsEmptied) {
  SmallDisk* const disk = Mount("dn1");
  ASSERT_NE(disk, nullptr);
  Start();
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  Do(disk->Fill());
  Last(5'000);
  AwaitFiles(2);
  Do(disk->Empty());
  EndTraffic("the disk of a DataNode is full");
  EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
  ExpectHealed();
}

TEST_F(DiskTest, EveryDiskFillsUpAndIsEmptied) {
  for (const char* folder : {"dn0", "dn1", "dn2", "dn3"}) ASSERT_NE(Mount(folder), nullptr);
  Start();
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  for (const auto& disk : disks_) Do(disk->Fill());
  EXPECT_TRUE(WaitUntil(120'000, [&] { return traffic_->failures() > 0; }));
  for (const auto& disk : disks_) Do(disk->Empty());
  AwaitFiles(2);
  EndTraffic("all disks of DataNodes are full");
  ExpectHealed();
}

TEST_F(DiskTest, TheNameNodesDiskFillsUpAndIsEmptied) {
  SmallDisk* const disk = Mount("nn");
  ASSERT_NE(disk, nullptr);
  Start({"--reserved=16M"});
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  Do(disk->Fill());
  // It protects itself, or ends where it cannot: never an answer that is not on disk.
  EXPECT_TRUE(WaitUntil(60'000, [&] {
    return !cluster_->namenode().running() ||
           cluster_->Cairn({"admin", "safe-mode", "get"}).out == "on\n";
  }));
  Do(disk->Empty());
  EXPECT_TRUE(WaitUntil(120'000, [&] {
    // It may have been about to end when it was looked at.
    if (!cluster_->namenode().running()) Do(cluster_->namenode().Start());
    return cluster_->Cairn({"admin", "safe-mode", "get"}).out == "off\n";
  }));
  AwaitFiles(2);
  EndTraffic("the disk of the NameNode is full");
  ExpectHealed();
}

}  // namespace
}  // namespace cairn::testing
