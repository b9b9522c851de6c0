#include "client/cli/find_tests.h"

#include <gtest/gtest.h>

namespace cairn::cli {
namespace {

constexpr int64_t kDayMs = 86'400'000;

TEST(ComparisonTest, Parses) {
  EXPECT_TRUE(ParseComparison("5")->Holds(5));
  EXPECT_FALSE(ParseComparison("5")->Holds(6));
  EXPECT_TRUE(ParseComparison("+5")->Holds(6));
  EXPECT_FALSE(ParseComparison("+5")->Holds(5));
  EXPECT_TRUE(ParseComparison("-5")->Holds(4));
  EXPECT_FALSE(ParseComparison("-5")->Holds(5));
  EXPECT_TRUE(ParseComparison("+1K")->Holds(1025));
  for (const char* text : {"", "+", "x", "5x", "+-5"}) {
    EXPECT_FALSE(ParseComparison(text).ok()) << text;
  }
}

TEST(FindTestsTest, WithoutTestsEverythingMatches) { EXPECT_TRUE(FindTests{}.Match("a", {}, 0)); }

TEST(FindTestsTest, NameAndType) {
  FindTests tests{.name = "*.csv"};
  EXPECT_TRUE(tests.Match("a.csv", {}, 0));
  EXPECT_FALSE(tests.Match("a.CSV", {}, 0));
  EXPECT_TRUE((FindTests{.iname = "*.csv"}.Match("a.CSV", {}, 0)));
  tests.type = "d";
  EXPECT_FALSE(tests.Match("a.csv", {}, 0));
  EXPECT_TRUE(tests.Match("a.csv", {.type = FileType::kDirectory}, 0));
}

TEST(FindTestsTest, SizeIsOfFiles) {
  const FindTests tests{.size = *ParseComparison("-10")};
  EXPECT_TRUE(tests.Match("a", {.length = 9}, 0));
  EXPECT_FALSE(tests.Match("a", {.length = 10}, 0));
  EXPECT_FALSE(tests.Match("a", {.type = FileType::kDirectory}, 0));
}

TEST(FindTestsTest, AgeIsInWholeDays) {
  const int64_t now = 100 * kDayMs;
  const FileStatus one_and_a_half{.mtime_ms = now - 3 * kDayMs / 2};
  EXPECT_TRUE((FindTests{.mtime = *ParseComparison("1")}.Match("a", one_and_a_half, now)));
  EXPECT_FALSE((FindTests{.mtime = *ParseComparison("+1")}.Match("a", one_and_a_half, now)));
  EXPECT_TRUE((FindTests{.mtime = *ParseComparison("-2")}.Match("a", one_and_a_half, now)));
  const FileStatus future{.mtime_ms = now + kDayMs};
  EXPECT_TRUE((FindTests{.mtime = *ParseComparison("0")}.Match("a", future, now)));
}

}  // namespace
}  // namespace cairn::cli
