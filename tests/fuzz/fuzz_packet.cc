// Any bytes, cut into slices anywhere, as a packet of the data path: an error, or what protobuf's
// own class reads from them, whose encoding gives the same again. The first byte says how the rest
// is cut.
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/net/packet_message.h"

namespace {

using Bytes = std::string;

grpc::ByteBuffer Cut(const Bytes& bytes, size_t step) {
  std::vector<grpc::Slice> slices;
  for (size_t at = 0; at < bytes.size();) {
    const size_t size = std::min(step == 0 ? bytes.size() : 1 + at * 7 % step, bytes.size() - at);
    slices.emplace_back(bytes.data() + at, size);
    at += size;
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

Bytes Join(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  if (!buffer.Dump(&slices).ok()) std::abort();
  Bytes bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  google::protobuf::SetLogHandler(nullptr);  // it tells of every string that is no UTF-8
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  grpc::ByteBuffer in = Cut(bytes, data[0]);
  cairn::WritePacketMessage message;
  const bool read = cairn::ParsePacket(&in, &message.fields, &message.payload).ok();
  if (in.Valid()) std::abort();  // gRPC forgets the buffer without freeing it
  if (!read) return 0;
  cairn::v1::WritePacket plain;
  if (!plain.ParseFromString(bytes)) std::abort();
  if (plain.payload() != std::string(message.payload)) std::abort();
  grpc::ByteBuffer out;
  if (!cairn::SerializePacket(message.fields, message.payload, &out).ok()) std::abort();
  message.Clear();
  cairn::v1::WritePacket again;
  if (!again.ParseFromString(Join(out))) std::abort();
  if (again.payload() != plain.payload()) std::abort();
  again.clear_payload();
  plain.clear_payload();
  if (again.SerializeAsString() != plain.SerializeAsString()) std::abort();
  return 0;
}
