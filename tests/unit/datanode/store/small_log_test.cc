#include "datanode/store/small_log.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cerrno>
#include <set>
#include <thread>

#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr uint64_t kSegment = 32 << 10;  // seven records of a block of 4 KiB

SmallRecord RecordOf(BlockId id, uint64_t length = 1'000) {
  SmallRecord record({id, 1, length});
  std::fill(record.data().begin(), record.data().end(), static_cast<char>(id));
  record.Seal();
  return record;
}

class SmallLogTest : public testing::Test {
 protected:
  SmallLogTest() { Open(); }

  void Open(size_t segments = 2) {
    EXPECT_TRUE(env_.CreateDirs("/d").ok());
    SmallLog::Options options;
    options.folder = "/d/log";
    options.segment_bytes = kSegment;
    options.max_segments = segments;
    options.take_space = [this](uint64_t) { return room_.load(); };
    options.give_back = [this](uint64_t bytes) { given_back_ += bytes; };
    options.mark = [this](bool in_use) {
      in_use_ = in_use;
      return absl::OkStatus();
    };
    options.on_full = [this] { ++full_; };
    log_ = std::make_unique<SmallLog>(&env_, std::move(options));
  }

  // The ids of the records that a start would find.
  std::multiset<BlockId> OnDisk() {
    std::multiset<BlockId> ids;
    const auto names = env_.List("/d/log");
    for (const std::string& name : names.ok() ? *names : std::vector<std::string>{}) {
      const std::string bytes = *env_.ReadFile("/d/log/" + name);
      const auto segment = ParseSmallSegment(bytes);
      if (!segment.ok()) continue;
      EXPECT_THAT(segment->damaged, IsEmpty());
      for (const SmallRecordView& record : segment->records) ids.insert(record.block.id);
    }
    return ids;
  }

  bool Add(BlockId id) {
    const auto ticket = log_->Append(RecordOf(id));
    EXPECT_TRUE(ticket.ok()) << ticket.status();
    return ticket.ok() && ticket->durable();
  }
  std::vector<BlockId> Retire(bool all) {
    std::vector<BlockId> settled;
    EXPECT_TRUE(
        log_->Retire(all, [&](uint64_t, const Block& block) { settled.push_back(block.id); }).ok());
    return settled;
  }

  FaultEnv env_;
  std::atomic<bool> room_ = true;
  std::atomic<bool> in_use_ = false;
  std::atomic<uint64_t> given_back_ = 0;
  std::atomic<int> full_ = 0;
  std::unique_ptr<SmallLog> log_;
};

TEST_F(SmallLogTest, WhatWasAppendedOutlivesAPowerCut) {
  EXPECT_TRUE(Add(1));
  EXPECT_TRUE(Add(2));
  EXPECT_TRUE(in_use_);
  env_.Crash();
  EXPECT_THAT(OnDisk(), UnorderedElementsAre(1, 2));
}

TEST_F(SmallLogTest, ThreadsShareTheirSyncs) {
  constexpr int kThreads = 8;
  constexpr int kEach = 40;
  Open(/*segments=*/64);
  // The first sync lasts until all others wait for the second.
  std::atomic<int> appended = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        if (Add(static_cast<BlockId>(1 + t * kEach + i))) ++appended;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(appended, kThreads * kEach);
  const SmallLogStats stats = log_->stats();
  EXPECT_EQ(stats.records, uint64_t{kThreads * kEach});
  EXPECT_LE(stats.commits, stats.records);
  env_.Crash();
  const auto found = OnDisk();
  EXPECT_EQ(found.size(), size_t{kThreads * kEach});
  EXPECT_EQ(std::set<BlockId>(found.begin(), found.end()).size(), found.size());
}

TEST_F(SmallLogTest, AWriteTakesAllThatWait) {
  // The first one waits within its sync for the others to queue up.
  Mutex mu;
  CondVar changed;
  bool go = false;
  std::atomic<bool> first = true;
  EXPECT_TRUE(Add(100));  // the segment is there
  env_.SetHook([&](FaultOp op, const std::string&) {
    if (op == FaultOp::kWrite && first.exchange(false)) {
      MutexLock lock(mu);
      while (!go) changed.Wait(mu);
    }
    return absl::OkStatus();
  });
  std::vector<std::thread> threads;
  for (BlockId id = 1; id <= 4; ++id) threads.emplace_back([this, id] { EXPECT_TRUE(Add(id)); });
  {
    MutexLock lock(mu);
    go = true;
  }
  changed.SignalAll();
  for (std::thread& thread : threads) thread.join();
  env_.SetHook({});
  EXPECT_LE(log_->stats().commits, 5u);
  EXPECT_THAT(OnDisk(), UnorderedElementsAre(1, 2, 3, 4, 100));
}

