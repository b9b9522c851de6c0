#include "client/cli/fsck_report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace cairn::cli {
namespace {

LocatedBlock BlockOn(size_t nodes, bool corrupt = false, bool open = false) {
  LocatedBlock block{.block = {.id = 17, .length = 10}, .open = open, .corrupt = corrupt};
  block.nodes.resize(nodes);
  return block;
}

TEST(FsckReportTest, States) {
  EXPECT_EQ(StateOf(BlockOn(3), 3), BlockState::kGood);
  EXPECT_EQ(StateOf(BlockOn(2), 3), BlockState::kUnderReplicated);
  EXPECT_EQ(StateOf(BlockOn(4), 3), BlockState::kOverReplicated);
  EXPECT_EQ(StateOf(BlockOn(0), 3), BlockState::kMissing);
  EXPECT_EQ(StateOf(BlockOn(0, true), 3), BlockState::kCorrupt);
}

TEST(FsckReportTest, CountsAndTells) {
  FsckReport report{.path = "/"};
  const auto problems =
      report.Add("/a", {.length = 30, .replication = 3}, {BlockOn(3), BlockOn(2), BlockOn(0)});
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_EQ(FsckLine(problems[0]), "/a: block 17: 2 of 3 copies");
  EXPECT_EQ(FsckLine(problems[1]), "/a: block 17: MISSING");
  EXPECT_FALSE(report.healthy());
  EXPECT_EQ(report.blocks, 3u);
  const auto json = nlohmann::json::parse(report.Json(problems));
  EXPECT_EQ(json["healthy"], false);
  EXPECT_EQ(json["missing_blocks"], 1);
  EXPECT_EQ(json["under_replicated_blocks"], 1);
  EXPECT_EQ(json["problems"][0]["state"], "under_replicated");
  EXPECT_EQ(json["problems"][1]["target_replicas"], 3);
  EXPECT_NE(report.Text().find("DAMAGED"), std::string::npos);
}

TEST(FsckReportTest, TooFewCopiesAreNoDamage) {
  FsckReport report{.path = "/"};
  report.Add("/a", {.replication = 3}, {BlockOn(1), BlockOn(4)});
  EXPECT_TRUE(report.healthy());
}

TEST(FsckReportTest, ABlockThatIsBeingWrittenIsNotJudged) {
  FsckReport report{.path = "/"};
  EXPECT_TRUE(
      report.Add("/a", {.replication = 3, .open = true}, {BlockOn(0, false, true)}).empty());
  EXPECT_TRUE(report.healthy());
  EXPECT_EQ(report.open_files, 1u);
  EXPECT_EQ(report.blocks, 0u);
}

}  // namespace
}  // namespace cairn::cli
