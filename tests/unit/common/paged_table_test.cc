#include "common/paged_table.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace cairn {
namespace {

using SmallPages = PagedTable<std::string, 3>;

TEST(PagedTableTest, InsertFindErase) {
  SmallPages table;
  EXPECT_EQ(table.Find(5), nullptr);
  const auto [entry, inserted] = table.Insert(5, "five");
  EXPECT_TRUE(inserted);
  EXPECT_EQ(table.Find(5), entry);
  EXPECT_EQ(*table.Find(5), "five");
  const auto [same, again] = table.Insert(5, "other");
  EXPECT_FALSE(again);
  EXPECT_EQ(same, entry);
  EXPECT_EQ(*same, "five");
  EXPECT_FALSE(table.Erase(4));
  EXPECT_TRUE(table.Erase(5));
  EXPECT_FALSE(table.Erase(5));
  EXPECT_TRUE(table.empty());
  EXPECT_EQ(table.pages(), 0u);
}

TEST(PagedTableTest, TheFarthestIds) {
  SmallPages table;
  const uint64_t last = std::numeric_limits<uint64_t>::max();
  for (const uint64_t id : {uint64_t{0}, uint64_t{1} << 15, uint64_t{1} << 40, last}) {
    table.Insert(id, std::to_string(id));
  }
  std::vector<uint64_t> ids;
  table.ForEach([&](uint64_t id, const std::string& text) {
    EXPECT_EQ(text, std::to_string(id));
    ids.push_back(id);
  });
  EXPECT_EQ(ids, (std::vector<uint64_t>{0, uint64_t{1} << 15, uint64_t{1} << 40, last}));
  EXPECT_TRUE(table.Erase(last));
  EXPECT_EQ(table.size(), 3u);
}

TEST(PagedTableTest, EntriesNeverMoveAndEmptyPagesAreFreed) {
  PagedTable<uint64_t> table;
  std::vector<uint64_t*> entries;
  for (uint64_t id = 0; id < 20'000; ++id) entries.push_back(table.Insert(id, id).first);
  EXPECT_EQ(table.pages(), 5u);
  for (uint64_t id = 0; id < 20'000; ++id) ASSERT_EQ(table.Find(id), entries[id]);
  for (uint64_t id = 0; id < 8192; ++id) table.Erase(id);
  EXPECT_EQ(table.pages(), 3u);
  EXPECT_EQ(*table.Find(8192), 8192u);
}

TEST(PagedTableTest, DestroysWhatItHolds) {
  auto witness = std::make_shared<int>(1);
  {
    PagedTable<std::shared_ptr<int>, 3> table;
    for (uint64_t id = 0; id < 100; id += 3) table.Insert(id, witness);
    table.Erase(3);
    EXPECT_EQ(witness.use_count(), 34);
    PagedTable<std::shared_ptr<int>, 3> moved = std::move(table);
    EXPECT_EQ(moved.size(), 33u);
    EXPECT_EQ(table.size(), 0u);
    EXPECT_EQ(table.Find(0), nullptr);
  }
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(PagedTableTest, WalksInSlices) {
  SmallPages table;
  for (uint64_t id = 0; id < 1000; id += 7) table.Insert(id, "x");
  std::vector<uint64_t> ids;
  uint64_t next = 0;
  bool more = true;
  while (more) {
    more = false;
    int slice = 0;
    table.ForEachFrom(next, [&](uint64_t id, std::string&) {
      if (slice++ == 10) {
        next = id;
        more = true;
        return false;
      }
      ids.push_back(id);
      return true;
    });
  }
  ASSERT_EQ(ids.size(), table.size());
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], 7 * i);
}

TEST(PagedTableTest, AgreesWithAMap) {
  std::mt19937_64 random(42);
  SmallPages table;
  std::map<uint64_t, std::string> model;
  const auto random_id = [&]() -> uint64_t {
    const uint64_t id = random() % 600;
    return random() % 4 == 0 ? id << 20 : id;  // dense ones and far ones
  };
  for (int step = 0; step < 50'000; ++step) {
    const uint64_t id = random_id();
    if (random() % 2 == 0) {
      const std::string value = std::to_string(step);
      ASSERT_EQ(table.Insert(id, value).second, model.emplace(id, value).second);
    } else {
      ASSERT_EQ(table.Erase(id), model.erase(id) == 1);
    }
    ASSERT_EQ(table.size(), model.size());
    if (step % 1000 != 0) continue;
    const uint64_t first = random_id();
    auto expected = model.lower_bound(first);
    std::as_const(table).ForEachFrom(first, [&](uint64_t found, const std::string& value) {
      EXPECT_EQ(found, expected->first);
      EXPECT_EQ(value, expected->second);
      ++expected;
      return true;
    });
    ASSERT_EQ(expected, model.end());
  }
}

}  // namespace
}  // namespace cairn
