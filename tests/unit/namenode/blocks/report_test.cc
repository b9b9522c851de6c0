#include "namenode/blocks/report.h"

#include <gtest/gtest.h>

#include "namenode/blocks/redundancy_index.h"

namespace cairn::namenode {
namespace {

TEST(BlockCountsTest, Score) {
  EXPECT_EQ(BlockCounts{}.Score(), 100);
  BlockCounts counts;
  counts.total = 10;
  EXPECT_EQ(counts.Score(), 100);
  counts.under_replicated = 4;
  EXPECT_EQ(counts.Score(), 80);
  counts.corrupt = 1;
  counts.missing = 2;
  EXPECT_EQ(counts.Score(), 50);
  counts.missing = 10;
  EXPECT_EQ(counts.Score(), 0);
}

TEST(ClusterReportTest, Utilization) {
  ClusterReport report;
  EXPECT_EQ(report.UtilizationPercent(), 0);
  report.capacity_bytes = 200;
  report.used_bytes = 50;
  EXPECT_EQ(report.UtilizationPercent(), 25);
}

TEST(RedundancyIndexTest, CountsAndLists) {
  RedundancyIndex index;
  index.Move(1, Redundancy::kUncounted, Redundancy::kMissing);
  index.Move(2, Redundancy::kUncounted, Redundancy::kSound);
  EXPECT_EQ(index.counts().total, 2u);
  EXPECT_EQ(index.counts().missing, 1u);
  EXPECT_TRUE(index.list(Redundancy::kMissing).contains(1));
  index.Move(1, Redundancy::kMissing, Redundancy::kUnder);
  EXPECT_EQ(index.counts().under_replicated, 1u);
  EXPECT_EQ(index.counts().missing, 0u);
  EXPECT_TRUE(index.list(Redundancy::kMissing).empty());
  EXPECT_TRUE(index.list(Redundancy::kUnder).contains(1));
  index.Move(1, Redundancy::kUnder, Redundancy::kUncounted);
  index.Move(2, Redundancy::kSound, Redundancy::kUncounted);
  EXPECT_EQ(index.counts(), BlockCounts{});
}

}  // namespace
}  // namespace cairn::namenode
