#include "common/net/http_message.h"

#include <gtest/gtest.h>

namespace cairn {
namespace {

TEST(HttpMessageTest, Targets) {
  HttpRequest request;
  ASSERT_TRUE(ParseHttpTarget("/api/report", &request));
  EXPECT_EQ(request.path, "/api/report");
  EXPECT_TRUE(request.query.empty());
  ASSERT_TRUE(ParseHttpTarget("/a%20b%2F+c?x=1&y=a+b%26&flag&=z&", &request));
  EXPECT_EQ(request.path, "/a b/+c");
  EXPECT_EQ(request.query,
            (std::map<std::string, std::string>{{"x", "1"}, {"y", "a b&"}, {"flag", ""}}));
}

TEST(HttpMessageTest, BadTargets) {
  HttpRequest request;
  for (const char* target : {"", "*", "a", "http://h/", "/%", "/%1", "/%zz", "/%00", "/?x=%g1"}) {
    EXPECT_FALSE(ParseHttpTarget(target, &request)) << target;
  }
}

}  // namespace
}  // namespace cairn
