// Packets of the data path as gRPC sends and receives them, without a copy of their payload.
//
// Why: gRPC's own way with a generated message copies a payload into the message's string when it
// comes, and out of it when it goes, at every hop of a pipeline. Here the payload is an absl::Cord:
// pieces of memory with a count of their users. Those that gRPC received become a Cord, a Cord's
// pieces are what gRPC sends, and whoever holds the Cord keeps the memory. On the wire it is the
// message of data_transfer.proto, byte for byte as protobuf would write it.
//
// Values; not thread-safe. Used by the data path's two ends, the client and datanode/service.
#pragma once

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/serialization_traits.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/status.h>

#include <memory>

#include "absl/strings/cord.h"
#include "proto/data_transfer.pb.h"

namespace cairn {

template <typename Message>
struct PacketMessage {
  Message fields;  // all but the payload, which stays empty here
  absl::Cord payload;

  void Clear() {
    fields.Clear();
    payload.Clear();
  }
};
// What the service's methods are called, for stubs over these types.
inline constexpr char kWriteBlockMethod[] = "/cairn.v1.DataTransfer/WriteBlock";
inline constexpr char kReadBlockMethod[] = "/cairn.v1.DataTransfer/ReadBlock";

using WritePacketMessage = PacketMessage<v1::WritePacket>;
using ReadPacketMessage = PacketMessage<v1::ReadPacket>;

// A packet to be sent whose payload is a string of its own: a writer keeps it until it is
// acknowledged. gRPC shares it for as long as it needs the bytes, in which they must not change.
struct SharedWritePacket {
  std::shared_ptr<const v1::WritePacket> packet;
};

// The pieces of `out` hold the payload's memory.
grpc::Status SerializePacket(const google::protobuf::MessageLite& fields, const absl::Cord& payload,
                             grpc::ByteBuffer* out);
grpc::Status SerializeShared(const std::shared_ptr<const v1::WritePacket>& packet,
                             grpc::ByteBuffer* out);
// The payload holds the memory of the pieces of `in`, which is cleared. INTERNAL for what is no
// such message.
grpc::Status ParsePacket(grpc::ByteBuffer* in, google::protobuf::MessageLite* fields,
                         absl::Cord* payload);

}  // namespace cairn

template <typename Message>
class grpc::SerializationTraits<cairn::PacketMessage<Message>> {
 public:
  static Status Serialize(const cairn::PacketMessage<Message>& message, ByteBuffer* buffer,
                          bool* own_buffer) {
    *own_buffer = true;
    return cairn::SerializePacket(message.fields, message.payload, buffer);
  }
  static Status Deserialize(ByteBuffer* buffer, cairn::PacketMessage<Message>* message) {
    return cairn::ParsePacket(buffer, &message->fields, &message->payload);
  }
};

template <>
class grpc::SerializationTraits<cairn::SharedWritePacket> {
 public:
  static Status Serialize(const cairn::SharedWritePacket& message, ByteBuffer* buffer,
                          bool* own_buffer) {
    *own_buffer = true;
    return cairn::SerializeShared(message.packet, buffer);
  }
};
