#include "common/strings.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace cairn {
namespace {

TEST(StringsTest, SplitListTrimsAndDropsEmptyItems) {
  EXPECT_EQ(SplitList(" a, b,,c ,", ','), (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_TRUE(SplitList("", ',').empty());
  EXPECT_TRUE(SplitList(" , ,", ',').empty());
  EXPECT_EQ(SplitList("one", ','), std::vector<std::string>{"one"});
}

TEST(StringsTest, HexEncode) {
  EXPECT_EQ(HexEncode(std::string_view("\x00\xAB\xFF", 3)), "00abff");
}

TEST(StringsTest, Utf8) {
  for (const std::string_view valid :
       {"", "plain",
        "Bl\xC3\xB6"
        "cke",
        "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsValidUtf8(valid)) << HexEncode(valid);
  }
  for (const std::string_view invalid :
       {"\x80", "\xC3", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xE2\x82", "\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "a\xC3(",
        "\xE2\x28\xA1", "\xF0\x9F\x98("}) {
    EXPECT_FALSE(IsValidUtf8(invalid)) << HexEncode(invalid);
  }
}

TEST(StringsTest, UuidsAreVersion4AndDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string uuid = NewUuid();
    ASSERT_EQ(uuid.size(), 36u);
    EXPECT_EQ(uuid[14], '4');
    EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
    EXPECT_TRUE(seen.insert(uuid).second);
  }
  EXPECT_EQ(RandomBytes16().size(), 16u);
  EXPECT_NE(RandomU64(), RandomU64());
}

TEST(StringsTest, MapsAreSearchedByView) {
  StringMap<int> map;
  map["a"] = 1;
  const std::string_view key = "a";
  ASSERT_NE(map.find(key), map.end());
  EXPECT_FALSE(StringSet({"x"}).contains(key));
}

}  // namespace
}  // namespace cairn
