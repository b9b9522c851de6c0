#include "namenode/service/caller_resolver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/clock.h"
#include "proto/types.pb.h"

namespace cairn::namenode {
namespace {

using ::testing::Contains;

v1::Caller From(const std::string& user) {
  v1::Caller caller;
  caller.set_user(user);
  caller.set_client_id(std::string(16, '\x01'));
  caller.set_call_id(5);
  caller.set_done_below(3);
  return caller;
}

class CallerResolverTest : public ::testing::Test {
 protected:
  ManualClock clock_;
  CallerResolver callers_{&clock_, "hdfs", "supergroup"};
};

TEST_F(CallerResolverTest, TheCallsNumbersComeThrough) {
  const absl::StatusOr<CallContext> call = callers_.Resolve(From("alice"));
  ASSERT_TRUE(call.ok());
  EXPECT_EQ(call->caller.user, "alice");
  EXPECT_EQ(call->key.client[15], 1);
  EXPECT_EQ(call->key.call_id, 5u);
  EXPECT_EQ(call->key.done_below, 3u);
}

TEST_F(CallerResolverTest, RootAndTheConfiguredUserAreSuperusers) {
  EXPECT_TRUE(callers_.Resolve(From("root"))->caller.superuser);
  EXPECT_TRUE(callers_.Resolve(From("hdfs"))->caller.superuser);
  EXPECT_FALSE(callers_.Resolve(From("alice"))->caller.superuser);
  EXPECT_THAT(callers_.Resolve(From("root"))->caller.groups, Contains("root"));
}

TEST_F(CallerResolverTest, BadCallersAreRefused) {
  EXPECT_FALSE(callers_.Resolve(From("")).ok());
  EXPECT_FALSE(callers_.Resolve(From("a/b")).ok());
  EXPECT_FALSE(callers_.Resolve(From("a:b")).ok());
  EXPECT_FALSE(callers_.Resolve(From(std::string("a\0b", 3))).ok());
  EXPECT_FALSE(callers_.Resolve(From("\xff")).ok());
  EXPECT_FALSE(callers_.Resolve(From(std::string(256, 'a'))).ok());
  v1::Caller no_id = From("alice");
  no_id.set_client_id("short");
  EXPECT_FALSE(callers_.Resolve(no_id).ok());
  v1::Caller namenode = From("root");
  namenode.set_client_id(std::string(16, '\xff'));  // who holds the files that are recovered
  EXPECT_FALSE(callers_.Resolve(namenode).ok());
}

}  // namespace
}  // namespace cairn::namenode
