#include "client/cli/paths.h"

#include <gtest/gtest.h>

namespace cairn::cli {
namespace {

TEST(PathsTest, NormalizeTakesAwayWhatSaysNothing) {
  EXPECT_EQ(NormalizePath("/"), "/");
  EXPECT_EQ(NormalizePath("//"), "/");
  EXPECT_EQ(NormalizePath("/a/b"), "/a/b");
  EXPECT_EQ(NormalizePath("//a///b//"), "/a/b");
  EXPECT_EQ(NormalizePath("/a/./b/."), "/a/b");
  EXPECT_EQ(NormalizePath("/a/../b"), "/b");
  EXPECT_EQ(NormalizePath("/.."), "/");
  EXPECT_EQ(NormalizePath("/a/../.."), "/");
  EXPECT_EQ(NormalizePath("/..a/...b"), "/..a/...b");
}

TEST(PathsTest, PartsOfPaths) {
  EXPECT_EQ(JoinPath("/", "a"), "/a");
  EXPECT_EQ(JoinPath("/a", "b"), "/a/b");
  EXPECT_EQ(BaseName("/a/b"), "b");
  EXPECT_EQ(BaseName("/"), "");
  EXPECT_EQ(BaseName("plain"), "plain");
  EXPECT_EQ(ParentPath("/a/b"), "/a");
  EXPECT_EQ(ParentPath("/a"), "/");
  EXPECT_EQ(ParentPath("/"), "/");
}

TEST(PathsTest, WithinIsByComponents) {
  EXPECT_TRUE(IsWithin("/a", "/a"));
  EXPECT_TRUE(IsWithin("/a/b", "/a"));
  EXPECT_TRUE(IsWithin("/a", "/"));
  EXPECT_FALSE(IsWithin("/ab", "/a"));
  EXPECT_FALSE(IsWithin("/a", "/a/b"));
}

TEST(PlaceInTargetTest, ADirectoryTakesTheSourcesName) {
  const Target directory{.path = "/d", .kind = TargetKind::kDirectory};
  EXPECT_EQ(*PlaceInTarget(directory, "x", 1), "/d/x");
  EXPECT_EQ(*PlaceInTarget(directory, "x", 2), "/d/x");
  const Target root{.path = "/", .kind = TargetKind::kDirectory, .must_be_directory = true};
  EXPECT_EQ(*PlaceInTarget(root, "DIR", 1), "/DIR");
  EXPECT_FALSE(PlaceInTarget(directory, "", 1).ok());
}

TEST(PlaceInTargetTest, ElseTheTargetBecomesTheCopy) {
  EXPECT_EQ(*PlaceInTarget({.path = "/new", .kind = TargetKind::kMissing}, "x", 1), "/new");
  EXPECT_EQ(*PlaceInTarget({.path = "/old", .kind = TargetKind::kFile}, "x", 1), "/old");
}

TEST(PlaceInTargetTest, ADirectoryWhereOneIsNeeded) {
  const Target missing{.path = "/new", .kind = TargetKind::kMissing, .must_be_directory = true};
  EXPECT_EQ(MessageOf(PlaceInTarget(missing, "x", 1).status()), "No such file or directory");
  const Target file{.path = "/old", .kind = TargetKind::kFile};
  EXPECT_EQ(MessageOf(PlaceInTarget(file, "x", 2).status()), "Not a directory");
}

TEST(PathsTest, NamesThatWouldLeaveTheDirectory) {
  EXPECT_TRUE(IsSafeLocalName("a b"));
  EXPECT_TRUE(IsSafeLocalName("..a"));
  EXPECT_FALSE(IsSafeLocalName(".."));
  EXPECT_FALSE(IsSafeLocalName("."));
  EXPECT_FALSE(IsSafeLocalName(""));
  EXPECT_FALSE(IsSafeLocalName("a/b"));
}

}  // namespace
}  // namespace cairn::cli
