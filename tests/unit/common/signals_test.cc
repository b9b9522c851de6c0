#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "common/program.h"

namespace cairn {
namespace {

TEST(TerminationSignalsTest, WaitsForASignal) {
  TerminationSignals signals;
  EXPECT_EQ(signals.WaitFor(0), std::nullopt);
  kill(getpid(), SIGTERM);
  EXPECT_EQ(signals.Wait(), SIGTERM);
  kill(getpid(), SIGTERM);  // a repeated one does not kill
}

TEST(TerminationSignalsTest, ThreadsStartedLaterAreCovered) {
  TerminationSignals signals;
  std::thread sender([] {
    kill(getpid(), SIGINT);
    kill(getpid(), SIGPIPE);
  });
  EXPECT_EQ(signals.Wait(), SIGINT);
  sender.join();
}

TEST(TerminationSignalsTest, Trigger) {
  TerminationSignals signals;
  std::thread other([&] { signals.Trigger(); });
  EXPECT_EQ(signals.Wait(), 0);
  other.join();
}

}  // namespace
}  // namespace cairn
