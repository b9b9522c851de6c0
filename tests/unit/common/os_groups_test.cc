#include "common/os_groups.h"

#include <gmock/gmock.h>

#include <string>

namespace cairn {
namespace {

TEST(OsGroupsTest, KnowsThisMachinesUsersAlone) {
  EXPECT_THAT(OsGroupsOf("root"), ::testing::Contains("root"));
  EXPECT_THAT(OsGroupsOf("no-such-user-here"), ::testing::IsEmpty());
}

TEST(OsGroupsTest, SuperusersAreRootTheDaemonsUserAndTheGroup) {
  EXPECT_TRUE(IsSuperuser("root", {}, "hdfs", kSuperuserGroup));
  EXPECT_TRUE(IsSuperuser("hdfs", {}, "hdfs", kSuperuserGroup));
  EXPECT_TRUE(IsSuperuser("ann", {"staff", "supergroup"}, "hdfs", kSuperuserGroup));
  EXPECT_FALSE(IsSuperuser("ann", {"staff"}, "hdfs", kSuperuserGroup));
  EXPECT_FALSE(IsSuperuser("", {}, "hdfs", kSuperuserGroup));
}

TEST(OsGroupsTest, NamesOfUsersAreChecked) {
  EXPECT_TRUE(IsUserName("ann"));
  EXPECT_TRUE(IsUserName(std::string(255, 'a')));
  for (const std::string& bad : {std::string(), std::string(256, 'a'), std::string("a/b"),
                                 std::string("a:b"), std::string("a\0b", 3), std::string("\xff")}) {
    EXPECT_FALSE(IsUserName(bad)) << bad;
  }
}

}  // namespace
}  // namespace cairn
