#include "datanode/pipeline/packet_check.h"

#include <gtest/gtest.h>

#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

Packet PacketOf(uint64_t seq, uint64_t offset, const std::string& payload, bool last = false) {
  return {.seq = seq,
          .offset = offset,
          .last = last,
          .sync = false,
          .crcs = CrcsOf(payload),
          .payload = payload};
}

TEST(PacketCheck, TakesAStreamInOrder) {
  PacketCheck check({.block = {1, 1, 10'000}});
  EXPECT_TRUE(check.Check(PacketOf(1, 0, BytesOf(1, 4096))).ok());
  EXPECT_TRUE(check.Check(PacketOf(2, 4096, "")).ok());
  EXPECT_TRUE(check.Check(PacketOf(3, 4096, BytesOf(2, 5'904))).ok());
  EXPECT_TRUE(check.Check(PacketOf(4, 10'000, "", true)).ok());
}

TEST(PacketCheck, ARefusedPacketChangesNothing) {
  PacketCheck check({.block = {1, 1, 10'000}});
  EXPECT_FALSE(check.Check(PacketOf(2, 0, "x")).ok());
  Packet bad = PacketOf(1, 0, BytesOf(1, 4096));
  bad.crcs[0] ^= 1;
  EXPECT_EQ(KindOf(check.Check(bad)), ErrorKind::kChecksum);
  bad.crcs.push_back(0);
  EXPECT_TRUE(absl::IsInvalidArgument(check.Check(bad)));
  EXPECT_TRUE(check.Check(PacketOf(1, 0, BytesOf(1, 4096))).ok());
}

TEST(PacketCheck, ACopyHasItsExactLength) {
  const WriteHeader header{.block = {1, 1, 5'000}, .stage = WriteStage::kCopy};
  PacketCheck short_one(header);
  EXPECT_FALSE(short_one.Check(PacketOf(1, 0, BytesOf(1, 4'999), true)).ok());
  PacketCheck exact(header);
  EXPECT_TRUE(exact.Check(PacketOf(1, 0, BytesOf(1, 5'000), true)).ok());
  PacketCheck empty({.block = {1, 1, 0}, .stage = WriteStage::kCopy});
  EXPECT_TRUE(empty.Check(PacketOf(1, 0, "", true)).ok());
}

TEST(PacketCheck, OffsetsNearTheEndOfNumbers) {
  PacketCheck check({.block = {1, 1, 10'000}});
  EXPECT_FALSE(check.Check(PacketOf(1, UINT64_MAX - 4095, "x")).ok());
  EXPECT_FALSE(check.Check(PacketOf(UINT64_MAX, 0, "x")).ok());
}

}  // namespace
}  // namespace cairn::datanode
