#include "common/line_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <sstream>
#include <thread>
#include <vector>

#include "common/metrics.h"
#include "tests/support/fault_env.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LineLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<LineLog> Open(uint64_t max_file_bytes = 1 << 20, int64_t max_files = 3,
                                size_t max_queued_bytes = 1 << 20) {
    LineLogOptions options;
    options.path = "/log/audit.log";
    options.max_file_bytes = max_file_bytes;
    options.max_files = max_files;
    options.max_queued_bytes = max_queued_bytes;
    options.dropped_line = [](uint64_t count) { return fmt::format("dropped={}", count); };
    options.dropped = dropped_;
    absl::StatusOr<std::unique_ptr<LineLog>> log = LineLog::Open(&env_, std::move(options));
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }
  std::string Content(const std::string& path) { return env_.ReadFile(path).value_or(""); }
  std::vector<std::string> Names() { return *env_.List("/log"); }

  Metrics metrics_;
  Counter* const dropped_ = metrics_.AddCounter("cairn_test_dropped_total", "Dropped");
  FaultEnv env_;
};

TEST_F(LineLogTest, LinesAreWrittenInOrderAndAddedToTheFileThatIsThere) {
  auto log = Open();
  EXPECT_TRUE(log->Append("one"));
  EXPECT_TRUE(log->Append("two"));
  log->Flush();
  EXPECT_EQ(Content("/log/audit.log"), "one\ntwo\n");
  log.reset();
  log = Open();
  EXPECT_TRUE(log->Append("three"));
  log.reset();  // writes what waits
  EXPECT_EQ(Content("/log/audit.log"), "one\ntwo\nthree\n");
}

TEST_F(LineLogTest, HalfALineOfAKilledProcessIsEnded) {
  ASSERT_TRUE(env_.CreateDirs("/log").ok());
  ASSERT_TRUE(env_.WriteFileAtomically("/log/audit.log", "one\nhal").ok());
  auto log = Open();
  log->Append("two");
  log.reset();
  EXPECT_EQ(Content("/log/audit.log"), "one\nhal\ntwo\n");
}

TEST_F(LineLogTest, FullFilesMoveOnAndTheOldestGoes) {
  auto log = Open(/*max_file_bytes=*/10);
  for (const char* line : {"aaaa", "bbbb", "cccc", "dddd", "eeee", "ffff", "gggg"}) {
    log->Append(line);
  }
  log->Append("longer than a file");
  log.reset();
  EXPECT_THAT(Names(), ElementsAre("audit.log", "audit.log.1", "audit.log.2"));
  EXPECT_EQ(Content("/log/audit.log"), "longer than a file\n");
  EXPECT_EQ(Content("/log/audit.log.1"), "gggg\n");
  EXPECT_EQ(Content("/log/audit.log.2"), "eeee\nffff\n");
  log = Open(/*max_file_bytes=*/10);
  log->Append("h");
  log.reset();
  EXPECT_EQ(Content("/log/audit.log"), "h\n");
  EXPECT_EQ(Content("/log/audit.log.1"), "longer than a file\n");
}

TEST_F(LineLogTest, OneFileBeginsAgain) {
  auto log = Open(/*max_file_bytes=*/10, /*max_files=*/1);
  for (const char* line : {"aaaa", "bbbb", "cccc"}) log->Append(line);
  log.reset();
  EXPECT_THAT(Names(), ElementsAre("audit.log"));
  EXPECT_EQ(Content("/log/audit.log"), "cccc\n");
}

TEST_F(LineLogTest, AFileThatCannotMoveIsWrittenOn) {
  env_.SetHook([](FaultOp op, const std::string&) {
    return op == FaultOp::kRename ? absl::PermissionDeniedError("no") : absl::OkStatus();
  });
  auto log = Open(/*max_file_bytes=*/10);
  for (const char* line : {"aaaa", "bbbb", "cccc"}) log->Append(line);
  log.reset();
  EXPECT_EQ(Content("/log/audit.log"), "aaaa\nbbbb\ncccc\n");
  EXPECT_EQ(dropped_->Value(), 0);
}

