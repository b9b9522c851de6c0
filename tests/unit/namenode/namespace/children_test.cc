// A directory's entries against std::map, in every order of coming and going.
#include "namenode/namespace/children.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace cairn::namenode {
namespace {

class ChildrenTest : public testing::Test {
 protected:
  void Insert(const std::string& name) {
    const NameRef ref = names_.Add(name, ++last_id_);
    const bool is_new = model_.emplace(name, ref).second;
    ASSERT_EQ(children_.Insert(ref), is_new) << name;
    if (!is_new) names_.Remove(ref);
  }
  void Erase(const std::string& name) {
    const auto it = model_.find(name);
    children_.Erase(it->second);
    names_.Remove(it->second);
    model_.erase(it);
  }
  void CheckFind(const std::string& name) {
    const auto it = model_.find(name);
    ASSERT_EQ(children_.Find(name), it == model_.end() ? NameRef() : it->second) << name;
    const auto above = model_.upper_bound(name);
    const auto found = children_.UpperBound(name);
    ASSERT_EQ(found == children_.end(), above == model_.end()) << name;
    if (above != model_.end()) ASSERT_EQ((*found).name(), above->first);
  }
  void CheckAll() {
    ASSERT_EQ(children_.size(), model_.size());
    ASSERT_EQ(children_.empty(), model_.empty());
    auto it = model_.begin();
    for (const NameRef entry : children_) {
      ASSERT_NE(it, model_.end());
      ASSERT_EQ(entry, it->second);
      ++it;
    }
    ASSERT_EQ(it, model_.end());
  }

  NamePool names_;
  Children children_;
  std::map<std::string, NameRef> model_;
  INodeId last_id_ = 0;
};

TEST_F(ChildrenTest, RandomEntriesComeAndGo) {
  std::mt19937_64 random(5);
  const auto name = [&] {
    std::string text = std::to_string(random() % 3000);
    if (random() % 8 == 0) text += std::string(random() % 200, static_cast<char>(random()));
    return text;
  };
  for (int phase = 0; phase < 8; ++phase) {
    const uint64_t erased = phase % 2 == 0 ? 25 : 75;  // of a hundred
    for (int i = 0; i < 6000; ++i) {
      if (!model_.empty() && random() % 100 < erased) {
        auto it = model_.lower_bound(name());
        Erase(it == model_.end() ? model_.begin()->first : it->first);
      } else {
        Insert(name());
      }
      CheckFind(name());
    }
    CheckAll();
  }
}

TEST_F(ChildrenTest, InOrderAndBackAgain) {
  const auto name = [](int i) { return std::to_string(1'000'000 + i); };
  for (int i = 0; i < 3000; ++i) Insert(name(i));
  CheckAll();
  Insert(name(1700));  // there already
  for (int i = 0; i < 3000; ++i) CheckFind(name(i));
  for (int i = 0; i < 1500; ++i) Erase((*children_.begin()).name() == name(i) ? name(i) : "");
  CheckAll();
  for (int i = 2999; i >= 1500; --i) Erase(name(i));
  CheckAll();
  for (int i = 2999; i >= 0; --i) Insert(name(i));  // every one before all others
  CheckAll();
}

TEST_F(ChildrenTest, LeavesAtTheirEdges) {
  // Appending behind the last entry of a full leaf that is not the last one.
  const auto name = [](size_t i) { return "n" + std::to_string(10'000 + 2 * i); };
  for (size_t i = 0; i < 3 * Children::kMaxLeaf; ++i) Insert(name(i));
  for (size_t i = 0; i < 3 * Children::kMaxLeaf; ++i) Insert(name(i) + "x");
  CheckAll();
  for (size_t i = 0; i < 3 * Children::kMaxLeaf; i += 2) Erase(name(i));
  for (const auto& [text, ref] : std::map(model_)) CheckFind(text);
  CheckAll();
}

TEST_F(ChildrenTest, EmptyAndBytesAbove127) {
  CheckFind("x");
  EXPECT_EQ(children_.begin(), children_.end());
  Insert("\xff");
  Insert("a");
  Insert("\x80");
  CheckAll();
  CheckFind("\x7f");
  CheckFind("\x81");
}

}  // namespace
}  // namespace cairn::namenode
