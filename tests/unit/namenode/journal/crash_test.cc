// Power cuts at every write, failing syncs and full disks: what was reported durable is there (P1).
#include <gtest/gtest.h>

#include "namenode/journal/image_store.h"
#include "namenode/journal/segment_format.h"
#include "tests/support/fault_env.h"
#include "tests/unit/namenode/journal/durable_watch.h"
#include "tests/unit/namenode/journal/journal_testing.h"

namespace cairn::namenode {
namespace {

const Strings kDirs = {"/a/current", "/b/current"};

std::unique_ptr<FaultEnv> NewEnv() {
  auto env = std::make_unique<FaultEnv>();
  for (const std::string& dir : kDirs) EXPECT_TRUE(env->CreateDirs(dir).ok());
  return env;
}

struct Life {
  TxId durable = 0;   // the highest that was reported
  TxId appended = 0;  // the highest that was given out
  int fatal = 0;      // calls
  absl::Status why;
};

// A journal's life: batches of different sizes, two rolls, old segments dropped. It ends early when
// the Env fails it.
Life Live(FaultEnv* env, TxId next, bool drop) {
  Life life;
  DurableWatch durable;
  FileJournalOptions options{.dirs = kDirs, .preallocate_bytes = 1024, .marker_after_ms = 1};
  options.fatal = [&](const absl::Status& status) {
    life.why = status;
    durable.End();
  };
  FileJournal journal(env, options);
  journal.OnDurable([&](TxId txid) { durable.Report(txid); });
  if (const absl::Status started = journal.Start(next); !started.ok()) {
    life.why = started;
    life.durable = life.appended = next - 1;
    return life;
  }
  for (int round = 0; round < 3 && durable.ends() == 0; ++round) {
    for (const int batch : {1, 3, 20, 2}) {
      for (int i = 0; i < batch; ++i) life.appended = AppendText(journal, RecordOf(next++));
      if (!durable.WaitFor(life.appended)) break;
    }
    const absl::StatusOr<TxId> rolled = journal.Roll();
    if (!rolled.ok()) break;
    EXPECT_EQ(*rolled, life.appended);
    if (drop && round == 1) (void)journal.DropBefore(*rolled);
  }
  AppendText(journal, RecordOf(++life.appended));
  journal.Stop();
  life.durable = std::max(durable.last(), journal.durable());
  life.fatal = durable.ends();
  EXPECT_FALSE(durable.out_of_order());
  return life;
}

// After a crash: recovery finds everything reported, and nothing that was never appended.
void ExpectNothingLost(FaultEnv* env, const Life& life, TxId from = 1) {
  const absl::StatusOr<TxId> found = RecoverJournal(env, kDirs, from);
  ASSERT_OK(found.status());
  ASSERT_GE(*found, life.durable);
  ASSERT_LE(*found, life.appended);
  for (const std::string& dir : kDirs) {
    const absl::StatusOr<Strings> records = ReadAll(env, {dir}, from);
    ASSERT_OK(records.status());
    ASSERT_EQ(*records, Records(from, *found));
  }
}

// Cuts the power after each change of a life, crashes in one of several ways, recovers, and lives
// on.
void CrashEverywhere(std::optional<uint32_t> seed) {
  constexpr uint64_t kBound = 2000;
  uint64_t cut = 0;
  for (bool whole = false; !whole; ++cut) {
    SCOPED_TRACE(fmt::format("cut after {} changes, seed {}", cut, seed.value_or(0)));
    ASSERT_LT(cut, kBound);
    const auto env = NewEnv();
    env->CutPowerAfter(cut);
    Life life = Live(env.get(), 1, /*drop=*/false);
    whole = life.why.ok();
    if (seed) *seed += 1;
    env->Crash(seed);
    ASSERT_NO_FATAL_FAILURE(ExpectNothingLost(env.get(), life));
    // Recovery's work is durable itself.
    env->Crash(seed);
    ASSERT_NO_FATAL_FAILURE(ExpectNothingLost(env.get(), life));
    ASSERT_NO_FATAL_FAILURE(GrowTo(env.get(), kDirs, life.appended + 3));
    env->Crash(seed);
    EXPECT_EQ(ReadAll(env.get(), kDirs).value(), Records(1, life.appended + 3));
  }
  EXPECT_GT(cut, 50u);
}

TEST(JournalCrashTest, EverythingDurableSurvivesTheLossOfAllUnsynced) {
  CrashEverywhere(std::nullopt);
}

TEST(JournalCrashTest, EverythingDurableSurvivesTornWrites) {
  for (const uint32_t seed : {1u, 1000u, 2000u}) CrashEverywhere(seed);
}

TEST(JournalCrashTest, RecoveryMayBeCutAnywhere) {
  // Directories that differ: one lacks a closed segment and has a shorter one in progress.
  for (uint64_t cut = 0, whole = 0; whole == 0; ++cut) {
    SCOPED_TRACE(cut);
    ASSERT_LT(cut, 200u);
    const auto env = NewEnv();
    ASSERT_NO_FATAL_FAILURE(GrowTo(env.get(), kDirs, 4));
    const auto segment = SegmentWriter::Create(env.get(), kDirs, 5, 1024);
    ASSERT_OK(segment.status());
    for (TxId txid = 5; txid <= 9; ++txid) {
      ASSERT_OK((*segment)->Append(txid, txid, Packed(txid, txid)));
    }
    ASSERT_OK(env->Remove(kDirs[1] + "/" + ClosedName(1, 4)));
    const auto file = env->Open(kDirs[1] + "/" + InProgressName(5), OpenMode::kReadWrite);
    ASSERT_OK((*file)->Truncate(150));
    ASSERT_OK((*file)->Sync());
    ASSERT_OK(env->SyncDir(kDirs[1]));

    env->CutPowerAfter(cut);
    whole = RecoverJournal(env.get(), kDirs, 1).ok() ? 1 : 0;
    env->Crash(cut % 2 == 0 ? std::nullopt : std::optional<uint32_t>(cut));
    ASSERT_NO_FATAL_FAILURE(ExpectNothingLost(env.get(), {.durable = 9, .appended = 9}));
  }
}

TEST(JournalCrashTest, DroppingSegmentsMayBeCutAnywhere) {
  for (uint64_t cut = 0, whole = 0; whole == 0; ++cut) {
    SCOPED_TRACE(cut);
    ASSERT_LT(cut, 2000u);
    const auto env = NewEnv();
    env->CutPowerAfter(cut);
    const Life life = Live(env.get(), 1, /*drop=*/true);
    whole = life.why.ok() ? 1 : 0;
    env->Crash();
    // An image covers the first two rounds, once they were rolled.
    const TxId image = life.durable < 52 ? 0 : 51;
    const absl::StatusOr<TxId> found = RecoverJournal(env.get(), kDirs, image + 1);
    ASSERT_OK(found.status());
    EXPECT_GE(*found, life.durable);
    EXPECT_EQ(ReadAll(env.get(), kDirs, image + 1).value(), Records(image + 1, *found));
  }
}

TEST(JournalCrashTest, AFailedSyncIsFatalOnceAndReleasesNothing) {
  constexpr int kBound = 200;
  bool whole = false;
  for (int at = 1; !whole; ++at) {
    SCOPED_TRACE(at);
    ASSERT_LT(at, kBound);
    const auto env = NewEnv();
    int syncs = 0;
    env->SetHook([&](FaultOp op, const std::string& path) {
      if (op == FaultOp::kSync && ++syncs == at) return ErrnoStatus(path, EIO);
      return absl::OkStatus();
    });
    const Life life = Live(env.get(), 1, false);
    whole = syncs < at;
    if (whole) break;
    EXPECT_FALSE(life.why.ok());
    // Nothing was called after a failed start; once, after that.
    EXPECT_LE(life.fatal, 1);
    if (life.appended > 0) EXPECT_EQ(life.fatal, 1);
    env->SetHook(nullptr);
    env->Crash();
    ASSERT_NO_FATAL_FAILURE(ExpectNothingLost(env.get(), life));
  }
}

TEST(JournalCrashTest, AFullDiskIsFatal) {
  for (const uint64_t capacity : {2'100u, 3'000u, 4'000u}) {
    const auto env = NewEnv();
    env->SetCapacity(capacity);
    const Life life = Live(env.get(), 1, false);
    EXPECT_EQ(KindOf(life.why), ErrorKind::kNoSpace);
    env->SetCapacity(uint64_t{1} << 40);
    env->Crash();
    ASSERT_NO_FATAL_FAILURE(ExpectNothingLost(env.get(), life));
  }
}

TEST(JournalCrashTest, AppendsAfterAFailureAreNeverDurable) {
  const auto env = NewEnv();
  DurableWatch durable;
  FileJournalOptions options{.dirs = kDirs};
  options.fatal = [&](const absl::Status&) { durable.End(); };
  FileJournal journal(env.get(), options);
  journal.OnDurable([&](TxId txid) { durable.Report(txid); });
  ASSERT_OK(journal.Start(1));
  ASSERT_TRUE(durable.WaitFor(AppendText(journal, RecordOf(1))));
  env->CutPowerAfter(0);
  EXPECT_FALSE(durable.WaitFor(AppendText(journal, RecordOf(2))));
  EXPECT_EQ(AppendText(journal, RecordOf(3)), 3u);
  EXPECT_FALSE(journal.Roll().ok());
  journal.Stop();
  EXPECT_EQ(journal.durable(), 1u);
  EXPECT_EQ(durable.last(), 1u);
  EXPECT_EQ(durable.ends(), 1);
}

TEST(ImageCrashTest, AnImageIsWholeOrNotThere) {
  const std::string content(5000, 'i');
  for (uint64_t cut = 0, whole = 0; whole == 0; ++cut) {
    SCOPED_TRACE(cut);
    ASSERT_LT(cut, 100u);
    const auto env = NewEnv();
    ImageStore store(env.get(), kDirs);
    env->CutPowerAfter(cut);
    absl::Status finished;
    {
      auto sink = store.Create(8);
      finished = sink.status();
      if (finished.ok()) finished = (*sink)->Append(content);
      if (finished.ok()) finished = (*sink)->Finish();
    }
    whole = finished.ok() ? 1 : 0;
    env->Crash(cut % 2 == 0 ? std::nullopt : std::optional<uint32_t>(cut));
    ASSERT_OK(store.Recover());
    const std::vector<TxId> images = store.List().value();
    if (finished.ok()) ASSERT_EQ(images.size(), 1u);
    if (images.empty()) continue;
    const auto source = store.Open(8);
    ASSERT_OK(source.status());
    std::string read(6000, '\0');
    EXPECT_EQ((*source)->Read({read.data(), read.size()}).value(), content.size());
    EXPECT_EQ(read.substr(0, content.size()), content);
    EXPECT_EQ(env->List(kDirs[0]).value(), env->List(kDirs[1]).value());
  }
}

}  // namespace
}  // namespace cairn::namenode
