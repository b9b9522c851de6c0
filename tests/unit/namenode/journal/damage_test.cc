// Every cut and every flipped bit of a short journal: a prefix or an error, never wrong records.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "namenode/journal/segment_format.h"
#include "tests/unit/namenode/journal/journal_testing.h"

namespace cairn::namenode {
namespace {

using ::testing::HasSubstr;

// A segment in progress of five batches, the fourth a marker: txids 1 | 2 3 | 4 5 6 | - | 7.
struct ShortSegment {
  std::string bytes;
  std::vector<uint64_t> ends;  // of each batch
  std::vector<TxId> lasts;     // the last txid by then
};

ShortSegment MakeSegment(Env* env, const std::string& dir) {
  ShortSegment made;
  const auto segment = SegmentWriter::Create(env, {dir}, 1, 0);
  EXPECT_TRUE(segment.ok());
  for (const auto& [first, last] :
       std::vector<std::pair<TxId, TxId>>{{1, 1}, {2, 3}, {4, 6}, {7, 6}, {7, 7}}) {
    EXPECT_TRUE((*segment)->Append(first, last, Packed(first, last)).ok());
    made.ends.push_back((*segment)->bytes());
    made.lasts.push_back(last);
  }
  made.bytes = *env->ReadFile(dir + "/" + InProgressName(1));
  EXPECT_EQ(made.bytes.size(), made.ends.back());
  return made;
}

class DamageTest : public ::testing::Test {
 protected:
  DamageTest() : segment_(MakeSegment(env_.get(), temp_.Make("source"))) {}

  // The last txid of the batches that end within `bytes`.
  TxId LastWithin(uint64_t bytes) const {
    TxId last = 0;
    for (size_t i = 0; i < segment_.ends.size(); ++i) {
      if (segment_.ends[i] <= bytes) last = segment_.lasts[i];
    }
    return last;
  }

  // A directory whose only file is `name` with this content.
  std::string DirWith(const std::string& name, std::string_view content) {
    std::filesystem::remove_all(temp_.path() + "/d");
    const std::string dir = temp_.Make("d");
    WriteWhole(env_.get(), dir + "/" + name, content);
    return dir;
  }

  // Recovery gives RecordOf(1..last), and the journal lives on.
  void ExpectLivesOn(const std::string& dir, TxId last) {
    const absl::StatusOr<TxId> found = RecoverJournal(env_.get(), {dir}, 1);
    ASSERT_OK(found.status());
    ASSERT_EQ(*found, last);
    ASSERT_EQ(ReadAll(env_.get(), {dir}).value(), Records(1, last));
    ASSERT_NO_FATAL_FAILURE(GrowTo(env_.get(), {dir}, last + 2));
    ASSERT_NO_FATAL_FAILURE(GrowTo(env_.get(), {dir}, last + 3));
    ASSERT_EQ(ReadAll(env_.get(), {dir}).value(), Records(1, last + 3));
  }