// The disk is held up: what does not fit into the buffer is dropped at once, and told.
TEST_F(LineLogTest, AFullBufferDropsCountsAndTells) {
  Mutex mu;
  CondVar cv;
  bool writing = false;
  bool held = true;
  env_.SetHook([&](FaultOp op, const std::string&) {
    MutexLock lock(mu);
    writing = writing || op == FaultOp::kWrite;
    cv.SignalAll();
    while (op == FaultOp::kWrite && held) cv.Wait(mu);
    return absl::OkStatus();
  });
  auto log = Open(1 << 20, 3, /*max_queued_bytes=*/10);
  EXPECT_TRUE(log->Append("aaaa"));
  {
    MutexLock lock(mu);
    while (!writing) cv.Wait(mu);
  }
  EXPECT_TRUE(log->Append("bbbb"));
  EXPECT_TRUE(log->Append("cccc"));
  EXPECT_FALSE(log->Append("d"));
  EXPECT_FALSE(log->Append("e"));
  {
    MutexLock lock(mu);
    held = false;
    cv.SignalAll();
  }
  log->Flush();
  EXPECT_TRUE(log->Append("f"));
  log.reset();
  EXPECT_EQ(Content("/log/audit.log"), "aaaa\nbbbb\ncccc\ndropped=2\nf\n");
  EXPECT_EQ(dropped_->Value(), 2);
}

TEST_F(LineLogTest, WhatTheDiskDoesNotTakeIsDroppedAndToldOnceItDoes) {
  auto log = Open();
  log->Append("aaaa");
  log->Flush();
  std::atomic<bool> broken = true;
  env_.SetHook([&](FaultOp op, const std::string&) {
    return op == FaultOp::kWrite && broken ? absl::InternalError("EIO") : absl::OkStatus();
  });
  for (const char* line : {"bbbb", "cccc"}) {
    EXPECT_TRUE(log->Append(line));
    log->Flush();
  }
  broken = false;
  log->Append("dddd");
  log.reset();
  EXPECT_EQ(Content("/log/audit.log"), "aaaa\ndropped=2\ndddd\n");
  EXPECT_EQ(dropped_->Value(), 2);
}

TEST_F(LineLogTest, ADiskThatGetsFullLeavesWholeLines) {
  auto log = Open();
  log->Append("aaaa");
  log->Flush();
  env_.SetCapacity(8);
  log->Append("bbbbbbbb");
  log->Flush();
  env_.SetCapacity(1 << 20);
  log->Append("c");
  log.reset();
  EXPECT_EQ(Content("/log/audit.log"), "aaaa\ndropped=1\nc\n");
}

TEST_F(LineLogTest, ManyThreadsLoseNothingThatWasTaken) {
  auto log = Open(/*max_file_bytes=*/1000, /*max_files=*/1000, /*max_queued_bytes=*/4000);
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) taken += log->Append(fmt::format("{}-{}", t, i)) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  log.reset();
  std::set<std::string> lines;
  uint64_t told = 0;
  for (const std::string& name : Names()) {
    std::istringstream text(Content("/log/" + name));
    for (std::string line; std::getline(text, line);) {
      if (line.starts_with("dropped=")) {
        told += std::stoull(line.substr(8));
      } else {
        EXPECT_TRUE(lines.insert(line).second) << line;
      }
    }
  }
  EXPECT_EQ(lines.size(), static_cast<size_t>(taken));
  EXPECT_EQ(lines.size() + static_cast<size_t>(dropped_->Value()), 8000u);
  EXPECT_LE(told, static_cast<uint64_t>(dropped_->Value()));
}

TEST_F(LineLogTest, AFileThatCannotBeOpenedIsAnError) {
  env_.SetHook([](FaultOp op, const std::string&) {
    return op == FaultOp::kOpen ? absl::PermissionDeniedError("no") : absl::OkStatus();
  });
  LineLogOptions options;
  options.path = "/log/audit.log";
  EXPECT_FALSE(LineLog::Open(&env_, options).ok());
}

}  // namespace
}  // namespace cairn
