// Writers that are gone: killed at any moment, robbed, with their DataNodes or their NameNode
// (P3, P6). What was flushed is there afterwards, and readers beside them see it at once.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "client/file_system.h"
#include "tests/integration/byte_pattern.h"
#include "tests/integration/cluster_view.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

class LeaseTest : public ::testing::Test {
 protected:
  void StartCluster(int datanodes, const std::string& soft_limit, const std::string& hard_limit) {
    auto started = Cluster::Start(
        {.datanodes = datanodes,
         .namenode_flags = {"--block-size=1M", "--heartbeat-interval=300ms", "--stale-after=1500ms",
                            "--dead-after=3s", "--redundancy-interval=300ms",
                            "--lease-soft-limit=" + soft_limit, "--lease-hard-limit=" + hard_limit},
         .datanode_flags = {"--reserved=0"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    auto fs = FileSystem::Connect({.namenodes = {cluster_->rpc_address()}});
    ASSERT_TRUE(fs.ok()) << fs.status();
    fs_ = *std::move(fs);
  }

  // Starts a writer and waits until it has flushed at least `bytes`.
  void StartWriter(const std::string& path, uint64_t bytes, const std::string& how = "flush",
                   size_t piece = 10'007) {
    out_ = dir_ / fmt::format("acked{}", ++writers_);
    WriteWholeFile(out_, "");
    auto writer =
        Process::Start({.args = {BinDir() + "/../tests/writer_process", cluster_->rpc_address(),
                                 path, how, std::to_string(piece)},
                        .stdout_path = out_,
                        .stderr_path = dir_ / "writer.err"});
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = *std::move(writer);
    ASSERT_TRUE(WaitUntil(60'000, [&] { return Acked() >= bytes || !writer_->running(); }));
    ASSERT_TRUE(writer_->running()) << ReadWholeFile(dir_ / "writer.err");
  }

  // The length that the writer was told last.
  uint64_t Acked() const {
    std::istringstream lines(ReadWholeFile(out_));
    uint64_t acked = 0;
    for (std::string line; std::getline(lines, line) && !lines.eof();) acked = std::stoull(line);
    return acked;
  }

  // Closed, with every acknowledged byte, and no byte that was never written.
  void ExpectSettled(const std::string& path, uint64_t acked) {
    absl::StatusOr<FileStatus> status;
    EXPECT_TRUE(WaitUntil(60'000,
                          [&] {
                            status = fs_->GetFileInfo(path);
                            return status.ok() && !status->open;
                          }))
        << path << " is not closed: " << status.status();
    if (!status.ok()) return;
    EXPECT_GE(status->length, acked) << path;
    ExpectPattern(path);
  }

  void ExpectPattern(const std::string& path) {
    const CommandResult got = cluster_->Cairn({"cat", path});
    ASSERT_EQ(got.code, 0) << got.err;
    EXPECT_TRUE(got.out == PatternBytes(0, got.out.size())) << path << " has other bytes";
  }

  // Append, as soon as the NameNode lets us.
  std::unique_ptr<OutputStream> TakeOver(const std::string& path) {
    absl::StatusOr<std::unique_ptr<OutputStream>> out;
    EXPECT_TRUE(WaitUntil(60'000, [&] {
      out = fs_->Append(path, {});
      return out.ok();
    })) << out.status();
    return out.ok() ? *std::move(out) : nullptr;
  }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<Process> writer_;
  std::string out_;
  int writers_ = 0;
};

TEST_F(LeaseTest, AnAppendTakesTheFileOfAKilledWriter) {
  StartCluster(4, "1s", "60s");
  for (int round = 0; round < 6; ++round) {
    const std::string path = fmt::format("/f{}", round);
    // Killed in any state of its blocks: the piece and the amount differ from round to round.
    StartWriter(path, 400'000ull * round + 1, round % 2 == 0 ? "flush" : "sync",
                3'001 + 9'999 * round);
    ASSERT_FALSE(HasFatalFailure());
    writer_->Kill();
    const uint64_t acked = Acked();
    auto out = TakeOver(path);
    ASSERT_NE(out, nullptr);
    const uint64_t length = out->length();
    EXPECT_GE(length, acked);
    ASSERT_TRUE(out->Write(PatternBytes(length, 12'345)).ok());
    ASSERT_TRUE(out->Close().ok());
    EXPECT_EQ(fs_->GetFileInfo(path)->length, length + 12'345);
    ExpectPattern(path);
  }
  EXPECT_TRUE(WaitUntil(240'000, [&] { return IsHealthy(*cluster_); }))
      << cluster_->Cairn({"admin", "health"}).out;
}

TEST_F(LeaseTest, ALiveWriterIsNotRobbed) {
  StartCluster(3, "6s", "120s");
  StartWriter("/f", 100'000);
  ASSERT_FALSE(HasFatalFailure());
  const auto until =
      std::chrono::steady_clock::now() + std::chrono::seconds(15);  // of a lease of 6 s
  while (std::chrono::steady_clock::now() < until) {
    const uint64_t before = Acked();
    const auto refused = fs_->Append("/f", {});
    EXPECT_EQ(KindOf(refused.status()), ErrorKind::kBeingWritten) << refused.status();
    ASSERT_TRUE(WaitUntil(60'000, [&] { return Acked() > before; })) << "the writer is held up";
  }
  EXPECT_TRUE(writer_->running());
  // Asked for by name, it is: then its writer is refused, and the file is closed.
  EXPECT_TRUE(fs_->RecoverLease("/f").ok());
  const auto ended = writer_->Wait(30'000);
  ASSERT_TRUE(ended.has_value());
  EXPECT_EQ(ended->code, 1);
  ExpectSettled("/f", Acked());
}

TEST_F(LeaseTest, TheNameNodeClosesFilesAndGoesOnAfterItsOwnDeath) {
  StartCluster(4, "4s", "8s");
  for (int round = 0; round < 4; ++round) {
    const std::string path = fmt::format("/f{}", round);
    StartWriter(path, 1'300'000);
    ASSERT_FALSE(HasFatalFailure());
    writer_->Kill();
    const uint64_t acked = Acked();
    // Some moments after the lease's end: before, in and after the recovery.
    const auto moment =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(8'000 + 150 * round);
    std::this_thread::sleep_until(moment);
    cluster_->namenode().Kill();
    ASSERT_TRUE(cluster_->namenode().Start().ok());
    ASSERT_TRUE(cluster_->AwaitSafeModeOff().ok());
    ExpectSettled(path, acked);
  }
}

TEST_F(LeaseTest, FlushedBytesSurviveWhileOneNodeLives) {
  StartCluster(4, "4s", "10s");
  StartWriter("/f", 2'400'000);
  ASSERT_FALSE(HasFatalFailure());
  std::vector<size_t> writing;
  ASSERT_TRUE(WaitUntil(60'000, [&] {
    writer_->Signal(SIGSTOP);  // it cannot mend its pipeline
    writing.clear();
    for (size_t i = 0; i < 4; ++i) {
      if (!OpenFiles(cluster_->datanode(i)).empty()) writing.push_back(i);
    }
    // Between two blocks there are none, or those of both.
    if (writing.size() == 2 || writing.size() == 3) return true;
    writer_->Signal(SIGCONT);
    return false;
  }));
  const uint64_t acked = Acked();
  for (size_t i = 0; i + 1 < writing.size(); ++i) cluster_->datanode(writing[i]).Kill();
  writer_->Kill();
  ExpectSettled("/f", acked);
}

TEST_F(LeaseTest, FlushedBytesSurviveTheDeathOfEveryProcess) {
  StartCluster(3, "4s", "10s");
  for (const char* how : {"flush", "sync"}) {
    const std::string path = std::string("/") + how;
    StartWriter(path, 1'700'000, how, 70'001);
    ASSERT_FALSE(HasFatalFailure());
    for (size_t i = 0; i < 3; ++i) cluster_->datanode(i).Kill();
    cluster_->namenode().Kill();
    writer_->Kill();
    const uint64_t acked = Acked();
    ASSERT_TRUE(cluster_->namenode().Start().ok());
    for (size_t i = 0; i < 3; ++i) ASSERT_TRUE(cluster_->datanode(i).Start().ok());
    ASSERT_TRUE(cluster_->AwaitSafeModeOff().ok());
    ExpectSettled(path, acked);
  }
}

TEST_F(LeaseTest, ReadersSeeWhatWasFlushed) {
  StartCluster(4, "1s", "60s");
  StartWriter("/f", 1, "flush", 4'099);
  ASSERT_FALSE(HasFatalFailure());
  size_t killed = 0;
  for (int i = 0; i < 60; ++i) {
    const uint64_t acked = Acked();
    const auto in = fs_->Open("/f");
    ASSERT_TRUE(in.ok()) << in.status();
    ASSERT_GE((*in)->length(), acked) << "round " << i;
    const uint64_t from = acked - std::min<uint64_t>(acked, 300'000);
    std::string bytes((*in)->length() - from, '\0');
    const auto read = (*in)->PRead(from, {bytes.data(), bytes.size()});
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(*read, bytes.size());
    EXPECT_TRUE(bytes == PatternBytes(from, bytes.size())) << "round " << i;
    if (i == 20) {
      for (size_t n = 0; n < 4 && killed == 0; ++n) {
        if (OpenFiles(cluster_->datanode(n)).empty()) continue;
        cluster_->datanode(n).Kill();
        ++killed;
      }
    }
  }
  writer_->Kill();
}

}  // namespace
}  // namespace cairn::testing
