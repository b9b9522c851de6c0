#include "namenode/blocks/copy_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(CopyTrackerTest, BytesCountUntilArrival) {
  CopyTracker copies;
  copies.Start(7, 1, {2, 3}, 100, 1000);
  EXPECT_TRUE(copies.Pending(7));
  EXPECT_TRUE(copies.Pending(7, 1));
  EXPECT_FALSE(copies.Pending(7, 2));
  EXPECT_EQ(copies.BytesInFlight(1), 100u);
  EXPECT_EQ(copies.BytesInFlight(2), 100u);
  EXPECT_FALSE(copies.Arrived(7, 4));
  EXPECT_FALSE(copies.Arrived(7, 2));
  EXPECT_EQ(copies.BytesInFlight(2), 0u);
  EXPECT_EQ(copies.BytesInFlight(1), 100u);
  EXPECT_TRUE(copies.Arrived(7, 3));
  EXPECT_EQ(copies.BytesInFlight(1), 0u);
  EXPECT_FALSE(copies.Pending(7));
}

TEST(CopyTrackerTest, OverdueAndCancelled) {
  CopyTracker copies;
  copies.Start(1, 1, {2}, 10, 500);
  copies.Start(2, 3, {1}, 10, 400);
  copies.Start(3, 3, {2}, 10, 600);
  EXPECT_THAT(copies.Expire(399, 100), IsEmpty());
  EXPECT_THAT(copies.Expire(400, 100), ElementsAre(2));
  EXPECT_THAT(copies.CancelNode(1), ElementsAre(1));
  EXPECT_EQ(copies.BytesInFlight(2), 10u);
  copies.Cancel(3);
  EXPECT_EQ(copies.BytesInFlight(2), 0u);
  EXPECT_EQ(copies.BytesInFlight(3), 0u);
  EXPECT_THAT(copies.Expire(10'000, 100), IsEmpty());
  EXPECT_EQ(copies.size(), 0u);
}

TEST(CopyTrackerTest, ASecondFailureSoonAfterTheFirstDoesNotEndItsOrder) {
  CopyTracker copies;
  copies.Start(1, 1, {2}, 10, 500'000);
  EXPECT_FALSE(copies.Failed(1, 2, 0));  // not the source
  EXPECT_FALSE(copies.Failed(9, 1, 0));
  EXPECT_TRUE(copies.Failed(1, 1, 0));
  EXPECT_EQ(copies.size(), 0u);
  EXPECT_EQ(copies.BytesInFlight(1), 0u);
  EXPECT_TRUE(copies.FailedAt(1, 1));
  copies.Start(1, 3, {2}, 10, 500'000);
  EXPECT_FALSE(copies.Failed(1, 3, 29'999));
  EXPECT_TRUE(copies.Pending(1));
  EXPECT_TRUE(copies.FailedAt(1, 3));
  EXPECT_THAT(copies.Expire(29'999, 100), IsEmpty());
  EXPECT_THAT(copies.Expire(30'000, 100), ElementsAre(1));
  copies.Start(1, 3, {2}, 10, 35'000);
  EXPECT_TRUE(copies.Failed(1, 3, 30'001));
  copies.Start(1, 3, {2}, 10, 35'000);
  EXPECT_FALSE(copies.Failed(1, 3, 30'002));
  EXPECT_THAT(copies.Expire(35'000, 100), ElementsAre(1));  // never later than it would have
  copies.Start(1, 4, {2}, 10, 500'000);
  EXPECT_TRUE(copies.Arrived(1, 2));
  EXPECT_FALSE(copies.FailedAt(1, 3));
  copies.Start(2, 1, {2}, 10, 500'000);
  EXPECT_TRUE(copies.Failed(2, 1, 40'000));
  copies.Expire(159'999, 100);
  EXPECT_TRUE(copies.FailedAt(2, 1));
  copies.Expire(160'000, 100);
  EXPECT_FALSE(copies.FailedAt(2, 1));
}

}  // namespace
}  // namespace cairn::namenode
