#include "common/read_ahead.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>

namespace cairn {
namespace {

using Item = absl::StatusOr<std::optional<std::unique_ptr<int>>>;

Item Number(int number) { return std::make_unique<int>(number); }

TEST(ReadAheadTest, ItemsComeInOrderAndEnd) {
  for (const size_t ahead : {1u, 3u, 100u}) {
    int next = 0;
    ReadAhead<std::unique_ptr<int>> items(ahead, [&next]() -> Item {
      if (next == 50) return std::optional<std::unique_ptr<int>>();
      return Number(next++);
    });
    for (int i = 0; i < 50; ++i) {
      const Item item = items.Next();
      ASSERT_TRUE(item.ok() && item->has_value());
      EXPECT_EQ(***item, i);
    }
    for (int i = 0; i < 2; ++i) {
      const Item end = items.Next();
      ASSERT_TRUE(end.ok());
      EXPECT_FALSE(end->has_value());
    }
  }
}

TEST(ReadAheadTest, AnErrorComesBehindWhatWasBeforeIt) {
  int next = 0;
  ReadAhead<std::unique_ptr<int>> items(4, [&next]() -> Item {
    if (next == 2) return absl::DataLossError("damaged");
    return Number(next++);
  });
  EXPECT_EQ(***items.Next(), 0);
  EXPECT_EQ(***items.Next(), 1);
  EXPECT_EQ(items.Next().status(), absl::DataLossError("damaged"));
  EXPECT_EQ(items.Next().status(), absl::DataLossError("damaged"));
}

TEST(ReadAheadTest, NeverRunsFurtherAheadThanItMay) {
  std::atomic<int> made{0};
  ReadAhead<std::unique_ptr<int>> items(3, [&made]() -> Item { return Number(made++); });
  for (int taken = 0; taken < 200; ++taken) {
    ASSERT_TRUE(items.Next().ok());
    EXPECT_LE(made, taken + 5);  // three wait, one is taken, and one is being made
  }
}

TEST(ReadAheadTest, AConsumerMayLeaveEarly) {
  std::atomic<int> made{0};
  {
    ReadAhead<std::unique_ptr<int>> items(2, [&made]() -> Item { return Number(made++); });
    ASSERT_TRUE(items.Next().ok());
  }
  EXPECT_GE(made, 1);
}

}  // namespace
}  // namespace cairn
