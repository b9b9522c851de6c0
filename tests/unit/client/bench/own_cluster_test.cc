#include "client/bench/own_cluster.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/cluster.h"

namespace cairn::bench {
namespace {

namespace stdfs = std::filesystem;
using testing::ReadWholeFile;
using testing::TempDir;

bool Never() { return false; }

// A program that a shell runs, in place of a daemon.
void WriteProgram(const std::string& path, const std::string& body) {
  std::ofstream(path) << "#!/bin/sh\n" << body;
  stdfs::permissions(path, stdfs::perms::owner_all);
}

TEST(ChildProcessTest, RunsWithoutFlagsOfThisProcessAndEnds) {
  const TempDir dir;
  setenv("CAIRN_DATA_DIR", "/elsewhere", 1);
  auto child =
      ChildProcess::Start({"/bin/sh", "-c", "echo \"[$CAIRN_DATA_DIR]\"; exit 3"}, dir / "out");
  unsetenv("CAIRN_DATA_DIR");
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_TRUE((*child)->Ended(60'000));
  EXPECT_EQ(ReadWholeFile(dir / "out"), "[]\n");
}

TEST(ChildProcessTest, TermAndTheEndOfTheObjectEndIt) {
  const TempDir dir;
  auto child = ChildProcess::Start({"/bin/sleep", "600"}, dir / "out");
  ASSERT_TRUE(child.ok()) << child.status();
  EXPECT_FALSE((*child)->Ended(0));
  (*child)->Terminate();
  EXPECT_TRUE((*child)->Ended(60'000));

  // Deaf to SIGTERM: it would run on, and keep its end of the pipe.
  auto deaf =
      ChildProcess::Start({"/bin/sh", "-c", "trap '' TERM; while :; do :; done"}, dir / "o");
  ASSERT_TRUE(deaf.ok()) << deaf.status();
  EXPECT_TRUE(testing::WaitUntil(60'000, [&] { return (*deaf)->CpuMicros() > 0; }));
  deaf->reset();
}

TEST(ChildProcessTest, NeedsTheProgram) {
  const TempDir dir;
  EXPECT_TRUE(absl::IsNotFound(ChildProcess::Start({dir / "none"}, dir / "out").status()));
}

TEST(OwnClusterTest, TellsWhatADaemonSaidThatDidNotStartAndLeavesNothing) {
  const TempDir programs;
  const TempDir dir;
  WriteProgram(programs / "cairn-namenode", "echo first; echo no room on this disk; exit 1\n");
  const auto cluster =
      OwnCluster::Start({.datanodes = 1, .dir = dir.path(), .programs = programs.path()}, Never);
  EXPECT_NE(cluster.status().message().find("namenode has ended; its log ends with: no room on "
                                            "this disk"),
            absl::string_view::npos)
      << cluster.status();
  EXPECT_TRUE(stdfs::is_empty(dir.path()));
}

TEST(OwnClusterTest, StartingEndsWhenStopped) {
  const TempDir programs;
  const TempDir dir;
  WriteProgram(programs / "cairn-namenode", "exec sleep 600\n");
  const auto cluster = OwnCluster::Start(
      {.datanodes = 1, .dir = dir.path(), .programs = programs.path()}, [] { return true; });
  EXPECT_TRUE(absl::IsCancelled(cluster.status())) << cluster.status();
  EXPECT_TRUE(stdfs::is_empty(dir.path()));
}

TEST(OwnClusterTest, NeedsTheProgramsAndTheFolder) {
  const TempDir dir;
  EXPECT_TRUE(absl::IsNotFound(
      OwnCluster::Start({.dir = dir.path(), .programs = dir / "none"}, Never).status()));
  EXPECT_TRUE(stdfs::is_empty(dir.path()));
  EXPECT_TRUE(absl::IsNotFound(
      OwnCluster::Start({.dir = dir / "none", .programs = dir.path()}, Never).status()));
}

}  // namespace
}  // namespace cairn::bench
