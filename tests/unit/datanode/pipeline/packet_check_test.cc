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
          .payload = absl::Cord(payload)};
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

TEST(PacketCheck, WhatCameBeforeMayComeAgain) {
  PacketCheck check({.block = {1, 1, 20'000}});
  EXPECT_TRUE(check.Check(PacketOf(1, 0, BytesOf(1, 5'000))).ok());  // ends within a chunk
  EXPECT_FALSE(check.Check(PacketOf(2, 5'000, "x")).ok());           // begins within it
  EXPECT_FALSE(check.Check(PacketOf(2, 8'192, "x")).ok());           // leaves a gap
  EXPECT_TRUE(check.Check(PacketOf(2, 4'096, BytesOf(2, 8'192))).ok());
  EXPECT_TRUE(check.Check(PacketOf(3, 0, BytesOf(1, 4'096))).ok());  // wholly from before
  EXPECT_TRUE(check.Check(PacketOf(4, 8'192, BytesOf(3, 4'096))).ok());
  EXPECT_FALSE(check.Check(PacketOf(5, 16'384, "x")).ok());
}

TEST(PacketCheck, ARecoveryGoesOnFromWhatAllHave) {
  WriteHeader header{.block = {1, 3, 20'000}, .stage = WriteStage::kRecover};
  header.from_generation = 2;
  header.from_length = 5'000;
  EXPECT_TRUE(CheckHeader(header).ok());
  PacketCheck check(header);
  EXPECT_FALSE(check.Check(PacketOf(1, 8'192, "x")).ok());
  EXPECT_TRUE(check.Check(PacketOf(1, 4'096, BytesOf(1, 2'000))).ok());
  PacketCheck at_once(header);
  EXPECT_TRUE(at_once.Check(PacketOf(1, 0, "", true)).ok());
  header.from_generation = 3;
  EXPECT_FALSE(CheckHeader(header).ok());
  header.from_generation = 0;
  EXPECT_FALSE(CheckHeader(header).ok());
  header.from_generation = 2;
  header.from_length = 20'001;
  EXPECT_FALSE(CheckHeader(header).ok());
}

TEST(PacketCheck, AJoinHasItsExactLengthToo) {
  const WriteHeader header{.block = {1, 1, 5'000}, .stage = WriteStage::kJoin};
  PacketCheck short_one(header);
  EXPECT_FALSE(short_one.Check(PacketOf(1, 0, BytesOf(1, 4'999), true)).ok());
  EXPECT_TRUE(CheckHeader({.block = {1, 1, 0}, .stage = WriteStage::kJoin}).ok());
  EXPECT_FALSE(CheckHeader({.block = {1, 1, 0}}).ok());
}

TEST(PacketCheck, OffsetsNearTheEndOfNumbers) {
  PacketCheck check({.block = {1, 1, 10'000}});
  EXPECT_FALSE(check.Check(PacketOf(1, UINT64_MAX - 4095, "x")).ok());
  EXPECT_FALSE(check.Check(PacketOf(UINT64_MAX, 0, "x")).ok());
}

}  // namespace
}  // namespace cairn::datanode