  const std::unique_ptr<Env> env_ = NewPosixEnv();
  const TempDir temp_;
  const ShortSegment segment_;
};

TEST_F(DamageTest, CutAtEveryByteGivesThePrefixOfWholeBatches) {
  for (size_t cut = kSegmentHeaderBytes; cut <= segment_.bytes.size(); ++cut) {
    SCOPED_TRACE(cut);
    const std::string dir = DirWith(InProgressName(1), segment_.bytes.substr(0, cut));
    ASSERT_NO_FATAL_FAILURE(ExpectLivesOn(dir, LastWithin(cut)));
  }
}

TEST_F(DamageTest, ZerosFromEveryByteGiveThePrefixOfWholeBatches) {
  for (size_t cut = kSegmentHeaderBytes; cut <= segment_.bytes.size(); cut += 3) {
    SCOPED_TRACE(cut);
    std::string bytes = segment_.bytes.substr(0, cut);
    bytes.resize(segment_.bytes.size() + 10'000);  // as preallocated
    TxId last = 0;  // a batch that ends in zeros of its own stays whole
    for (size_t i = 0; i < segment_.ends.size(); ++i) {
      if (bytes.compare(0, segment_.ends[i], segment_.bytes, 0, segment_.ends[i]) != 0) break;
      last = segment_.lasts[i];
    }
    const std::string dir = DirWith(InProgressName(1), bytes);
    const absl::StatusOr<TxId> found = RecoverJournal(env_.get(), {dir}, 1);
    ASSERT_OK(found.status());
    EXPECT_EQ(*found, last);
    EXPECT_EQ(ReadAll(env_.get(), {dir}).value(), Records(1, *found));
  }
}

TEST_F(DamageTest, HeaderCutIsAnError) {
  for (size_t cut = 0; cut < kSegmentHeaderBytes; ++cut) {
    const std::string dir = DirWith(InProgressName(1), segment_.bytes.substr(0, cut));
    const absl::Status status = RecoverJournal(env_.get(), {dir}, 1).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << cut;
    EXPECT_THAT(Text(MessageOf(status)), HasSubstr(InProgressName(1) + ": damaged at byte 0"));
  }
}

TEST_F(DamageTest, AFlippedBitOfAClosedSegmentIsAnError) {
  for (size_t byte = 0; byte < segment_.bytes.size(); ++byte) {
    SCOPED_TRACE(byte);
    std::string bytes = segment_.bytes;
    bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << (byte % 8)));
    const std::string dir = DirWith(ClosedName(1, 7), bytes);
    for (const absl::Status& status :
         {RecoverJournal(env_.get(), {dir}, 1).status(), ReadAll(env_.get(), {dir}).status()}) {
      ASSERT_TRUE(absl::IsDataLoss(status));
      ASSERT_THAT(Text(MessageOf(status)), HasSubstr(ClosedName(1, 7) + ": damaged at byte "));
      ASSERT_THAT(Text(MessageOf(status)), HasSubstr("restore this file from another --data-dir"));
    }
    EXPECT_EQ(env_->ReadFile(dir + "/" + ClosedName(1, 7)).value(), bytes);  // untouched
  }
}

TEST_F(DamageTest, ACutOrLongerClosedSegmentIsAnError) {
  for (size_t cut = 0; cut < segment_.bytes.size(); ++cut) {
    const std::string dir = DirWith(ClosedName(1, 7), segment_.bytes.substr(0, cut));
    ASSERT_TRUE(absl::IsDataLoss(RecoverJournal(env_.get(), {dir}, 1).status())) << cut;
  }
  for (const char* tail : {"x", "\0", "CAIRN"}) {
    const std::string dir = DirWith(ClosedName(1, 7), segment_.bytes + std::string(tail, 1));
    EXPECT_TRUE(absl::IsDataLoss(RecoverJournal(env_.get(), {dir}, 1).status()));
  }
  for (const std::string& name : {ClosedName(1, 6), ClosedName(1, 8), ClosedName(2, 8)}) {
    const std::string dir = DirWith(name, segment_.bytes);
    EXPECT_TRUE(absl::IsDataLoss(RecoverJournal(env_.get(), {dir}, 1).status())) << name;
  }
}

TEST_F(DamageTest, AFlippedBitOfASegmentInProgressIsAnErrorUnlessInTheLastBatch) {
  const uint64_t last_batch = segment_.ends[segment_.ends.size() - 2];
  for (size_t byte = 0; byte < segment_.bytes.size(); ++byte) {
    SCOPED_TRACE(byte);
    std::string bytes = segment_.bytes;
    bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << (byte % 8)));
    const std::string dir = DirWith(InProgressName(1), bytes);
    if (byte >= last_batch) {
      ASSERT_NO_FATAL_FAILURE(ExpectLivesOn(dir, LastWithin(last_batch)));
      continue;
    }
    const absl::Status status = RecoverJournal(env_.get(), {dir}, 1).status();
    ASSERT_TRUE(absl::IsDataLoss(status));
    ASSERT_THAT(Text(MessageOf(status)), HasSubstr(InProgressName(1) + ": damaged at byte "));
    EXPECT_EQ(env_->ReadFile(dir + "/" + InProgressName(1)).value(), bytes);  // untouched
  }
}

TEST_F(DamageTest, AMarkerMakesDamageToTheBatchBeforeItAnError) {
  const uint64_t marker_end = segment_.ends[3];
  std::string bytes = segment_.bytes.substr(0, marker_end);
  bytes[segment_.ends[2] - 1] ^= 1;  // the last byte of txid 6
  bytes.resize(bytes.size() + 5000);
  const std::string dir = DirWith(InProgressName(1), bytes);
  const absl::Status status = RecoverJournal(env_.get(), {dir}, 1).status();
  ASSERT_TRUE(absl::IsDataLoss(status));
  EXPECT_THAT(Text(MessageOf(status)),
              HasSubstr(fmt::format("damaged at byte {}", segment_.ends[1])));
  EXPECT_THAT(Text(MessageOf(status)),
              HasSubstr(fmt::format("a batch follows at byte {}", segment_.ends[2])));
}

TEST_F(DamageTest, ABatchFarBehindTheDamageIsFound) {
  // The batch that follows lies across two of the pieces in which the search reads.
  for (const size_t distance : {1u << 20, (1u << 20) - 16, (2u << 20) - 40, (3u << 20) + 7}) {
    std::string bytes = segment_.bytes.substr(0, segment_.ends[0]) + std::string(distance, 'j') +
                        segment_.bytes.substr(segment_.ends[0]);
    const std::string dir = DirWith(InProgressName(1), bytes);
    EXPECT_TRUE(absl::IsDataLoss(RecoverJournal(env_.get(), {dir}, 1).status())) << distance;
  }
}

TEST_F(DamageTest, ABatchOfAnotherSegmentIsNoBatch) {
  const ShortSegment other = MakeSegment(env_.get(), temp_.Make("other"));
  // The same records, checksummed with another segment's id, where batch two would be.
  const std::string bytes =
      segment_.bytes.substr(0, segment_.ends[0]) + other.bytes.substr(other.ends[0]);
  ASSERT_NO_FATAL_FAILURE(ExpectLivesOn(DirWith(InProgressName(1), bytes), 1));
}

TEST_F(DamageTest, RepeatedOrMissingBatchesAreErrors) {
  const auto part = [this](size_t from, size_t to) {
    return segment_.bytes.substr(segment_.ends[from], segment_.ends[to] - segment_.ends[from]);
  };
  const std::string head = segment_.bytes.substr(0, segment_.ends[0]);
  for (const std::string& bytes : {head + part(1, 2), head + part(0, 1) + part(0, 1)}) {
    const std::string dir = DirWith(InProgressName(1), bytes);
    const absl::Status status = RecoverJournal(env_.get(), {dir}, 1).status();
    EXPECT_TRUE(absl::IsDataLoss(status));
    EXPECT_THAT(Text(MessageOf(status)), HasSubstr("is next"));
  }
}

}  // namespace
}  // namespace cairn::namenode
