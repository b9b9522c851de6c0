// The journal while it runs: order, group commit, rolls, markers, failures.
#include "namenode/journal/file_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <utility>

#include "common/metrics.h"
#include "common/mutex.h"
#include "namenode/journal/segment_format.h"
#include "tests/unit/namenode/journal/durable_watch.h"
#include "tests/unit/namenode/journal/journal_testing.h"

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class FileJournalTest : public ::testing::Test {
 protected:
  std::unique_ptr<FileJournal> Open(FileJournalOptions options, TxId next = 1) {
    if (options.dirs.empty()) options.dirs = {a_, b_};
    auto journal = std::make_unique<FileJournal>(env_.get(), std::move(options));
    journal->OnDurable([this](TxId txid) { durable_.Report(txid); });
    const absl::Status started = journal->Start(next);
    EXPECT_TRUE(started.ok()) << Text(MessageOf(started));
    return journal;
  }
  Strings Names(const std::string& dir) { return env_->List(dir).value(); }

  const std::unique_ptr<Env> env_ = NewPosixEnv();
  const TempDir temp_;
  const std::string a_ = temp_.Make("a");
  const std::string b_ = temp_.Make("b");
  DurableWatch durable_;
};

TEST_F(FileJournalTest, AppendsAreReportedAndReadBack) {
  auto journal = Open({});
  for (TxId txid = 1; txid <= 100; ++txid) {
    EXPECT_EQ(AppendText(*journal, RecordOf(txid)), txid);
    EXPECT_EQ(journal->last(), txid);
    if (txid % 10 == 0) {
      ASSERT_TRUE(durable_.WaitFor(txid));
      EXPECT_EQ(journal->durable(), txid);
      EXPECT_EQ(journal->pending_bytes(), 0u);
    }
  }
  journal->Stop();
  journal->Stop();
  for (const Strings& dirs : {Strings{a_}, Strings{b_}}) {
    EXPECT_EQ(ReadAll(env_.get(), dirs).value(), Records(1, 100));
  }
  EXPECT_THAT(Names(a_), ElementsAre(ClosedName(1, 100)));
  EXPECT_FALSE(durable_.out_of_order());
}

TEST_F(FileJournalTest, AGroupIsDurableSoonAfterItsEnd) {
  auto journal = Open({});
  TxId txid = 0;
  for (int group = 0; group < 100; ++group) {
    journal->BeginGroup();
    for (int i = 0; i < group % 4; ++i) AppendText(*journal, RecordOf(++txid));
    journal->EndGroup();
    ASSERT_TRUE(durable_.WaitFor(txid));
  }
  journal->Stop();
  EXPECT_EQ(ReadAll(env_.get(), {a_}).value(), Records(1, txid));
}

TEST_F(FileJournalTest, StopMakesEverythingDurable) {
  auto journal = Open({}, 41);
  EXPECT_EQ(journal->durable(), 40u);
  for (TxId txid = 41; txid <= 1000; ++txid) AppendText(*journal, RecordOf(txid));
  journal->Stop();
  EXPECT_EQ(durable_.last(), 1000u);
  EXPECT_EQ(ReadAll(env_.get(), {a_}, 41).value(), Records(41, 1000));
  EXPECT_TRUE(absl::IsFailedPrecondition(journal->Roll().status()));
}

