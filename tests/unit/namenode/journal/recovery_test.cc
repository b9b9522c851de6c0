// Recovery over several directories: laggards, wiped ones, gaps, and histories that differ.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "namenode/journal/segment_format.h"
#include "tests/unit/namenode/journal/journal_testing.h"

namespace cairn::namenode {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

class RecoveryTest : public ::testing::Test {
 protected:
  Strings Names(const std::string& dir) { return env_->List(dir).value(); }
  absl::StatusOr<TxId> Recover(const Strings& dirs, TxId from = 1) {
    return RecoverJournal(env_.get(), dirs, from);
  }
  // A segment in progress in `dirs`, a batch a record, as a crash leaves it.
  void Leave(const Strings& dirs, TxId first, TxId last) {
    const auto segment = SegmentWriter::Create(env_.get(), dirs, first, 64 << 10);
    ASSERT_OK(segment.status());
    for (TxId txid = first; txid <= last; ++txid) {
      ASSERT_OK((*segment)->Append(txid, txid, Packed(txid, txid)));
    }
  }
  void Copy(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    fs::copy(from, to);
  }
  // Cuts a file back by what its last batch takes and more.
  void CutTail(const std::string& path, uint64_t keep) { fs::resize_file(path, keep); }

  const std::unique_ptr<Env> env_ = NewPosixEnv();
  const TempDir temp_;
  const std::string a_ = temp_.Make("a");
  const std::string b_ = temp_.Make("b");
};

TEST_F(RecoveryTest, NothingIsAnEmptyJournal) {
  EXPECT_EQ(Recover({a_, b_}).value(), 0u);
  EXPECT_EQ(ReadAll(env_.get(), {a_, b_}).value(), Strings());
}

TEST_F(RecoveryTest, AStoppedJournalIsClosedEverywhere) {
  GrowTo(env_.get(), {a_, b_}, 5);
  GrowTo(env_.get(), {a_, b_}, 8);
  EXPECT_THAT(Names(a_), ElementsAre(ClosedName(1, 5), ClosedName(6, 8)));
  EXPECT_EQ(Names(a_), Names(b_));
  GrowTo(env_.get(), {a_, b_}, 8);  // without a record there is no segment
  EXPECT_EQ(Names(a_).size(), 2u);
}

TEST_F(RecoveryTest, SegmentsInProgressAreClosed) {
  Leave({a_, b_}, 1, 4);
  EXPECT_EQ(Recover({a_, b_}).value(), 4u);
  EXPECT_THAT(Names(a_), ElementsAre(ClosedName(1, 4)));
  EXPECT_THAT(Names(b_), ElementsAre(ClosedName(1, 4)));
  EXPECT_EQ(ReadAll(env_.get(), {b_}).value(), Records(1, 4));
}

TEST_F(RecoveryTest, AWipedDirectoryIsFilledAgain) {
  GrowTo(env_.get(), {a_, b_}, 5);
  Leave({a_, b_}, 6, 9);
  for (const std::string& wiped : {a_, b_}) {
    fs::remove_all(wiped);
    fs::create_directories(wiped);
    EXPECT_EQ(Recover({a_, b_}).value(), 9u);
    EXPECT_EQ(ReadAll(env_.get(), {wiped}).value(), Records(1, 9));
  }
  GrowTo(env_.get(), {a_, b_}, 12);
  EXPECT_EQ(ReadAll(env_.get(), {a_}).value(), Records(1, 12));
  EXPECT_EQ(ReadAll(env_.get(), {b_}).value(), Records(1, 12));
}

TEST_F(RecoveryTest, ADirectoryThatLagsIsBroughtUpToDate) {
  GrowTo(env_.get(), {a_, b_}, 5);
  GrowTo(env_.get(), {a_}, 9);  // b was away
  Leave({a_}, 10, 12);
  EXPECT_EQ(Recover({b_, a_}).value(), 12u);
  EXPECT_EQ(Names(a_), Names(b_));
  EXPECT_EQ(ReadAll(env_.get(), {b_}).value(), Records(1, 12));
}

TEST_F(RecoveryTest, ASegmentMissingInTheMiddleIsCopied) {
  for (const TxId last : {3, 6, 9}) GrowTo(env_.get(), {a_, b_}, last);
  fs::remove(a_ + "/" + ClosedName(4, 6));
  fs::remove(b_ + "/" + ClosedName(7, 9));
  EXPECT_EQ(Recover({a_, b_}).value(), 9u);
  EXPECT_EQ(ReadAll(env_.get(), {a_}).value(), Records(1, 9));
  EXPECT_EQ(ReadAll(env_.get(), {b_}).value(), Records(1, 9));
}

TEST_F(RecoveryTest, TheLongerCopyOfASegmentInProgressWins) {
  Leave({a_, b_}, 1, 6);
  CutTail(a_ + "/" + InProgressName(1), 150);  // its last batches never reached that disk
  EXPECT_EQ(Recover({a_, b_}).value(), 6u);
  EXPECT_THAT(Names(a_), ElementsAre(ClosedName(1, 6)));
  EXPECT_EQ(ReadAll(env_.get(), {a_}).value(), Records(1, 6));
}

TEST_F(RecoveryTest, ACopyThatHoldsNothingYetGivesWay) {
  Leave({a_, b_}, 1, 3);
  CutTail(a_ + "/" + InProgressName(1), kSegmentHeaderBytes + 10);  // torn in the first batch
  EXPECT_EQ(Recover({a_, b_}).value(), 3u);
  EXPECT_THAT(Names(a_), ElementsAre(ClosedName(1, 3)));
}

TEST_F(RecoveryTest, ACrashDuringRecoveryOrRollIsFinished) {
  Leave({a_, b_}, 1, 6);
  const std::string saved = temp_.Make("saved");
  Copy(a_, saved);
  EXPECT_EQ(Recover({a_, b_}).value(), 6u);
  // One directory closed, the other not yet; leftovers of a copy; both names in one directory.
  fs::copy(saved + "/" + InProgressName(1), a_ + "/" + InProgressName(1));
  WriteWhole(env_.get(), b_ + "/" + ClosedName(1, 6) + ".tmp", "half");
  WriteWhole(env_.get(), b_ + "/" + InProgressName(7) + ".tmp", "");
  EXPECT_EQ(Recover({a_, b_}).value(), 6u);
  EXPECT_THAT(Names(a_), ElementsAre(ClosedName(1, 6)));
  EXPECT_THAT(Names(b_), ElementsAre(ClosedName(1, 6)));
  Copy(saved, b_);
  EXPECT_EQ(Recover({a_, b_}).value(), 6u);
  EXPECT_THAT(Names(b_), ElementsAre(ClosedName(1, 6)));
  // A new segment that only one directory has yet.
  Leave({b_}, 7, 6);
  EXPECT_EQ(Recover({a_, b_}).value(), 6u);
  EXPECT_EQ(Names(a_), Names(b_));
}

TEST_F(RecoveryTest, AGapIsAnError) {
  for (const TxId last : {3, 6, 9}) GrowTo(env_.get(), {a_}, last);
  const std::string middle = a_ + "/" + ClosedName(4, 6);
  fs::rename(middle, temp_.path() + "/away");
  for (const absl::Status& status : {Recover({a_}).status(), ReadAll(env_.get(), {a_}).status()}) {
    EXPECT_TRUE(absl::IsDataLoss(status));
    EXPECT_THAT(Text(MessageOf(status)),
                AllOf(HasSubstr(ClosedName(7, 9)), HasSubstr("txid 4 to 6 are missing")));
  }
  EXPECT_EQ(Recover({a_}, 7).value(), 9u);  // an image covers it
  EXPECT_EQ(ReadAll(env_.get(), {a_}, 7).value(), Records(7, 9));
  fs::rename(temp_.path() + "/away", middle);
  fs::remove(a_ + "/" + ClosedName(1, 3));
  EXPECT_TRUE(absl::IsDataLoss(Recover({a_}).status()));
  EXPECT_TRUE(absl::IsNotFound(ReadAll(env_.get(), {a_}).status()));
}

TEST_F(RecoveryTest, EditsThatEndBelowTheImageAreAnError) {
  GrowTo(env_.get(), {a_}, 5);
  EXPECT_EQ(Recover({a_}, 4).value(), 5u);
  EXPECT_EQ(Recover({a_}, 6).value(), 5u);
  const absl::Status status = Recover({a_}, 8).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(Text(MessageOf(status)),
              HasSubstr("the edits end at txid 5, below the image of txid 7"));
  EXPECT_EQ(Recover({b_}, 8).value(), 7u);  // an image alone, as after a restore
}

TEST_F(RecoveryTest, SegmentsBelowTheImageAreNotTouched) {
  GrowTo(env_.get(), {a_}, 3);
  GrowTo(env_.get(), {a_, b_}, 6);
  WriteWhole(env_.get(), a_ + "/" + ClosedName(1, 3), "damaged");
  fs::remove(b_ + "/" + ClosedName(1, 3));
  EXPECT_EQ(Recover({a_, b_}, 4).value(), 6u);
  EXPECT_THAT(Names(b_), ElementsAre(ClosedName(4, 6)));
  EXPECT_FALSE(Recover({a_, b_}, 1).ok());
}

TEST_F(RecoveryTest, DamageNamesTheIntactCopy) {
  GrowTo(env_.get(), {a_, b_}, 5);
  std::string bytes = env_->ReadFile(a_ + "/" + ClosedName(1, 5)).value();
  bytes[100] ^= 4;
  WriteWhole(env_.get(), a_ + "/" + ClosedName(1, 5), bytes);
  const absl::Status status = Recover({a_, b_}).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(Text(MessageOf(status)),
              AllOf(HasSubstr(a_ + "/" + ClosedName(1, 5) + ": damaged at byte"),
                    HasSubstr(b_ + "/" + ClosedName(1, 5) + " is intact: move the damaged file")));
  fs::remove(a_ + "/" + ClosedName(1, 5));  // the way out
  EXPECT_EQ(Recover({a_, b_}).value(), 5u);
  EXPECT_EQ(ReadAll(env_.get(), {a_}).value(), Records(1, 5));
}

TEST_F(RecoveryTest, DirectoriesThatWentDifferentWaysAreRefused) {
  GrowTo(env_.get(), {a_, b_}, 3);
  // The same txids, written apart.
  GrowTo(env_.get(), {a_}, 5);
  GrowTo(env_.get(), {b_}, 5);
  absl::Status status = Recover({a_, b_}).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(Text(MessageOf(status)), HasSubstr("went different ways"));
  // The way out: keep one, empty the other.
  for (const std::string& name : Names(b_)) fs::remove(b_ + "/" + name);
  EXPECT_EQ(Recover({a_, b_}).value(), 5u);
  // Overlapping txids under different names.
  GrowTo(env_.get(), {a_}, 6);
  GrowTo(env_.get(), {a_}, 9);
  GrowTo(env_.get(), {b_}, 8);
  status = Recover({a_, b_}).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(Text(MessageOf(status)), HasSubstr("different"));
}

TEST_F(RecoveryTest, ASegmentClosedShorterElsewhereIsRefused) {
  Leave({a_, b_}, 1, 6);
  CutTail(a_ + "/" + InProgressName(1), 150);
  ASSERT_LT(Recover({a_}).value(), 6u);  // a start without b; a went on from there
  const absl::Status status = Recover({a_, b_}).status();
  EXPECT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(Text(MessageOf(status)), HasSubstr("went different ways"));
}

TEST_F(RecoveryTest, RefusalsChangeNothing) {
  GrowTo(env_.get(), {a_}, 3);
  Leave({a_}, 6, 8);
  const Strings before = Names(a_);
  EXPECT_FALSE(Recover({a_, b_}).ok());
  EXPECT_EQ(Names(a_), before);
  EXPECT_THAT(Names(b_), IsEmpty());
}

TEST_F(RecoveryTest, AReaderStopsWhereItIsTold) {
  for (const TxId last : {3, 6, 9}) GrowTo(env_.get(), {a_}, last);
  Leave({a_}, 10, 12);
  EXPECT_EQ(ReadAll(env_.get(), {a_}, 2, 5).value(), Records(2, 5));
  EXPECT_EQ(ReadAll(env_.get(), {a_}, 7, 9).value(), Records(7, 9));
  EXPECT_EQ(ReadAll(env_.get(), {a_}, 4).value(), Records(4, 12));  // in progress too
  EXPECT_EQ(ReadAll(env_.get(), {a_}, 13).value(), Strings());
  EXPECT_TRUE(absl::IsDataLoss(ReadAll(env_.get(), {a_}, 4, 13).status()));
}

TEST_F(RecoveryTest, OnlyEditsFilesAreOpenedAsSuch) {
  WriteWhole(env_.get(), a_ + "/fsimage", "x");
  EXPECT_TRUE(absl::IsInvalidArgument(SegmentReader::Open(env_.get(), a_ + "/fsimage").status()));
  EXPECT_FALSE(ParseSegmentName("edits_1-2"));
  EXPECT_FALSE(ParseSegmentName(ClosedName(3, 2)));
  EXPECT_FALSE(ParseSegmentName(InProgressName(0)));
  EXPECT_EQ(ParseSegmentName(InProgressName(7))->first, 7u);
  EXPECT_EQ(ParseSegmentName(ClosedName(3, 9))->last, 9u);
}

}  // namespace
}  // namespace cairn::namenode
