#include "client/cli/context.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "common/status.h"

namespace cairn::cli {
namespace {

class ContextTest : public ::testing::Test {
 protected:
  TerminationSignals signals_;
  ClientConfig config_;
  Interrupt interrupt_{signals_};
  Console console_;
  Output out_{STDOUT_FILENO};
  Context context_{"put", config_, interrupt_, console_, out_};
};

TEST_F(ContextTest, ACancelledThatNobodyHereAskedForIsAFailure) {
  ::testing::internal::CaptureStderr();
  context_.Fail("/f", absl::CancelledError("DataNode dn1: the block's write was broken off"));
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "cairn: put: /f: DataNode dn1: the block's write was broken off\n");
  EXPECT_EQ(context_.exit_status(), 1);
  EXPECT_TRUE(context_.Continue().ok());
}

TEST_F(ContextTest, AnInterruptionIsSilent) {
  kill(getpid(), SIGTERM);
  const absl::Status interrupted = interrupt_.Sleep(60'000);
  ASSERT_TRUE(absl::IsCancelled(interrupted));
  ::testing::internal::CaptureStderr();
  context_.Fail("/f", interrupted);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(context_.exit_status(), 0);
}

TEST_F(ContextTest, AnUnreachableClusterIsToldOnce) {
  ::testing::internal::CaptureStderr();
  context_.Fail("/f", WithKind(absl::UnavailableError("cannot reach a NameNode"),
                               ErrorKind::kClusterUnreachable));
  context_.Fail("/g", context_.Continue());
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "cairn: put: cannot reach a NameNode\n");
  EXPECT_EQ(context_.exit_status(), 3);
}

}  // namespace
}  // namespace cairn::cli
