// Pieces of storage.proto that edits and images share, to domain types and back. Pure; this room
// only.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "namenode/namespace/edit.h"
#include "proto/storage.pb.h"

namespace cairn::namenode {

absl::StatusOr<ClientId> ToClientId(const std::string& bytes);
inline void SetClientId(const ClientId& id, std::string* bytes) {
  bytes->assign(reinterpret_cast<const char*>(id.data()), id.size());
}

NewBlock FromProto(const v1::NewBlockRecord& proto);
void ToProto(const NewBlock& block, v1::NewBlockRecord* proto);
AppendedAnswer FromProto(const v1::AppendedAnswer& proto);
void ToProto(const AppendedAnswer& answer, v1::AppendedAnswer* proto);

// EditRecord and ImageRetryWindow::Call hold an answer in the same oneof.
template <typename Message>
Answer AnswerFrom(const Message& message) {
  switch (message.answer_case()) {
    case Message::kCreated: {
      CreatedAnswer answer;
      answer.inode = message.created().inode();
      if (message.created().has_block()) answer.block = FromProto(message.created().block());
      answer.replication = message.created().replication();
      answer.block_size = message.created().block_size();
      answer.min_replicas = message.created().min_replicas();
      return answer;
    }
    case Message::kNewBlock:
      return NewBlockAnswer{FromProto(message.new_block().block()),
                            message.new_block().block_size()};
    case Message::kRegistered: {
      const auto& storages = message.registered().storages();
      return RegisteredAnswer{message.registered().node(), {storages.begin(), storages.end()}};
    }
    case Message::kNewStamp: {
      const auto& targets = message.new_stamp().targets();
      return NewStampAnswer{message.new_stamp().generation(), {targets.begin(), targets.end()}};
    }
    case Message::kAppended:
      return FromProto(message.appended());
    case Message::kTruncated:
      return TruncatedAnswer{message.truncated().done()};
    case Message::ANSWER_NOT_SET:
      break;
  }
  return NoAnswer{};
}

template <typename Message>
void SetAnswer(const Answer& answer, Message* message) {
  if (const auto* created = std::get_if<CreatedAnswer>(&answer)) {
    message->mutable_created()->set_inode(created->inode);
    if (created->block) ToProto(*created->block, message->mutable_created()->mutable_block());
    message->mutable_created()->set_replication(created->replication);
    message->mutable_created()->set_block_size(created->block_size);
    message->mutable_created()->set_min_replicas(created->min_replicas);
  } else if (const auto* added = std::get_if<NewBlockAnswer>(&answer)) {
    ToProto(added->block, message->mutable_new_block()->mutable_block());
    message->mutable_new_block()->set_block_size(added->block_size);
  } else if (const auto* registered = std::get_if<RegisteredAnswer>(&answer)) {
    message->mutable_registered()->set_node(registered->node);
    message->mutable_registered()->mutable_storages()->Add(registered->storages.begin(),
                                                           registered->storages.end());
  } else if (const auto* stamp = std::get_if<NewStampAnswer>(&answer)) {
    message->mutable_new_stamp()->set_generation(stamp->generation);
    message->mutable_new_stamp()->mutable_targets()->Add(stamp->targets.begin(),
                                                         stamp->targets.end());
  } else if (const auto* appended = std::get_if<AppendedAnswer>(&answer)) {
    ToProto(*appended, message->mutable_appended());
  } else if (const auto* truncated = std::get_if<TruncatedAnswer>(&answer)) {
    message->mutable_truncated()->set_done(truncated->done);
  }
}

}  // namespace cairn::namenode
