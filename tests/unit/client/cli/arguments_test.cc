#include "client/cli/arguments.h"

#include <gtest/gtest.h>

namespace cairn::cli {
namespace {

using Words = std::vector<std::string>;

Words Rewrite(Words words) {
  OptionTable globals;
  std::string user;
  bool flag = false;
  globals.AddString("user", &user, "");
  globals.AddBool("quiet", &flag, "");
  return RewriteArguments(std::move(words), globals);
}

TEST(ArgumentsTest, FindTakesTestsWithOneDash) {
  EXPECT_EQ(Rewrite({"find", "/a", "-name", "*.c", "-mtime", "-3"}),
            (Words{"find", "/a", "--name", "*.c", "--mtime", "-3"}));
  EXPECT_EQ(Rewrite({"find", "/a", "-name", "-type"}), (Words{"find", "/a", "--name", "-type"}));
  EXPECT_EQ(Rewrite({"find", "--", "-name"}), (Words{"find", "--", "-name"}));
}

TEST(ArgumentsTest, OtherCommandsDoNot) {
  EXPECT_EQ(Rewrite({"ls", "-name"}), (Words{"ls", "-name"}));
  EXPECT_EQ(Rewrite({"ls", "find", "-name"}), (Words{"ls", "find", "-name"}));
}

TEST(ArgumentsTest, TheCommandComesAfterGlobalOptions) {
  EXPECT_EQ(Rewrite({"--user", "find", "--quiet", "find", "/", "-type", "f"}),
            (Words{"--user", "find", "--quiet", "find", "/", "--type", "f"}));
  EXPECT_EQ(Rewrite({"--user=x", "find", "/", "-type", "f"}),
            (Words{"--user=x", "find", "/", "--type", "f"}));
  EXPECT_EQ(Rewrite({"--user"}), (Words{"--user"}));
  EXPECT_EQ(Rewrite({}), Words{});
}

TEST(ArgumentsTest, AModeMayLookLikeAnOption) {
  EXPECT_EQ(Rewrite({"chmod", "-x", "/a"}), (Words{"chmod", "a-x", "/a"}));
  EXPECT_EQ(Rewrite({"chmod", "-R", "-wx,u+t", "/a"}), (Words{"chmod", "-R", "a-wx,u+t", "/a"}));
  EXPECT_EQ(Rewrite({"chmod", "u+x", "-x"}), (Words{"chmod", "u+x", "-x"}));
  EXPECT_EQ(Rewrite({"chmod", "--user", "u", "-x", "/a"}),
            (Words{"chmod", "--user", "u", "-x", "/a"}));
}

}  // namespace
}  // namespace cairn::cli
