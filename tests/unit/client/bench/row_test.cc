#include "client/bench/row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cairn::bench {
namespace {

using ::testing::HasSubstr;

Rounds ThreeRounds() {
  Rounds rounds;
  rounds.Add(100, 1);
  rounds.Add(100, 2);
  rounds.Add(100, 4);
  rounds.latencies_us = {10, 20, 30};
  rounds.cpu_us = 3000;
  return rounds;
}

TEST(RowTest, TakesTheMedianOfTheRounds) {
  const Row row = ToRow("mkdir", "callers=8", ThreeRounds());
  EXPECT_EQ(row.ops, 300u);
  EXPECT_EQ(row.seconds, 7);
  EXPECT_EQ(row.ops_per_s.median, 50);
  EXPECT_EQ(row.ops_per_s.min, 25);
  EXPECT_EQ(row.ops_per_s.max, 100);
  EXPECT_EQ(row.p50_us, 20);
  EXPECT_EQ(row.cpu_us_per_op, 10);
  EXPECT_FALSE(row.baseline.has_value());
}

TEST(RowTest, JsonHasEveryPublicFieldAndNullForWhatDoesNotApply) {
  Rounds rounds = ThreeRounds();
  const nlohmann::json bare = nlohmann::json::parse(RowJson(ToRow("mkdir", "callers=8", rounds)));
  for (const char* name : {"name", "variant", "bytes", "ops", "seconds", "gb_per_s", "ops_per_s",
                           "p50_us", "p99_us", "cpu_s_per_gb", "baseline", "ratio"}) {
    EXPECT_TRUE(bare.contains(name)) << name;
  }
  EXPECT_TRUE(bare["bytes"].is_null());
  EXPECT_TRUE(bare["baseline"].is_null());
  EXPECT_EQ(bare["ops_per_s"], 50);

  rounds.baseline_ops_per_s = {200, 100, 100};
  const nlohmann::json row = nlohmann::json::parse(RowJson(ToRow("mkdir", "callers=8", rounds)));
  EXPECT_EQ(row["baseline"], 100);
  EXPECT_EQ(row["ratio"], 0.5);
  EXPECT_EQ(row["ratio_min"], 0.25);
}

TEST(RowTest, TheTableAlignsAndShowsTheSpread) {
  const std::string line = TableLine(ToRow("mkdir", "callers=8", ThreeRounds()));
  EXPECT_THAT(line, HasSubstr("50 (25-100)"));
  EXPECT_EQ(line.find("callers=8"), TableHead().find("variant"));
}

}  // namespace
}  // namespace cairn::bench
