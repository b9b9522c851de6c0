#include "datanode/store/small_log_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "datanode/store/checksum_file.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr SmallSegmentHeader kHeader{.sequence = 7, .salt = 0x1234567890abcdef};

std::string RecordOf(const Block& block, uint64_t salt, uint64_t commit_offset) {
  SmallRecord record(block);
  const std::string data = BytesOf(block.id, block.length);
  const std::string checksums = EncodeChecksums(CrcsOf(data));
  std::copy(data.begin(), data.end(), record.data().begin());
  std::copy(checksums.begin(), checksums.end(), record.checksums().begin());
  record.Seal();
  record.Stamp(salt, commit_offset);
  return std::string(record.bytes());
}

// Commits of records of one block (4,096 bytes) each.
std::string SegmentOf(const std::vector<size_t>& commits) {
  std::string bytes = EncodeSmallSegmentHeader(kHeader);
  BlockId id = 1;
  for (const size_t count : commits) {
    const uint64_t commit = bytes.size();
    for (size_t i = 0; i < count; ++i) bytes += RecordOf({id++, 1, 100}, kHeader.salt, commit);
  }
  bytes.resize(bytes.size() + 2 * kSmallLogAlignment, '\0');
  return bytes;
}

std::vector<BlockId> IdsOf(const SmallSegment& segment) {
  std::vector<BlockId> ids;
  for (const SmallRecordView& record : segment.records) ids.push_back(record.block.id);
  return ids;
}

TEST(SmallLogFormatTest, TheHeaderOfASegment) {
  const std::string bytes = EncodeSmallSegmentHeader(kHeader);
  EXPECT_EQ(bytes.size(), kSmallLogAlignment);
  EXPECT_EQ(*DecodeSmallSegmentHeader(bytes), kHeader);
  EXPECT_TRUE(absl::IsDataLoss(DecodeSmallSegmentHeader(bytes.substr(0, 100)).status()));
  for (size_t at = 0; at < 36; ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 4);
    EXPECT_TRUE(absl::IsDataLoss(DecodeSmallSegmentHeader(damaged).status())) << at;
  }
}

TEST(SmallLogFormatTest, ARecordHoldsAReplica) {
  for (const uint64_t length :
       {uint64_t{0}, uint64_t{1}, uint64_t{4096}, uint64_t{100'000}, kMaxSmallReplicaBytes}) {
    const Block block{11, 22, length};
    const std::string bytes = RecordOf(block, 5, 4096);
    EXPECT_EQ(bytes.size(), SmallRecordBytes(length));
    EXPECT_EQ(bytes.size() % kSmallLogAlignment, 0u);
    const auto record = DecodeSmallRecord(bytes, 5);
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_EQ(record->block, block);
    EXPECT_EQ(record->commit_offset, 4096u);
    EXPECT_EQ(record->data, BytesOf(11, length));
    EXPECT_EQ(record->checksums, EncodeChecksums(CrcsOf(record->data)));
  }
}

TEST(SmallLogFormatTest, NoChangedByteIsTakenForARecord) {
  const Block block{11, 22, 5'000};
  const std::string bytes = RecordOf(block, 5, 4096);
  const size_t used = kSmallRecordHeaderBytes + 4 * 2 + 5'000;
  for (size_t at = 0; at < used; at += at < 100 ? 1 : 97) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(DecodeSmallRecord(damaged, 5).ok()) << at;
  }
  EXPECT_TRUE(absl::IsNotFound(DecodeSmallRecord(bytes, 6).status()));  // of another use
  EXPECT_TRUE(absl::IsDataLoss(DecodeSmallRecord(bytes.substr(0, 5'000), 5).status()));
}

TEST(SmallLogFormatTest, ASegmentIsItsRecords) {
  const std::string bytes = SegmentOf({1, 3, 2});
  const auto segment = ParseSmallSegment(bytes);
  ASSERT_TRUE(segment.ok());
  EXPECT_EQ(segment->header, kHeader);
  EXPECT_THAT(IdsOf(*segment), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(segment->damaged, IsEmpty());
}

TEST(SmallLogFormatTest, WhatIsTornInTheLastCommitIsTheEnd) {
  std::string bytes = SegmentOf({1, 3});
  bytes[3 * kSmallLogAlignment + 80] ^= 1;  // the second of the last three
  auto segment = ParseSmallSegment(bytes);
  ASSERT_TRUE(segment.ok());
  EXPECT_THAT(IdsOf(*segment), ElementsAre(1, 2, 4));
  EXPECT_THAT(segment->damaged, IsEmpty());
  bytes[4 * kSmallLogAlignment + 80] ^= 1;
  segment = ParseSmallSegment(bytes);
  EXPECT_THAT(IdsOf(*segment), ElementsAre(1, 2));
  EXPECT_THAT(segment->damaged, IsEmpty());
}

TEST(SmallLogFormatTest, WhatIsBadInAnEarlierCommitIsDamage) {
  std::string bytes = SegmentOf({1, 3, 1});
  bytes[2 * kSmallLogAlignment + 80] ^= 1;
  const auto segment = ParseSmallSegment(bytes);
  ASSERT_TRUE(segment.ok());
  EXPECT_THAT(IdsOf(*segment), ElementsAre(1, 3, 4, 5));
  // The record behind it is of the same commit, and the one after that is not.
  std::string another = SegmentOf({1, 1, 1});
  another[2 * kSmallLogAlignment + 5] ^= 1;
  const auto damaged = ParseSmallSegment(another);
  EXPECT_THAT(IdsOf(*damaged), ElementsAre(1, 3));
  EXPECT_THAT(damaged->damaged, ElementsAre(2 * kSmallLogAlignment));
}

TEST(SmallLogFormatTest, WhatAnEarlierUseLeftIsNothing) {
  std::string bytes = SegmentOf({2, 2});
  bytes.replace(0, kSmallLogAlignment, EncodeSmallSegmentHeader({.sequence = 8, .salt = 1}));
  EXPECT_THAT(ParseSmallSegment(bytes)->records, IsEmpty());
  const std::string record = RecordOf({9, 9, 9}, 1, kSmallLogAlignment);
  bytes.replace(kSmallLogAlignment, record.size(), record);
  EXPECT_THAT(ParseSmallSegment(bytes)->records, SizeIs(1));
}

}  // namespace
}  // namespace cairn::datanode
