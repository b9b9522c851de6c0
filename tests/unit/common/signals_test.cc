#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include "common/env.h"
#include "common/program.h"
#include "tests/unit/common/temp_dir.h"

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

// Ends the process with 0 when a write beyond the limit on file sizes is a full disk.
[[noreturn]] void WriteBeyondTheLimit() {
  TempDir dir;
  TerminationSignals signals;
  rlimit limit;
  limit.rlim_cur = limit.rlim_max = 4096;
  setrlimit(RLIMIT_FSIZE, &limit);
  const auto file = NewPosixEnv()->Open(dir.path() + "/file", OpenMode::kTruncate);
  const absl::Status written = (*file)->WriteAt(0, std::string(8192, 'x'));
  std::exit(KindOf(written) == ErrorKind::kNoSpace ? 0 : 1);
}

TEST(TerminationSignalsTest, AFileThatGrowsTooLargeIsLikeAFullDisk) {
  EXPECT_EXIT(WriteBeyondTheLimit(), testing::ExitedWithCode(0), "");
}

TEST(TerminationSignalsTest, Trigger) {
  TerminationSignals signals;
  std::thread other([&] { signals.Trigger(); });
  EXPECT_EQ(signals.Wait(), 0);
  other.join();
}

}  // namespace
}  // namespace cairn
