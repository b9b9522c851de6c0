// data_transfer.proto to the pipeline's own types and back. Pure functions, thread-safe; used by
// the two ends of a stream.
#pragma once

#include "common/ids.h"
#include "common/net/packet_message.h"
#include "common/status.h"
#include "datanode/pipeline/messages.h"
#include "datanode/store/replica.h"

namespace cairn::v1 {
class Block;
class NodeAddress;
class StartRecoveryReply;
class WriteAck;
class WriteHeader;
enum StartRecoveryReply_State : int;
}  // namespace cairn::v1

namespace cairn::datanode {

Block FromProto(const v1::Block& block);
Target FromProto(const v1::NodeAddress& address);
// INVALID_ARGUMENT for a stage or a consistency of a later version.
absl::StatusOr<WriteHeader> FromProto(const v1::WriteHeader& header);
// Moves the payload out of `message`.
void TakePacket(WritePacketMessage* message, Packet* packet);
Ack FromProto(const v1::WriteAck& ack);

void ToProto(const Block& block, v1::Block* out);
// The header for targets[0], with the targets behind it.
void ToProto(const WriteHeader& header, v1::WriteHeader* out);
void ToProto(const Packet& packet, WritePacketMessage* out);
void ToProto(const Ack& ack, v1::WriteAck* out);
v1::StartRecoveryReply_State ToProto(RecoveryAnswer::State state);
absl::StatusOr<RecoveryAnswer> FromProto(const v1::StartRecoveryReply& reply);

}  // namespace cairn::datanode
