#include "datanode/store/checksum_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/crc32c.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string Example() { return EncodeChecksumFile(7, 5000, std::vector<uint32_t>{0x11, 0x22}); }

std::string ErrorOf(const std::string& bytes, BlockId id = 7) {
  return std::string(MessageOf(DecodeChecksumHeader(bytes, id).status()));
}

TEST(ChecksumFile, RoundTrip) {
  const std::string bytes = Example();
  EXPECT_EQ(bytes.size(), ChecksumFileBytes(5000));
  const auto header = DecodeChecksumHeader(bytes, 7);
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->newest.synced_length, 5000u);
  EXPECT_EQ(header->newest.tail_crc, 0x22u);
  std::vector<uint32_t> crcs;
  DecodeChecksums(bytes.substr(kChecksumHeaderBytes), &crcs);
  EXPECT_THAT(crcs, ElementsAre(0x11, 0x22));
}

TEST(ChecksumFile, EmptyReplicaHasNoChecksums) {
  const std::string bytes = EncodeChecksumFile(1, 0, {});
  EXPECT_EQ(bytes.size(), kChecksumHeaderBytes);
  ASSERT_TRUE(DecodeChecksumHeader(bytes, 1).ok());
}

// The bytes on disk never change their meaning: this is the format of docs/formats/replica.md.
TEST(ChecksumFile, BytesAreAsDocumented) {
  const std::string bytes = Example();
  EXPECT_EQ(bytes.substr(0, 8), "CAIRNSUM");
  EXPECT_EQ(bytes.substr(8, 8), std::string("\x01\0\0\0\0\x10\0\0", 8));
  EXPECT_EQ(bytes.substr(16, 12), std::string("\x07\0\0\0\0\0\0\0\0\0\0\0", 12));
  EXPECT_EQ(bytes.substr(32, 8), std::string("\x88\x13\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes.substr(40, 8), std::string("\x22\0\0\0\x01\0\0\0", 8));
  EXPECT_EQ(bytes.substr(128), std::string("\x11\0\0\0\x22\0\0\0", 8));
}

TEST(ChecksumFile, SaysWhatIsWrong) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("less than its header"));
  EXPECT_THAT(ErrorOf(std::string(200, 'x')), HasSubstr("magic"));
  EXPECT_THAT(ErrorOf(Example(), 8), HasSubstr("block 7, not of 8"));
  std::string no_slot = Example();
  no_slot[33] ^= 1;
  EXPECT_THAT(ErrorOf(no_slot), HasSubstr("no durable length"));
}

TEST(ChecksumFile, EveryFlippedHeaderByteIsNoticed) {
  for (size_t i = 0; i < 32 + 20; ++i) {
    std::string bytes = Example();
    bytes[i] ^= 0x40;
    EXPECT_FALSE(DecodeChecksumHeader(bytes, 7).ok()) << "byte " << i;
  }
}

TEST(ChecksumFile, TheNewerSlotCounts) {
  std::string bytes = Example();
  std::string slot = EncodeChecksumFile(7, 4096, std::vector<uint32_t>{0x11}).substr(32, 16);
  slot[12] = 2;  // its sequence
  const uint32_t crc = Crc32c(slot);
  for (int i = 0; i < 4; ++i) slot.push_back(static_cast<char>(crc >> (8 * i)));
  bytes.replace(64, slot.size(), slot);
  EXPECT_EQ(DecodeChecksumHeader(bytes, 7)->newest.synced_length, 4096u);
  bytes[64] ^= 1;  // torn: the older one counts again
  EXPECT_EQ(DecodeChecksumHeader(bytes, 7)->newest.synced_length, 5000u);
}

}  // namespace
}  // namespace cairn::datanode
