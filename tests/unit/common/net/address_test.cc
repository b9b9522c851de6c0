#include "common/net/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/listen.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;

TEST(AddressTest, Parses) {
  EXPECT_EQ(*ParseHostPort("10.0.0.1:8020"), (HostPort{"10.0.0.1", 8020}));
  EXPECT_EQ(*ParseHostPort("node-1.example_x.org:0"), (HostPort{"node-1.example_x.org", 0}));
  EXPECT_EQ(*ParseHostPort("[::1]:65535"), (HostPort{"::1", 65535}));
  EXPECT_EQ(*ParseHostPort("[fe80::1%eth0]:80"), (HostPort{"fe80::1%eth0", 80}));
  EXPECT_EQ(*ParseHostPort("nn", 8020), (HostPort{"nn", 8020}));
  EXPECT_EQ(*ParseHostPort("[::]", 8020), (HostPort{"::", 8020}));
  EXPECT_EQ(*ParseHostPort("nn:1", 8020), (HostPort{"nn", 1}));
}

TEST(AddressTest, Refuses) {
  for (const char* text :
       {"",       "nn",     ":80",   "nn:",     "nn:x",         "nn:-1",  "nn:65536",
        "nn:80x", "::1:80", "[::1",  "[::1]80", "[::1]",        "[]:1",   "[nn]:1",
        "n n:1",  " nn:1",  "nn:1 ", "*:80",    "http://nn:80", "nn:80/", "nn:999999999999"}) {
    EXPECT_EQ(KindOf(ParseHostPort(text).status()), ErrorKind::kUsage) << text;
  }
  EXPECT_THAT(std::string(MessageOf(ParseHostPort("nn").status())),
              HasSubstr("'nn' is not an address: the port is missing"));
}

TEST(AddressTest, FormatsAndLists) {
  EXPECT_EQ((HostPort{"nn", 1}).ToString(), "nn:1");
  EXPECT_EQ((HostPort{"::1", 1}).ToString(), "[::1]:1");
  EXPECT_TRUE((HostPort{"0.0.0.0", 1}).IsWildcard());
  EXPECT_TRUE((HostPort{"::", 1}).IsWildcard());
  EXPECT_FALSE((HostPort{"127.0.0.1", 1}).IsWildcard());
  const auto list = ParseHostPortList("nn1:1, nn2,[::1]:3", 8020);
  ASSERT_TRUE(list.ok());
  EXPECT_EQ(JoinHostPorts(*list), "nn1:1,nn2:8020,[::1]:3");
  EXPECT_FALSE(ParseHostPortList("", 1).ok());
  EXPECT_FALSE(ParseHostPortList("nn:1,nn:x").ok());
}

TEST(AddressTest, ListenHosts) {
  EXPECT_EQ(*ResolveListenHost({"127.0.0.1", 0}), "127.0.0.1");
  EXPECT_EQ(*ResolveListenHost({"localhost", 0}), "127.0.0.1");
  EXPECT_EQ(*ResolveListenHost({"::1", 0}), "::1");
  EXPECT_THAT(std::string(MessageOf(ResolveListenHost({"no.such.host.invalid", 1}).status())),
              HasSubstr("unknown host name"));
}

}  // namespace
}  // namespace cairn
