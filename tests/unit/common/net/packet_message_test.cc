// The packets of the data path against protobuf's own encoding, both ways, however the bytes are
// cut into slices.
#include "common/net/packet_message.h"

#include <google/protobuf/unknown_field_set.h>
#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace cairn {
namespace {

using Random = std::mt19937;

std::string Bytes(Random& random, size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

v1::WritePacket AnyPacket(Random& random) {
  v1::WritePacket packet;
  if (random() % 4 == 0) {
    v1::WriteHeader& header = *packet.mutable_header();
    header.mutable_block()->set_id(random());
    header.set_client(Bytes(random, 0) + "client");
    for (uint32_t i = random() % 3; i > 0; --i) header.add_targets()->add_addresses("h:1");
  }
  if (random() % 4 != 0) packet.set_seq(uint64_t{random()} << (random() % 32));
  packet.set_offset(random() % 5 * 4096);
  packet.set_last(random() % 2 == 0);
  packet.set_sync(random() % 2 == 0);
  for (uint32_t i = random() % 9; i > 0; --i) packet.add_crcs(random());
  constexpr size_t kSizes[] = {0, 1, 100, 129, 4096, 70'000};
  packet.set_payload(Bytes(random, kSizes[random() % std::size(kSizes)]));
  if (random() % 4 == 0) {
    auto* unknown = packet.GetReflection()->MutableUnknownFields(&packet);
    unknown->AddVarint(100, random());
    unknown->AddFixed32(101, random());
    unknown->AddFixed64(102, random());
    unknown->AddLengthDelimited(103, Bytes(random, random() % 300));
  }
  return packet;
}

// `bytes` in slices of random sizes, empty ones among them.
grpc::ByteBuffer Cut(Random& random, const std::string& bytes) {
  const size_t longest = std::vector<size_t>{3, 500, 100'000}[random() % 3];
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min<size_t>(random() % (longest + 1), bytes.size() - at);
    slices.emplace_back(bytes.data() + at, size);
    at += size;
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

std::string Joined(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

std::string AllBut(v1::WritePacket packet) {
  packet.clear_payload();
  return packet.SerializeAsString();
}

TEST(PacketMessageTest, ReadsWhatProtobufWritesAndPassesItOn) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const v1::WritePacket packet = AnyPacket(random);
    grpc::ByteBuffer in = Cut(random, packet.SerializeAsString());
    WritePacketMessage message;
    message.payload = absl::Cord("of the packet before");
    ASSERT_TRUE(ParsePacket(&in, &message.fields, &message.payload).ok());
    EXPECT_TRUE(std::string(message.payload) == packet.payload());
    EXPECT_EQ(message.fields.SerializeAsString(), AllBut(packet));

    grpc::ByteBuffer out;
    ASSERT_TRUE(SerializePacket(message.fields, message.payload, &out).ok());
    message.Clear();  // the buffer holds the bytes
    v1::WritePacket again;
    ASSERT_TRUE(again.ParseFromString(Joined(out)));
    EXPECT_TRUE(again.payload() == packet.payload());
    EXPECT_EQ(AllBut(again), AllBut(packet));
  }
}

TEST(PacketMessageTest, ASharedPacketIsProtobufsOwnEncoding) {
  Random random(2);
  for (int i = 0; i < 300; ++i) {
    auto packet = std::make_shared<v1::WritePacket>(AnyPacket(random));
    packet->GetReflection()->MutableUnknownFields(packet.get())->Clear();
    const std::string expected = packet->SerializeAsString();
    grpc::ByteBuffer out;
    ASSERT_TRUE(SerializeShared(packet, &out).ok());
    const std::weak_ptr<v1::WritePacket> watch = packet;
    const bool shares = packet->payload().size() > 128;
    packet.reset();
    EXPECT_EQ(watch.expired(), !shares);
    EXPECT_TRUE(Joined(out) == expected);
    out.Clear();
    EXPECT_TRUE(watch.expired());
  }
}

TEST(PacketMessageTest, PayloadsAreSharedNotCopied) {
  const std::string bytes(100'000, 'x');
  v1::ReadPacket packet;
  packet.set_payload(bytes);
  const std::string encoded = packet.SerializeAsString();
  const grpc::Slice slice(encoded);
  grpc::ByteBuffer in(&slice, 1);
  ReadPacketMessage message;
  ASSERT_TRUE(ParsePacket(&in, &message.fields, &message.payload).ok());
  const auto piece = *message.payload.chunk_begin();
  EXPECT_EQ(reinterpret_cast<const uint8_t*>(piece.data()),
            slice.begin() + (encoded.size() - bytes.size()));
  grpc::ByteBuffer out;
  ASSERT_TRUE(SerializePacket(message.fields, message.payload, &out).ok());
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(out.Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices[1].begin(), reinterpret_cast<const uint8_t*>(piece.data()));
}

TEST(PacketMessageTest, WhatIsCutOffIsAnErrorOrAShorterMessage) {
  Random random(3);
  for (int i = 0; i < 60; ++i) {
    v1::WritePacket packet = AnyPacket(random);
    packet.mutable_payload()->resize(std::min<size_t>(packet.payload().size(), 300));
    const std::string encoded = packet.SerializeAsString();
    for (size_t size = 0; size < encoded.size(); ++size) {
      const std::string cut = encoded.substr(0, size);
      grpc::ByteBuffer in = Cut(random, cut);
      WritePacketMessage message;
      const bool read = ParsePacket(&in, &message.fields, &message.payload).ok();
      v1::WritePacket plain;
      EXPECT_EQ(read, plain.ParseFromString(cut));
    }
  }
}

TEST(PacketMessageTest, AnyBytesAreReadAsProtobufReadsThem) {
  Random random(4);
  for (int i = 0; i < 5000; ++i) {
    std::string encoded = AnyPacket(random).SerializeAsString();
    encoded.resize(std::min<size_t>(encoded.size(), 400));
    for (uint32_t n = random() % 4; n > 0 && !encoded.empty(); --n) {
      encoded[random() % encoded.size()] = static_cast<char>(random());
    }
    grpc::ByteBuffer in = Cut(random, encoded);
    WritePacketMessage message;
    if (!ParsePacket(&in, &message.fields, &message.payload).ok()) continue;
    v1::WritePacket plain;
    ASSERT_TRUE(plain.ParseFromString(encoded));
    EXPECT_TRUE(plain.payload() == std::string(message.payload));
  }
}

}  // namespace
}  // namespace cairn
