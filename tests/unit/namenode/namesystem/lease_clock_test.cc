#include "namenode/namesystem/lease_clock.h"

#include <gtest/gtest.h>

namespace cairn::namenode {
namespace {

TEST(LeaseClockTest, AHolderNeverHeardOfCountsAsHeardOfNow) {
  LeaseClock leases;
  EXPECT_FALSE(leases.Expired({1}, 5'000, 100));
  EXPECT_FALSE(leases.Expired({1}, 5'100, 100));
  EXPECT_TRUE(leases.Expired({1}, 5'101, 100));
}

TEST(LeaseClockTest, ARenewalCountsForItsHolderAlone) {
  LeaseClock leases;
  leases.Renew({1}, 0);
  leases.Renew({2}, 0);
  leases.Renew({1}, 90);
  EXPECT_FALSE(leases.Expired({1}, 150, 100));
  EXPECT_TRUE(leases.Expired({2}, 150, 100));
}

TEST(LeaseClockTest, DroppedHoldersAreNew) {
  LeaseClock leases;
  leases.Renew({1}, 0);
  leases.DropOlderThan(1000, 100);
  EXPECT_FALSE(leases.Expired({1}, 1000, 100));
}

}  // namespace
}  // namespace cairn::namenode
