#include "client/cli/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace cairn::cli {
namespace {

TEST(GlobTest, FindsPatterns) {
  EXPECT_FALSE(HasGlob("/a/b"));
  EXPECT_TRUE(HasGlob("/a/*"));
  EXPECT_TRUE(HasGlob("/a?"));
  EXPECT_TRUE(HasGlob("/[a]"));
  EXPECT_FALSE(HasGlob("/a\\*b"));
  EXPECT_EQ(Unescape("a\\*b\\\\"), "a*b\\");
}

TEST(GlobTest, Star) {
  EXPECT_TRUE(GlobMatch("*", ""));
  EXPECT_TRUE(GlobMatch("*", ".hidden"));
  EXPECT_TRUE(GlobMatch("*.csv", "a.csv"));
  EXPECT_FALSE(GlobMatch("*.csv", "a.csv.gz"));
  EXPECT_TRUE(GlobMatch("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(GlobMatch("a*b*c", "a-c-b"));
  EXPECT_TRUE(GlobMatch("**x", "xx"));
}

TEST(GlobTest, StarNeedsNoExponentialTime) {
  EXPECT_FALSE(GlobMatch("*a*a*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

TEST(GlobTest, QuestionMarkTakesACharacter) {
  EXPECT_TRUE(GlobMatch("a?c", "abc"));
  EXPECT_FALSE(GlobMatch("a?c", "ac"));
  EXPECT_TRUE(GlobMatch("a?c",
                        "a\xc3\xa4"
                        "c"));  // a with two dots
  EXPECT_FALSE(GlobMatch("?", ""));
}

TEST(GlobTest, Brackets) {
  EXPECT_TRUE(GlobMatch("[abc]", "b"));
  EXPECT_FALSE(GlobMatch("[abc]", "d"));
  EXPECT_TRUE(GlobMatch("part-[0-9][0-9]", "part-42"));
  EXPECT_FALSE(GlobMatch("part-[0-9]", "part-x"));
  EXPECT_TRUE(GlobMatch("[!a-c]", "d"));
  EXPECT_FALSE(GlobMatch("[^a-c]", "b"));
  EXPECT_TRUE(GlobMatch("[]x]", "]"));
  EXPECT_TRUE(GlobMatch("[a-]", "-"));
  EXPECT_TRUE(GlobMatch("[a", "[a"));  // not closed: itself
}

TEST(GlobTest, Escapes) {
  EXPECT_TRUE(GlobMatch("\\*", "*"));
  EXPECT_FALSE(GlobMatch("\\*", "a"));
  EXPECT_TRUE(GlobMatch("a\\", "a\\"));
}

}  // namespace
}  // namespace cairn::cli
