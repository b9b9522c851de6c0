#include "client/cli/balance_text.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "common/status.h"

namespace cairn::cli {
namespace {

BalanceStatus Running() {
  BalanceStatus status;
  status.state = "running";
  status.threshold_percent = 10;
  status.mean_percent = 43.21;
  status.most_over_percent = 12.04;
  status.most_under_percent = 43.21;
  status.nodes = 4;
  status.nodes_over = 2;
  status.nodes_under = 1;
  status.bytes_left = 3ull << 30;
  status.moves_done = 8;
  status.bytes_moved = 1ull << 30;
  status.moves_in_flight = 2;
  status.bytes_in_flight = 256ull << 20;
  status.elapsed_ms = 64'000;
  return status;
}

TEST(BalanceTextTest, ARunForPeople) {
  EXPECT_EQ(
      BalanceText(Running()),
      "state      running for 1m04s\n"
      "use        43.2% on average; the fullest is 12.0% over that, the emptiest 43.2% under\n"
      "nodes      4: 2 over the threshold of 10%, 1 under\n"
      "moved      8 replicas, 1G; 0 failed\n"
      "under way  2 replicas, 256M\n"
      "left       3G at least\n");
  BalanceStatus stuck = Running();
  stuck.state = "stuck";
  stuck.reason = "no other";
  EXPECT_EQ(BalanceText(stuck).substr(0, 49),
            "state      stuck after 1m04s\nreason     no other\n");
}

TEST(BalanceTextTest, WithoutARunTheNodesAreShown) {
  BalanceStatus none;
  none.state = "none";
  none.nodes = 3;
  EXPECT_EQ(BalanceText(none),
            "state      has not run since the NameNode started\n"
            "use        0.0% on average; the fullest is 0.0% over that, the emptiest 0.0% under\n"
            "nodes      3\n");
}

TEST(BalanceTextTest, JsonHasEveryField) {
  const auto json = nlohmann::json::parse(BalanceJson(Running()));
  EXPECT_EQ(json.size(), 17u);
  EXPECT_EQ(json["state"], "running");
  EXPECT_EQ(json["bytes_left"], 3ull << 30);
  EXPECT_EQ(json["started"], false);
}

TEST(BalanceTextTest, TheLineHasRateAndTimeLeftOrWhatIsWaitedFor) {
  EXPECT_EQ(FormatBalance(Running(), 45), " 25% 1G moved, 3G left, 16M/s, 3m13s left");
  EXPECT_EQ(FormatBalance(Running(), 55),
            " 25% [==>        ] 1G moved, 3G left, 16M/s, 3m13s left");
  BalanceStatus waits = Running();
  waits.reason = "waits for repairs, which go first";
  EXPECT_EQ(FormatBalance(waits, 60), " 25% 1G moved, 3G left: waits for repairs, which go first");
  EXPECT_EQ(FormatBalance({}, 30), "  0% 0 moved, 0 left");
}

TEST(BalanceTextTest, AWaitEndsWellOrWithTheReason) {
  BalanceStatus status = Running();
  EXPECT_EQ(Balanced(status).value(), false);
  status.state = "balanced";
  EXPECT_EQ(Balanced(status).value(), true);
  status.state = "stopped";
  status.reason = "stopped by an administrator";
  EXPECT_EQ(MessageOf(Balanced(status).status()), status.reason);
  status.state = "none";
  EXPECT_EQ(MessageOf(Balanced(status).status()),
            "the NameNode was started again, which ends the balancer; start it once more");
}

}  // namespace
}  // namespace cairn::cli
