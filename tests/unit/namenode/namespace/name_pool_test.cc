#include "namenode/namespace/name_pool.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>

namespace cairn::namenode {
namespace {

std::string RandomName(std::mt19937_64& random, size_t bytes) {
  std::string name(bytes, '\0');
  for (char& c : name) c = static_cast<char>(random());
  return name;
}

TEST(NamePoolTest, EveryLengthAndTheLargestId) {
  NamePool pool;
  std::mt19937_64 random(1);
  std::vector<std::pair<NameRef, std::string>> names;
  for (size_t bytes = 0; bytes <= kMaxNameBytes; ++bytes) {
    std::string name = RandomName(random, bytes);
    names.emplace_back(pool.Add(name, kMaxId - bytes), std::move(name));
  }
  for (size_t bytes = 0; bytes <= kMaxNameBytes; ++bytes) {
    EXPECT_EQ(names[bytes].first.name(), names[bytes].second);
    EXPECT_EQ(names[bytes].first.id(), kMaxId - bytes);
  }
  EXPECT_EQ(pool.size(), kMaxNameBytes + 1);
}

TEST(NamePoolTest, BehavesLikeAMapAndReusesWhatIsFreed) {
  NamePool pool;
  std::mt19937_64 random(2);
  std::map<INodeId, std::pair<NameRef, std::string>> model;
  size_t most_bytes = 0;
  for (INodeId id = 1; id <= 200'000; ++id) {
    if (model.size() < 1000 && (model.empty() || random() % 3 != 0)) {
      std::string name = RandomName(random, random() % (kMaxNameBytes + 1));
      const NameRef ref = pool.Add(name, id);
      model.emplace(id, std::pair(ref, std::move(name)));
    } else {
      auto it = model.lower_bound(random() % id);
      if (it == model.end()) it = model.begin();
      ASSERT_EQ(it->second.first.name(), it->second.second);
      ASSERT_EQ(it->second.first.id(), it->first);
      pool.Remove(it->second.first);
      model.erase(it);
    }
    ASSERT_EQ(pool.size(), model.size());
    if (id == 100'000) most_bytes = pool.slab_bytes();
  }
  for (const auto& [id, entry] : model) ASSERT_EQ(entry.first.name(), entry.second);
  EXPECT_LE(pool.slab_bytes(), most_bytes + most_bytes / 4) << "what was freed is not reused";
}

TEST(NamePoolTest, MovesWithItsRecords) {
  NamePool pool;
  const NameRef name = pool.Add("name", 7);
  NamePool other = std::move(pool);
  EXPECT_EQ(name.name(), "name");
  const NameRef next = other.Add("next", 8);
  EXPECT_EQ(next.name(), "next");
  EXPECT_EQ(name.id(), 7u);
}

}  // namespace
}  // namespace cairn::namenode
