#include "client/cli/interrupt.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace cairn::cli {
namespace {

// Sends it to the whole process, as Ctrl-C does; every thread of it blocks the signal.
void Send(int signal) { kill(getpid(), signal); }

TEST(InterruptTest, ASignalEndsAWait) {
  TerminationSignals signals;
  Interrupt interrupt(signals);
  EXPECT_TRUE(interrupt.Check().ok());
  EXPECT_TRUE(interrupt.Sleep(1).ok());
  Send(SIGTERM);
  EXPECT_TRUE(absl::IsCancelled(interrupt.Sleep(60'000)));
  EXPECT_TRUE(interrupt.raised());
  EXPECT_EQ(interrupt.signal(), SIGTERM);
  EXPECT_TRUE(absl::IsCancelled(interrupt.Check()));
}

TEST(InterruptTest, ASignalEndsAWaitForInput) {
  TerminationSignals signals;
  Interrupt interrupt(signals);
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  ASSERT_EQ(write(fds[1], "x", 1), 1);
  EXPECT_TRUE(interrupt.AwaitReadable(fds[0]).ok());
  char byte;
  ASSERT_EQ(read(fds[0], &byte, 1), 1);
  Send(SIGINT);
  EXPECT_TRUE(absl::IsCancelled(interrupt.AwaitReadable(fds[0])));
  close(fds[0]);
  close(fds[1]);
}

TEST(InterruptTest, EndsWithoutASignal) {
  TerminationSignals signals;
  { Interrupt interrupt(signals); }
}

}  // namespace
}  // namespace cairn::cli
