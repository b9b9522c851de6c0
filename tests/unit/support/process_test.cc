#include "tests/support/process.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <csignal>
#include <fstream>

#include "tests/support/cluster.h"

namespace cairn::testing {
namespace {

TEST(ProcessTest, GivesExitStatusAndOutput) {
  TempDir dir;
  auto process = Process::Start({.args = {"/bin/sh", "-c", "echo out; echo err >&2; exit 7"},
                                 .stdout_path = dir / "out",
                                 .stderr_path = dir / "err"});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ((*process)->Wait(30'000), (ExitState{7, 0}));
  EXPECT_EQ((*process)->Wait(0), (ExitState{7, 0}));
  EXPECT_EQ(ReadWholeFile(dir / "out"), "out\n");
  EXPECT_EQ(ReadWholeFile(dir / "err"), "err\n");
}

TEST(ProcessTest, GivesInputAndEnvironment) {
  TempDir dir;
  std::ofstream(dir / "in") << "from stdin";
  auto process = Process::Start({.args = {"/bin/sh", "-c", "cat; echo \" $GREETING\""},
                                 .env = {{"GREETING", "hello"}},
                                 .stdin_path = dir / "in",
                                 .stdout_path = dir / "out"});
  ASSERT_TRUE(process.ok()) << process.status();
  ASSERT_TRUE((*process)->Wait(30'000).has_value());
  EXPECT_EQ(ReadWholeFile(dir / "out"), "from stdin hello\n");
}

TEST(ProcessTest, TellsASignalFromAnExit) {
  auto process = Process::Start({.args = {"/bin/sleep", "600"}});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_TRUE((*process)->running());
  (*process)->Signal(SIGTERM);
  EXPECT_EQ((*process)->Wait(30'000), (ExitState{128 + SIGTERM, SIGTERM}));
}

TEST(ProcessTest, EndsItsChild) {
  pid_t pid = -1;
  {
    auto process = Process::Start({.args = {"/bin/sleep", "600"}});
    ASSERT_TRUE(process.ok()) << process.status();
    pid = (*process)->pid();
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(ProcessTest, RefusesAProgramThatIsNotThere) {
  EXPECT_FALSE(Process::Start({.args = {"/nonexistent/program"}}).ok());
}

}  // namespace
}  // namespace cairn::testing
