#include "datanode/service/connect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/net/channel.h"
#include "tests/support/relay.h"
#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using cairn::testing::Direction;
using cairn::testing::Relay;

class ConnectTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto relay = Relay::Start(node_.address());
    ASSERT_TRUE(relay.ok()) << relay.status();
    relay_ = *std::move(relay);
  }
  absl::Status Connect() {
    return ConnectTo(&channels_, {.number = 1, .addresses = {relay_->address()}}, 20'000).status();
  }

  TestNode node_{1, {}};
  std::unique_ptr<Relay> relay_;
  ChannelCache channels_;
};

TEST_F(ConnectTest, AHandshakeThatIsResetIsTriedAgain) {
  relay_->ResetAfter(Direction::kToClient, 0);
  EXPECT_EQ(Connect(), absl::OkStatus());
  EXPECT_EQ(relay_->resets(), 1u);
  EXPECT_GE(relay_->accepted(), 2u);  // the first channel may be at its next try
}

TEST_F(ConnectTest, OneWhoIsNotThereIsGivenUp) {
  relay_->Refuse();
  const absl::Status status = Connect();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), ::testing::HasSubstr("cannot connect to "));
  relay_->Pass();
  EXPECT_EQ(Connect(), absl::OkStatus());
}

}  // namespace
}  // namespace cairn::datanode
