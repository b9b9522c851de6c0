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

Rounds ThreeTransfers() {
  Rounds rounds;
  for (const double seconds : {1.0, 2.0, 4.0}) {
    rounds.AddTransfer(2'000'000'000, {.seconds = seconds, .cpu_us = 3e6 * seconds});
    rounds.AddBaselineBytes(2'000'000'000, {.seconds = 1, .cpu_us = 1e6});
  }
  return rounds;
}

TEST(RowTest, BytesHaveRatesAndCpuAGb) {
  const Row row = ToRow("put", "strong", ThreeTransfers());
  EXPECT_EQ(row.bytes, 6'000'000'000u);
  EXPECT_EQ(row.ops, 3u);
  EXPECT_EQ(row.gb_per_s->median, 1);
  EXPECT_EQ(row.gb_per_s->max, 2);
  EXPECT_EQ(row.cpu_s_per_gb->median, 3);
  EXPECT_EQ(row.baseline->median, 2);  // in GB/s
  EXPECT_EQ(row.baseline_cpu_s_per_gb->median, 0.5);
  EXPECT_EQ(row.ratio->median, 0.5);
  EXPECT_EQ(row.ratio->min, 0.25);
  EXPECT_EQ(row.p50_us, 2e6);

  const nlohmann::json json = nlohmann::json::parse(RowJson(row));
  EXPECT_EQ(json["bytes"], 6'000'000'000);
  EXPECT_EQ(json["gb_per_s"], 1);
  EXPECT_EQ(json["gb_per_s_min"], 0.5);
  EXPECT_EQ(json["cpu_s_per_gb_max"], 6);
  EXPECT_TRUE(json["cpu_of"].is_null());
}

TEST(RowTest, SmallFilesAreComparedByOperations) {
  Rounds rounds;
  rounds.AddBytes(100, 1'000'000, {.seconds = 1, .cpu_us = 1000});
  rounds.AddBaselineOps(100, 1'000'000, {.seconds = 0.5, .cpu_us = 500});
  const Row row = ToRow("smallfiles", "put callers=16", rounds);
  EXPECT_EQ(row.baseline->median, 200);
  EXPECT_EQ(row.ratio->median, 0.5);
  EXPECT_EQ(row.gb_per_s->median, 0.001);
  EXPECT_EQ(row.cpu_us_per_op, 10);
}

TEST(RowTest, TheTableOfTransfersAligns) {
  Row row = ToRow("pipeline", "eventual", ThreeTransfers());
  row.cpu_of = "client";
  const std::string head = TransferTableHead();
  const std::string line = TransferTableLine(row);
  EXPECT_THAT(line, HasSubstr("1.00 (0.50-2.00)"));
  EXPECT_EQ(line.find("client"), head.find("CPU of"));
  EXPECT_EQ(line.find("eventual"), head.find("variant"));
}

}  // namespace
}  // namespace cairn::bench