TEST_F(SmallLogTest, FullSegmentsAreRetiredAndUsedAgain) {
  for (BlockId id = 1; id <= 14; ++id) EXPECT_TRUE(Add(id)) << id;
  EXPECT_EQ(full_, 1);
  EXPECT_FALSE(Add(15));  // no room: not an error
  EXPECT_EQ(Retire(/*all=*/false),
            (std::vector<BlockId>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}));
  EXPECT_TRUE(Add(16));
  env_.Crash();
  EXPECT_THAT(OnDisk(), ElementsAre(16));
}

TEST_F(SmallLogTest, ASegmentDoesNotWaitForever) {
  EXPECT_TRUE(Add(1));
  for (int i = 0; i < 4; ++i) EXPECT_THAT(Retire(false), IsEmpty());
  EXPECT_THAT(Retire(false), ElementsAre(1));
  EXPECT_EQ(log_->stats().pending, 0u);
}

TEST_F(SmallLogTest, ARecordIsLiveUntilItIsRetired) {
  uint64_t sequence = 0;
  {
    const auto ticket = log_->Append(RecordOf(1));
    ASSERT_TRUE(ticket.ok());
    sequence = ticket->sequence();
    EXPECT_TRUE(log_->IsLive(sequence));
  }
  EXPECT_THAT(Retire(/*all=*/true), ElementsAre(1));
  EXPECT_FALSE(log_->IsLive(sequence));
  EXPECT_TRUE(Add(2));
  EXPECT_FALSE(log_->IsLive(sequence));
}

TEST_F(SmallLogTest, RetiringWaitsForThoseOnTheirWay) {
  auto ticket = log_->Append(RecordOf(1));
  ASSERT_TRUE(ticket.ok());
  std::atomic<bool> named = false;
  std::thread retiring([&] {
    EXPECT_THAT(Retire(/*all=*/true), ElementsAre(1));
    EXPECT_TRUE(named);
  });
  named = true;
  { const SmallLog::Ticket ended = *std::move(ticket); }
  retiring.join();
}

TEST_F(SmallLogTest, NoRoomOnTheDiskIsNoError) {
  room_ = false;
  EXPECT_FALSE(Add(1));
  EXPECT_FALSE(in_use_);
  room_ = true;
  env_.SetCapacity(kSegment / 2);
  EXPECT_FALSE(Add(2));
  EXPECT_EQ(given_back_, kSegment);
  env_.SetCapacity(uint64_t{1} << 40);
  EXPECT_TRUE(Add(3));
}

TEST_F(SmallLogTest, AFailedSyncIsTheAppendersError) {
  EXPECT_TRUE(Add(1));
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kSync ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsInternal(log_->Append(RecordOf(2)).status()));
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kSync ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  EXPECT_FALSE(Add(3));
  env_.SetHook({});
}

TEST_F(SmallLogTest, AFailedSyncOfTheFilesKeepsTheRecords) {
  EXPECT_TRUE(Add(1));
  for (const int error : {EIO, ENOSPC}) {
    env_.SetHook([error](FaultOp op, const std::string& path) {
      return op == FaultOp::kSyncFileSystem ? ErrnoStatus(path, error) : absl::OkStatus();
    });
    EXPECT_TRUE(absl::IsInternal(log_->Retire(true, [](uint64_t, const Block&) { FAIL(); })));
  }
  env_.SetHook({});
  env_.Crash();
  EXPECT_THAT(OnDisk(), ElementsAre(1));
}

TEST_F(SmallLogTest, ClosingLeavesNothing) {
  EXPECT_TRUE(Add(1));
  Retire(/*all=*/true);
  EXPECT_TRUE(log_->Close().ok());
  EXPECT_FALSE(in_use_);
  EXPECT_EQ(given_back_, kSegment);
  env_.Crash();
  EXPECT_THAT(*env_.List("/d/log"), IsEmpty());
}

TEST_F(SmallLogTest, AReplicaThatIsTooLongForASegmentHasNoPlace) {
  const auto ticket = log_->Append(RecordOf(1, kSegment));
  ASSERT_TRUE(ticket.ok());
  EXPECT_FALSE(ticket->durable());
}

}  // namespace
}  // namespace cairn::datanode
