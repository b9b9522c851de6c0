#include "client/cli/progress.h"

#include <gtest/gtest.h>

namespace cairn::cli {
namespace {

constexpr uint64_t kMiB = 1 << 20;

TEST(ProgressTest, ShowsPartRateAndTimeLeft) {
  const std::string text = FormatProgress(
      {.done_bytes = 50 * kMiB, .total_bytes = 200 * kMiB, .total_files = 1, .elapsed_ms = 5000},
      60);
  EXPECT_EQ(text, " 25% [======>                 ] 50M of 200M, 10M/s, 15s left");
}

TEST(ProgressTest, CountsFilesWhenThereAreMany) {
  const std::string text = FormatProgress({.done_bytes = kMiB,
                                           .total_bytes = 4 * kMiB,
                                           .done_files = 1,
                                           .total_files = 4,
                                           .elapsed_ms = 1000},
                                          200);
  EXPECT_NE(text.find(", 1/4 files, 1M/s, 3s left"), std::string::npos) << text;
}

TEST(ProgressTest, TheBarGivesWayFirst) {
  const ProgressNumbers numbers{
      .done_bytes = kMiB, .total_bytes = 2 * kMiB, .total_files = 1, .elapsed_ms = 1000};
  EXPECT_EQ(FormatProgress(numbers, 40), " 50% 1M of 2M, 1M/s, 1s left");
  EXPECT_EQ(FormatProgress(numbers, 8), " 50% 1M ");
}

TEST(ProgressTest, WithoutATotal) {
  EXPECT_EQ(FormatProgress({.done_bytes = 3 * kMiB, .total_files = 1, .elapsed_ms = 1000}, 80),
            "3M, 3M/s");
}

TEST(ProgressTest, NeverMoreThanAll) {
  const std::string text =
      FormatProgress({.done_bytes = 9, .total_bytes = 4, .total_files = 1, .elapsed_ms = 0}, 200);
  EXPECT_TRUE(text.starts_with("100% [====")) << text;
}

TEST(ProgressTest, LongTimes) {
  const ProgressNumbers slow{
      .done_bytes = 1, .total_bytes = 4001, .total_files = 1, .elapsed_ms = 1000};
  EXPECT_NE(FormatProgress(slow, 200).find("1h06m left"), std::string::npos);
}

TEST(ProgressTest, AddsUp) {
  Progress progress;
  progress.Expect(2, 10);
  progress.Moved(4);
  progress.FileDone();
  const ProgressNumbers numbers = progress.Read(7);
  EXPECT_EQ(numbers.done_bytes, 4u);
  EXPECT_EQ(numbers.total_bytes, 10u);
  EXPECT_EQ(numbers.done_files, 1u);
  EXPECT_EQ(numbers.total_files, 2u);
}

}  // namespace
}  // namespace cairn::cli
