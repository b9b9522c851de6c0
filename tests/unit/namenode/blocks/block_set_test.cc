#include "namenode/blocks/block_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(BlockSetTest, InOrderAcrossPages) {
  BlockSet set;
  for (const BlockId id : {70'000ul, 5ul, 1ul << 40, 65'535ul, 65'536ul, ~0ul}) {
    EXPECT_TRUE(set.insert(id));
    EXPECT_FALSE(set.insert(id));
  }
  EXPECT_THAT(set.From(0, 9), ElementsAre(5, 65'535, 65'536, 70'000, 1ul << 40, ~0ul));
  EXPECT_THAT(set.From(65'536, 2), ElementsAre(65'536, 70'000));
  EXPECT_THAT(set.From(70'001, 1), ElementsAre(1ul << 40));
  EXPECT_EQ(set.First(6), 65'535u);
  EXPECT_TRUE(set.erase(~0ul));
  EXPECT_FALSE(set.erase(~0ul));
  EXPECT_EQ(set.First((1ul << 40) + 1), std::nullopt);
  EXPECT_EQ(set.size(), 5u);
  set.clear();
  EXPECT_TRUE(set.empty());
  EXPECT_THAT(set.From(0, 9), IsEmpty());
  EXPECT_EQ(set.bytes(), 0u);
}

TEST(BlockSetTest, SmallWhereItIsDenseAndWhereItIsNot) {
  BlockSet dense;
  for (BlockId id = 1; id <= 1'000'000; ++id) dense.insert(id);
  EXPECT_LT(dense.bytes(), 1'000'000 / 7);
  BlockSet sparse;  // a storage of many: every 300th block
  size_t ids = 0;
  for (BlockId id = 1; id <= 3'000'000; id += 300, ++ids) sparse.insert(id);
  EXPECT_LT(sparse.bytes(), ids * 5 / 2);
  // A page that gets fuller and emptier: never more than two bytes and a half for each.
  BlockSet page;
  for (BlockId id = 0; id < 65'536; ++id) {
    page.insert(id * 40'503 % 65'536);
    if (page.size() > 200) EXPECT_LT(page.bytes(), page.size() * 5 / 2) << page.size();
  }
  for (BlockId id = 0; id < 60'000; ++id) page.erase(id);
  EXPECT_EQ(page.size(), 5'536u);
  for (BlockId id = 60'000; id < 65'000; ++id) page.erase(id);
  EXPECT_LT(page.bytes(), 3'000u);
}

// What a std::set would do.
class BlockSetPropertyTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(BlockSetPropertyTest, IsASet) {
  std::mt19937_64 random(GetParam());
  // Few pages, so that they fill; far apart, too.
  const auto draw = [&] {
    return (random() % 3 << 30) + random() % (random() % 2 ? 9'000 : 90'000);
  };
  BlockSet set;
  std::set<BlockId> model;
  const auto expect_same = [&] {
    ASSERT_EQ(set.size(), model.size());
    const std::vector<BlockId> all = set.From(0, model.size() + 1);
    ASSERT_TRUE(std::equal(all.begin(), all.end(), model.begin(), model.end()));
  };
  for (int phase = 0; phase < 6; ++phase) {
    const uint64_t inserts = random() % 11;  // of 10 changes
    for (int i = 0; i < 12'000; ++i) {
      const BlockId id = draw();
      if (random() % 10 < inserts) {
        ASSERT_EQ(set.insert(id), model.insert(id).second);
      } else {
        ASSERT_EQ(set.erase(id), model.erase(id) > 0);
      }
      const BlockId other = draw();
      ASSERT_EQ(set.contains(other), model.contains(other));
      if (i % 100 > 0) continue;
      const size_t max = random() % 2'000;
      const std::vector<BlockId> slice = set.From(other, max);
      auto it = model.lower_bound(other);
      for (const BlockId in_slice : slice) ASSERT_EQ(in_slice, *it++);
      ASSERT_TRUE(slice.size() == max || it == model.end());
    }
    expect_same();
    BlockSet more;
    for (uint64_t n = random() % 20'000; n > 0; --n) {
      const BlockId id = draw();
      more.insert(id);
      model.insert(id);
    }
    set.Merge(std::move(more));
    expect_same();
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, BlockSetPropertyTest, ::testing::Range<uint64_t>(1, 5));

}  // namespace
}  // namespace cairn::namenode
