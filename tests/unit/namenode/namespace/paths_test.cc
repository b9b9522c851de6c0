#include "namenode/namespace/paths.h"

#include <string>

#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(PathsTest, SplitsAndCollapses) {
  const Limits limits;
  EXPECT_THAT(*SplitPath("/", limits), IsEmpty());
  EXPECT_THAT(*SplitPath("//", limits), IsEmpty());
  EXPECT_THAT(*SplitPath("/a", limits), ElementsAre("a"));
  EXPECT_THAT(*SplitPath("//a///b/", limits), ElementsAre("a", "b"));
  EXPECT_THAT(*SplitPath("/...", limits), ElementsAre("..."));
  EXPECT_THAT(*SplitPath("/\xc3\xa9", limits), ElementsAre("\xc3\xa9"));
}

TEST(PathsTest, NamesTheRuleThatIsBroken) {
  const Limits limits;
  const auto refuse = [&](const std::string& path) { return SplitPath(path, limits).status(); };
  EXPECT_THAT(refuse(""), Fails(kInvalidArgument, "absolute"));
  EXPECT_THAT(refuse("a/b"), Fails(kInvalidArgument, "absolute"));
  EXPECT_THAT(refuse("/a/./b"), Fails(kInvalidArgument, "\".\""));
  EXPECT_THAT(refuse("/a/.."), Fails(kInvalidArgument, "\"..\""));
  EXPECT_THAT(refuse(std::string("/a\0b", 4)), Fails(kInvalidArgument, "NUL"));
  EXPECT_THAT(refuse("/\xff"), Fails(kInvalidArgument, "UTF-8"));
  EXPECT_THAT(refuse("/" + std::string(255, 'n')), Succeeds());
  EXPECT_THAT(refuse("/" + std::string(256, 'n')), Fails(kInvalidArgument, "at most 255"));
  EXPECT_THAT(refuse("/" + std::string(8000, '/')), Fails(kInvalidArgument, "at most 8000"));
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += "/d";
  EXPECT_THAT(refuse(deep), Succeeds());
  EXPECT_THAT(refuse(deep + "/d"), Fails(kInvalidArgument, "at most 1000"));
}

}  // namespace
}  // namespace cairn::namenode
