#include "namenode/blocks/safe_mode.h"

#include <gtest/gtest.h>

namespace cairn::namenode {
namespace {

TEST(SafeModeTest, EmptyClusterLeavesAtOnce) {
  SafeMode safe_mode(0.999, 30'000);
  safe_mode.Update(0, 0, 5);
  EXPECT_TRUE(safe_mode.on());
  EXPECT_EQ(safe_mode.Reason(), "safe mode: the NameNode is starting");
  safe_mode.FinishLoading();
  safe_mode.Update(0, 0, 5);
  EXPECT_FALSE(safe_mode.on());
  EXPECT_EQ(safe_mode.Reason(), "");
}

TEST(SafeModeTest, UntilTheThreshold) {
  SafeMode safe_mode(0.999, 0);
  safe_mode.FinishLoading();
  safe_mode.Update(120, 4000, 0);
  EXPECT_TRUE(safe_mode.on());
  EXPECT_EQ(safe_mode.Reason(), "safe mode: 120 of 4000 blocks reported, 99.9% needed");
  safe_mode.Update(3995, 4000, 0);
  EXPECT_TRUE(safe_mode.on());
  safe_mode.Update(3996, 4000, 0);
  EXPECT_FALSE(safe_mode.on());
  safe_mode.Update(0, 4000, 0);  // losses later are for repair, not for safe mode
  EXPECT_FALSE(safe_mode.on());
}

TEST(SafeModeTest, WhetherMoreReportsAreAwaitedIsToldWhateverElseHoldsItOn) {
  SafeMode safe_mode(0.999, 0);
  EXPECT_TRUE(safe_mode.state().starting);
  safe_mode.FinishLoading();
  safe_mode.Enter();
  safe_mode.Update(5, 10, 0);
  EXPECT_TRUE(safe_mode.state().starting);
  safe_mode.Update(10, 10, 0);
  EXPECT_TRUE(safe_mode.state().on);
  EXPECT_FALSE(safe_mode.state().starting);
}

TEST(SafeModeTest, OneOfTenIsNotEnough) {
  SafeMode safe_mode(0.999, 0);
  safe_mode.FinishLoading();
  safe_mode.Update(9, 10, 0);
  EXPECT_TRUE(safe_mode.on());
  safe_mode.Update(10, 10, 0);
  EXPECT_FALSE(safe_mode.on());
}

TEST(SafeModeTest, ExtensionStartsAnewWhenBlocksGo) {
  SafeMode safe_mode(0.5, 1000);
  safe_mode.FinishLoading();
  safe_mode.Update(5, 10, 0);
  safe_mode.Update(4, 10, 900);
  safe_mode.Update(5, 10, 1000);
  EXPECT_TRUE(safe_mode.on());
  EXPECT_EQ(safe_mode.Reason(), "safe mode: 5 of 10 blocks reported, ends in 1 s");
  safe_mode.Update(5, 10, 1999);
  EXPECT_TRUE(safe_mode.on());
  safe_mode.Update(5, 10, 2000);
  EXPECT_FALSE(safe_mode.on());
}

TEST(SafeModeTest, ManualStaysUntilLeave) {
  SafeMode safe_mode(0.999, 0);
  safe_mode.FinishLoading();
  safe_mode.Enter();
  safe_mode.Update(10, 10, 0);
  EXPECT_TRUE(safe_mode.on());
  EXPECT_NE(safe_mode.Reason().find("administrator"), std::string::npos);
  EXPECT_TRUE(safe_mode.Leave().ok());
  EXPECT_FALSE(safe_mode.on());
}

TEST(SafeModeTest, LeaveEndsTheStartToo) {
  SafeMode safe_mode(0.999, 0);
  safe_mode.FinishLoading();
  safe_mode.Update(1, 10, 0);
  EXPECT_TRUE(safe_mode.Leave().ok());
  EXPECT_FALSE(safe_mode.on());
}

TEST(SafeModeTest, ForcedReasonWins) {
  SafeMode safe_mode(0.999, 0);
  safe_mode.FinishLoading();
  safe_mode.Update(0, 0, 0);
  safe_mode.Force("the disk of /data is almost full; free space");
  EXPECT_EQ(safe_mode.Reason(), "safe mode: the disk of /data is almost full; free space");
  EXPECT_EQ(safe_mode.Leave().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(safe_mode.on());
  safe_mode.Force("");
  EXPECT_FALSE(safe_mode.on());
}

}  // namespace
}  // namespace cairn::namenode
