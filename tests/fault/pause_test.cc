// Processes that stop for longer than it takes to be given up, and go on as if nothing had been
// (P3, P6, P8).
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <sstream>
#include <string>

#include "tests/fault/fault_fixture.h"
#include "tests/integration/byte_pattern.h"
#include "tests/support/process.h"

namespace cairn::testing {
namespace {

class PauseTest : public FaultTest {
 protected:
  // Stops it until it has been given up by the others.
  void Pause(Daemon& daemon) {
    daemon.Signal(SIGSTOP);
    Last(2 * kDeadAfterMs);
    daemon.Signal(SIGCONT);
  }
};

TEST_F(PauseTest, ADataNodeStopsUntilItIsDeadAndGoesOn) {
  StartCluster({.datanodes = 4, .datanode_flags = {"--reserved=0"}});
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  Pause(cluster_->datanode(1));
  AwaitFiles(2);
  EndTraffic("a DataNode stops for 8 s");
  EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
  ExpectHealed();
}

TEST_F(PauseTest, TheNameNodeStopsAndTakesNobodyForDead) {
  StartCluster({.datanodes = 4, .datanode_flags = {"--reserved=0"}});
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  Pause(cluster_->namenode());
  AwaitFiles(2);
  EndTraffic("the NameNode stops for 8 s");
  EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
  ExpectHealed();
}

// Another client takes over; the first one must not write a byte more, and is told.
TEST_F(PauseTest, AWriterStopsAndItsFileIsTakenOver) {
  StartCluster({.datanodes = 4,
                .namenode_flags = {"--lease-soft-limit=2s", "--lease-hard-limit=60s"},
                .datanode_flags = {"--reserved=0"}});
  ASSERT_FALSE(HasFatalFailure());
  const TempDir dir;
  auto writer = Process::Start({.args = {BinDir() + "/../tests/writer_process",
                                         cluster_->rpc_address(), "/f", "flush", "10007"},
                                .stdout_path = dir / "acked",
                                .stderr_path = dir / "err"});
  ASSERT_TRUE(writer.ok()) << writer.status();
  const auto acked = [&] {
    std::istringstream lines(ReadWholeFile(dir / "acked"));
    uint64_t length = 0;
    for (std::string line; std::getline(lines, line) && !lines.eof();) length = std::stoull(line);
    return length;
  };
  ASSERT_TRUE(WaitUntil(60'000, [&] { return acked() > 1'500'000; }));
  (*writer)->Signal(SIGSTOP);
  const uint64_t flushed = acked();
  absl::StatusOr<std::unique_ptr<OutputStream>> out;
  ASSERT_TRUE(WaitUntil(60'000, [&] {
    out = fs_->Append("/f", {});
    return out.ok();
  })) << out.status();
  const uint64_t length = (*out)->length();
  EXPECT_GE(length, flushed);
  // Both write on from here; what each writes at an offset is the same, so lengths tell them apart.
  Do((*out)->Write(PatternBytes(length, 5'000)));
  Do((*out)->HFlush());
  (*writer)->Signal(SIGCONT);
  const auto ended = (*writer)->Wait(60'000);
  ASSERT_TRUE(ended.has_value()) << "the old writer goes on";
  EXPECT_EQ(ended->code, 1);
  EXPECT_LE(acked(), length) << "bytes of the old writer were acknowledged after it was robbed";
  Do((*out)->Close());
  const CommandResult got = cluster_->Cairn({"cat", "/f"});
  EXPECT_TRUE(got.out == PatternBytes(0, length + 5'000)) << got.out.size();
  ExpectHealed();
}

}  // namespace
}  // namespace cairn::testing
