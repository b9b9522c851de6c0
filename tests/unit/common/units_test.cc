#include "common/units.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace cairn {
namespace {

TEST(UnitsTest, Sizes) {
  for (const auto& [text, bytes] : std::initializer_list<std::pair<std::string, uint64_t>>{
           {"0", 0},
           {"10", 10},
           {"10B", 10},
           {"4K", 4096},
           {"4k", 4096},
           {"64KiB", 65536},
           {"64kb", 65536},
           {"128M", 128 << 20},
           {"1.5G", 3ull << 29},
           {"0.5K", 512},
           {"2T", 2ull << 40},
           {"1.0iB", 1},
           {"9223372036854775807", 9223372036854775807ull}}) {
    const auto parsed = ParseSize(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(*parsed, bytes) << text;
  }
}

TEST(UnitsTest, BadSizes) {
  for (const std::string text : {"",
                                 " 1",
                                 "1 ",
                                 "1 K",
                                 "K",
                                 "-1",
                                 "+1",
                                 "1.",
                                 ".5",
                                 "1..5",
                                 "1,5K",
                                 "1X",
                                 "1KK",
                                 "1Kib2",
                                 "0x10",
                                 "1e3",
                                 "9223372036854775808",
                                 "99999999999999999999999",
                                 "8388608T",
                                 "1P"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseSize(text).status())) << text;
  }
  EXPECT_NE(MessageOf(ParseSize("12X").status()).find("'12X'"), std::string_view::npos);
}

TEST(UnitsTest, Durations) {
  for (const auto& [text, ms] :
       std::initializer_list<std::pair<std::string, int64_t>>{{"0", 0},
                                                              {"0s", 0},
                                                              {"250ms", 250},
                                                              {"3s", 3000},
                                                              {"1.5s", 1500},
                                                              {"0.1s", 100},
                                                              {"20m", 1'200'000},
                                                              {"1h", 3'600'000},
                                                              {"21d", 1'814'400'000}}) {
    const auto parsed = ParseDurationMs(text);
    ASSERT_TRUE(parsed.ok()) << text << ": " << parsed.status();
    EXPECT_EQ(*parsed, ms) << text;
  }
}

TEST(UnitsTest, BadDurations) {
  for (const std::string text : {"", "3", "s", "3 s", "-3s", "3S", "3sec", "1h30m", "1.s", "3w",
                                 "9999999999999999999d", "0x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseDurationMs(text).status())) << text;
  }
  EXPECT_NE(MessageOf(ParseDurationMs("60").status()).find("needs a unit"), std::string_view::npos);
}

TEST(UnitsTest, FormatsSizesAsLsDoes) {
  EXPECT_EQ(FormatSize(0), "0");
  EXPECT_EQ(FormatSize(1023), "1023");
  EXPECT_EQ(FormatSize(1024), "1K");
  EXPECT_EQ(FormatSize(1025), "1.1K");
  EXPECT_EQ(FormatSize(3ull << 29), "1.5G");
  EXPECT_EQ(FormatSize(128 << 20), "128M");
  EXPECT_EQ(FormatSize((128 << 20) + 1), "129M");
  EXPECT_EQ(FormatSize((1 << 20) - 1), "1M");
  EXPECT_EQ(FormatSize(10 * 1024 + 1), "11K");
  EXPECT_EQ(FormatSize(~uint64_t{0}), "16E");
}

TEST(UnitsTest, FormattedDurationsParseBack) {
  EXPECT_EQ(FormatDurationMs(0), "0s");
  EXPECT_EQ(FormatDurationMs(3000), "3s");
  EXPECT_EQ(FormatDurationMs(90'000), "90s");
  EXPECT_EQ(FormatDurationMs(1500), "1500ms");
  EXPECT_EQ(FormatDurationMs(86'400'000), "1d");
  for (const int64_t ms : {1, 999, 60'000, 61'000, 3'600'000, 1'814'400'000}) {
    EXPECT_EQ(*ParseDurationMs(FormatDurationMs(ms)), ms);
  }
}

TEST(UnitsTest, TimesAreWrittenInUtcAndReadBack) {
  EXPECT_EQ(FormatUtc(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatUtc(1'795'831'865'123), "2026-11-28T02:11:05.123Z");
  EXPECT_EQ(FormatUtc(951'782'400'007), "2000-02-29T00:00:00.007Z");
  EXPECT_EQ(FormatUtc(-1), "1969-12-31T23:59:59.999Z");
  for (const int64_t ms : {int64_t{0}, int64_t{951'868'799'999}, int64_t{4'102'444'800'001}}) {
    EXPECT_EQ(FromUtc(ToUtc(ms)), ms);
  }
  EXPECT_EQ(FromUtc({.year = 2025, .month = 2, .day = 29}), std::nullopt);
  EXPECT_EQ(FromUtc({.year = 2025, .month = 13, .day = 1}), std::nullopt);
  EXPECT_EQ(FromUtc({.year = 2025, .month = 1, .day = 1, .hour = 24}), std::nullopt);
}

}  // namespace
}  // namespace cairn
