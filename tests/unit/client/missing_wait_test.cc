#include "client/missing_wait.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "client/client_core.h"
#include "common/mutex.h"
#include "common/net/rpc_server.h"
#include "common/status.h"
#include "proto/admin.grpc.pb.h"

namespace cairn {
namespace {

// Says what it is told to say of safe mode.
class FakeAdmin final : public v1::Admin::Service {
 public:
  grpc::Status SafeMode(grpc::ServerContext*, const v1::SafeModeRequest*,
                        v1::SafeModeReply* reply) override {
    MutexLock lock(mu_);
    ++asked_;
    *reply = reply_;
    return grpc::Status::OK;
  }
  void Say(bool on, bool starting, const std::string& reason) {
    MutexLock lock(mu_);
    reply_.set_on(on);
    reply_.set_starting(starting);
    reply_.set_reason(reason);
  }
  int asked() const {
    MutexLock lock(mu_);
    return asked_;
  }

 private:
  mutable Mutex mu_;
  v1::SafeModeReply reply_ ABSL_GUARDED_BY(mu_);
  int asked_ ABSL_GUARDED_BY(mu_) = 0;
};

class MissingWaitTest : public ::testing::Test {
 protected:
  MissingWaitTest() : server_(*RpcServer::Start({"127.0.0.1", 0}, {&admin_})) {}

  std::shared_ptr<ClientCore> Core(int64_t timeout_ms, int64_t missing_ms) {
    TransferOptions transfer;
    transfer.missing_ms = missing_ms;
    auto core = ClientCore::Make({.namenodes = {server_->address().ToString()},
                                  .user = "ann",
                                  .timeout_ms = timeout_ms,
                                  .transfer = transfer});
    EXPECT_TRUE(core.ok()) << core.status();
    return *std::move(core);
  }
  // How often it waited.
  static int Waits(MissingWait& wait, bool corrupt) {
    int waits = 0;
    while (wait.Again(corrupt)) ++waits;
    return waits;
  }

  FakeAdmin admin_;
  std::unique_ptr<RpcServer> server_;
};

TEST_F(MissingWaitTest, ForTheWholeTimeLimitWhileTheNameNodeIsStarting) {
  admin_.Say(true, true, "safe mode: 5 of 10 blocks reported");
  const auto core = Core(/*timeout_ms=*/60'000, /*missing_ms=*/1);
  MissingWait wait(core.get());
  for (const bool corrupt : {false, true, false}) EXPECT_TRUE(wait.Again(corrupt));
  EXPECT_EQ(wait.starting(), "safe mode: 5 of 10 blocks reported");
  EXPECT_LT(admin_.asked(), 3);  // not with every try
}

TEST_F(MissingWaitTest, ThatLimitIsReached) {
  admin_.Say(true, true, "safe mode: 5 of 10 blocks reported");
  const auto core = Core(/*timeout_ms=*/4'000, /*missing_ms=*/1);
  MissingWait wait(core.get());
  EXPECT_GT(Waits(wait, false), 0);
  EXPECT_EQ(wait.starting(), "safe mode: 5 of 10 blocks reported");
}

TEST_F(MissingWaitTest, ASafeModeThatAPersonEnteredIsNotWaitedFor) {
  admin_.Say(true, false, "safe mode: entered by an administrator");
  const auto core = Core(/*timeout_ms=*/3'600'000, /*missing_ms=*/500);
  MissingWait wait(core.get());
  EXPECT_GT(Waits(wait, false), 0);
  EXPECT_EQ(wait.starting(), "");
}

TEST_F(MissingWaitTest, AfterAWaitInVainNobodyWaitsForAWhile) {
  const auto core = Core(/*timeout_ms=*/60'000, /*missing_ms=*/500);
  MissingWait first(core.get());
  EXPECT_GT(Waits(first, false), 0);
  MissingWait second(core.get());
  EXPECT_EQ(Waits(second, false), 0);
  // Nor is that for ever: somebody came back for another one.
  core->DoNotWaitForMissingUntil(0);
  EXPECT_TRUE(second.Again(false));
  core->DoNotWaitForMissingUntil(INT64_MAX);
  second.End();
  EXPECT_EQ(core->no_wait_for_missing_until_ms(), 0);
}

TEST_F(MissingWaitTest, CorruptBlocksGetNoBetterLater) {
  const auto core = Core(/*timeout_ms=*/60'000, /*missing_ms=*/60'000);
  MissingWait wait(core.get());
  EXPECT_FALSE(wait.Again(/*corrupt=*/true));
  EXPECT_TRUE(wait.Again(/*corrupt=*/false));  // and it keeps nobody from waiting
}

}  // namespace
}  // namespace cairn