TEST_F(FileJournalTest, RecordsOfAnySizeAndEmptyOnes) {
  auto journal = Open({.preallocate_bytes = 4096, .max_batch_bytes = 10'000});
  Strings records;
  for (const size_t size : {0, 1, 5000, 0, 9'999, 10'001, 3'000'000, 7}) {
    records.push_back(std::string(size, static_cast<char>('a' + records.size())));
    AppendText(*journal, records.back());
  }
  journal->Stop();
  EXPECT_EQ(ReadAll(env_.get(), {b_}).value(), records);
}

TEST_F(FileJournalTest, ManyThreadsShareSyncs) {
  constexpr int kThreads = 16;
  constexpr int kEach = 200;
  Metrics metrics;
  auto journal = Open({.metrics = &metrics});
  Mutex door;  // as the namesystem's lock: the order of the records is that of the txids
  Strings expected(kThreads * kEach + 1);
  std::atomic<int> released{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string text = fmt::format("thread {} edit {}", t, i);
        TxId txid = 0;
        {
          MutexLock lock(door);
          txid = AppendText(*journal, text);
          expected[txid] = text;
        }
        if (durable_.WaitFor(txid)) released.fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(released.load(), kThreads * kEach);
  EXPECT_FALSE(durable_.out_of_order());
  EXPECT_THAT(metrics.RenderText(), HasSubstr("cairn_journal_syncs_total"));
  journal->Stop();
  expected.erase(expected.begin());
  EXPECT_EQ(ReadAll(env_.get(), {a_}).value(), expected);
  EXPECT_EQ(ReadAll(env_.get(), {b_}).value(), expected);
}

TEST_F(FileJournalTest, RollClosesWhatWasAppended) {
  auto journal = Open({});
  EXPECT_EQ(journal->Roll().value(), 0u);  // nothing to close
  for (TxId txid = 1; txid <= 5; ++txid) AppendText(*journal, RecordOf(txid));
  EXPECT_EQ(journal->Roll().value(), 5u);
  EXPECT_EQ(journal->durable(), 5u);
  EXPECT_EQ(journal->Roll().value(), 5u);
  EXPECT_THAT(Names(a_), ElementsAre(ClosedName(1, 5), InProgressName(6)));
  EXPECT_EQ(ReadAll(env_.get(), {a_}, 1, 5).value(), Records(1, 5));
  AppendText(*journal, RecordOf(6));
  ASSERT_TRUE(durable_.WaitFor(6));
  EXPECT_EQ(journal->Roll().value(), 6u);
  journal->Stop();
  EXPECT_THAT(Names(b_), ElementsAre(ClosedName(1, 5), ClosedName(6, 6)));
  EXPECT_EQ(RecoverJournal(env_.get(), {a_, b_}, 1).value(), 6u);
}

TEST_F(FileJournalTest, RollsAmongAppendsLoseNothing) {
  auto journal = Open({.preallocate_bytes = 64 << 10});
  std::atomic<bool> done{false};
  std::vector<std::thread> rollers;
  std::atomic<int> failures{0};
  for (int t = 0; t < 2; ++t) {
    rollers.emplace_back([&] {
      TxId last = 0;
      while (!done.load()) {
        const absl::StatusOr<TxId> rolled = journal->Roll();
        if (!rolled.ok() || *rolled < last || journal->durable() < *rolled) failures.fetch_add(1);
        last = rolled.value_or(last);
      }
    });
  }
  for (TxId txid = 1; txid <= 3000; ++txid) {
    AppendText(*journal, RecordOf(txid));
    if (txid % 50 == 0) {
      EXPECT_TRUE(durable_.WaitFor(txid));
    }
    if (txid % 1000 == 0) EXPECT_TRUE(journal->Roll().ok());
  }
  done.store(true);
  for (std::thread& roller : rollers) roller.join();
  journal->Stop();
  EXPECT_EQ(failures.load(), 0);
  EXPECT_GE(Names(a_).size(), 3u);
  EXPECT_EQ(ReadAll(env_.get(), {a_}).value(), Records(1, 3000));
  EXPECT_EQ(RecoverJournal(env_.get(), {a_, b_}, 1).value(), 3000u);
}

TEST_F(FileJournalTest, DropBeforeKeepsWhatIsNeeded) {
  auto journal = Open({});
  TxId txid = 1;
  for (int roll = 0; roll < 4; ++roll) {
    for (int i = 0; i < 3; ++i) AppendText(*journal, RecordOf(txid++));
    ASSERT_OK(journal->Roll().status());
  }
  ASSERT_OK(journal->DropBefore(6));  // txid 6 is in the second segment
  EXPECT_THAT(Names(a_), ElementsAre(ClosedName(4, 6), ClosedName(7, 9), ClosedName(10, 12),
                                     InProgressName(13)));
  EXPECT_EQ(Names(a_), Names(b_));
  WriteWhole(env_.get(), b_ + "/" + InProgressName(2), "left behind long ago");
  ASSERT_OK(journal->DropBefore(13));
  EXPECT_THAT(Names(b_), ElementsAre(ClosedName(10, 12), InProgressName(13)));
  AppendText(*journal, RecordOf(13));
  journal->Stop();
  EXPECT_EQ(RecoverJournal(env_.get(), {a_, b_}, 13).value(), 13u);
  EXPECT_EQ(ReadAll(env_.get(), {a_}, 13).value(), Records(13, 13));
}

TEST_F(FileJournalTest, AnIdleJournalWritesOneMarker) {
  auto journal = Open({.dirs = {a_}, .marker_after_ms = 1});
  AppendText(*journal, RecordOf(1));
  ASSERT_TRUE(durable_.WaitFor(1));
  // Damage to the first batch must become an error within the deadline: the marker is there.
  const std::string path = a_ + "/" + InProgressName(1);
  const std::string copy = temp_.Make("copy");
  bool refused = false;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!refused && std::chrono::steady_clock::now() < deadline) {
    std::string bytes = env_->ReadFile(path).value();
    bytes[kSegmentHeaderBytes + kFrameHeaderBytes + 5] ^= 1;
    WriteWhole(env_.get(), copy + "/" + InProgressName(1), bytes);
    refused = absl::IsDataLoss(ReadAll(env_.get(), {copy}).status());
  }
  EXPECT_TRUE(refused);
  journal->Stop();
  EXPECT_EQ(ReadAll(env_.get(), {a_}).value(), Records(1, 1));
  const uint64_t with_one_marker =
      kSegmentHeaderBytes + 2 * kFrameHeaderBytes + Packed(1, 1).size();
  EXPECT_EQ(env_->ReadFile(a_ + "/" + ClosedName(1, 1)).value().size(), with_one_marker);
  EXPECT_EQ(durable_.reports(), 1);
}

TEST_F(FileJournalTest, AReaderBesideARunningJournalSeesAPrefix) {
  auto journal = Open({.dirs = {a_}, .preallocate_bytes = 16 << 10, .marker_after_ms = 1});
  std::atomic<bool> done{false};
  std::atomic<int> failures{0};
  std::thread reader([&] {
    while (!done.load()) {
      const TxId durable = journal->durable();
      const absl::StatusOr<Strings> records = ReadAll(env_.get(), {a_});
      if (!records.ok() || records->size() < durable || *records != Records(1, records->size())) {
        failures.fetch_add(1);
      }
    }
  });
  for (TxId txid = 1; txid <= 2000; ++txid) {
    AppendText(*journal, RecordOf(txid));
    if (txid % 7 == 0) {
      EXPECT_TRUE(durable_.WaitFor(txid));
    }
  }
  done.store(true);
  reader.join();
  EXPECT_EQ(failures.load(), 0);
}

TEST_F(FileJournalTest, PendingBytesTellOfWhatWaits) {
  Mutex hold;  // while it is held, the journal's thread stays in its report
  std::promise<void> reporting;
  bool reported = false;  // of the journal's thread
  DurableWatch other;
  FileJournal held(env_.get(), {.dirs = {a_}});
  held.OnDurable([&](TxId txid) {
    if (!std::exchange(reported, true)) reporting.set_value();
    MutexLock lock(hold);
    other.Report(txid);
  });
  ASSERT_OK(held.Start(1));
  hold.Lock();
  AppendText(held, "first");
  reporting.get_future().wait();  // its batch is written
  EXPECT_EQ(held.pending_bytes(), 0u);
  for (int i = 0; i < 10; ++i) AppendText(held, std::string(1000, 'x'));
  EXPECT_GE(held.pending_bytes(), 10 * 1000u);
  hold.Unlock();
  ASSERT_TRUE(other.WaitFor(11));
  EXPECT_EQ(held.pending_bytes(), 0u);
}

TEST_F(FileJournalTest, AMissingDirectoryFailsTheStart) {
  FileJournal journal(env_.get(), {.dirs = {a_, temp_.path() + "/none"}});
  EXPECT_TRUE(absl::IsNotFound(journal.Start(1)));
  journal.Stop();
}

}  // namespace
}  // namespace cairn::namenode
