#include "namenode/blocks/change_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cairn::namenode {
namespace {

std::vector<BlockChange> Changes(std::vector<BlockId> ids) {
  std::vector<BlockChange> changes;
  for (const BlockId id : ids) {
    changes.emplace_back();
    changes.back().block.id = id;
  }
  return changes;
}
std::vector<BlockId> Ids(const std::vector<BlockChange>& changes) {
  std::vector<BlockId> ids;
  for (const BlockChange& change : changes) ids.push_back(change.block.id);
  return ids;
}

TEST(ChangeQueueTest, OnlyWhatIsDurableInOrder) {
  ChangeQueue queue;
  queue.Push(1, Changes({1, 2}));
  queue.Push(2, Changes({}));
  queue.Push(4, Changes({3}));
  std::vector<BlockChange> taken = Changes({99});
  EXPECT_TRUE(queue.TakeUpTo(0, 10, &taken));
  EXPECT_TRUE(taken.empty());
  EXPECT_TRUE(queue.TakeUpTo(3, 10, &taken));
  EXPECT_EQ(Ids(taken), (std::vector<BlockId>{1, 2}));
  EXPECT_TRUE(queue.TakeUpTo(4, 10, &taken));
  EXPECT_EQ(Ids(taken), (std::vector<BlockId>{3}));
}

TEST(ChangeQueueTest, ALargeEditComesInParts) {
  ChangeQueue queue;
  queue.Push(1, Changes({1, 2, 3, 4, 5}));
  queue.Push(2, Changes({6}));
  std::vector<BlockChange> taken;
  EXPECT_FALSE(queue.TakeUpTo(2, 2, &taken));
  EXPECT_EQ(Ids(taken), (std::vector<BlockId>{1, 2}));
  EXPECT_FALSE(queue.TakeUpTo(2, 2, &taken));
  EXPECT_EQ(Ids(taken), (std::vector<BlockId>{3, 4}));
  EXPECT_TRUE(queue.TakeUpTo(2, 2, &taken));
  EXPECT_EQ(Ids(taken), (std::vector<BlockId>{5, 6}));
  EXPECT_TRUE(queue.TakeUpTo(2, 2, &taken));
  EXPECT_TRUE(taken.empty());
}

}  // namespace
}  // namespace cairn::namenode
