#include "namenode/codec/edit_codec.h"

#include <fmt/format.h>
#include <google/protobuf/arena.h>
#include <google/protobuf/util/json_util.h>

#include <utility>

#include "common/status.h"
#include "namenode/codec/records.h"

namespace cairn::namenode {
namespace {

using FinishedProtos = google::protobuf::RepeatedPtrField<v1::FinishedBlockRecord>;

void ToProto(const std::vector<FinishedBlock>& finished, FinishedProtos* protos) {
  for (const FinishedBlock& done : finished) {
    v1::FinishedBlockRecord* proto = protos->Add();
    proto->set_id(done.block.id);
    proto->set_generation(done.block.generation);
    proto->set_length(done.block.length);
    proto->mutable_storages()->Add(done.storages.begin(), done.storages.end());
  }
}

std::vector<FinishedBlock> FromProto(const FinishedProtos& protos) {
  std::vector<FinishedBlock> finished;
  finished.reserve(protos.size());
  for (const v1::FinishedBlockRecord& proto : protos) {
    finished.push_back({{proto.id(), proto.generation(), proto.length()},
                        {proto.storages().begin(), proto.storages().end()}});
  }
  return finished;
}

// --- Encoding: one function per edit
// ----------------------------------------------------------------

struct EditEncoder {
  v1::EditRecord* record;

  void operator()(const MkdirsEdit& edit) {
    v1::MkdirsEdit* proto = record->mutable_mkdirs();
    proto->set_parent(edit.parent);
    for (const std::string& name : edit.names) proto->add_names(name);
    proto->set_first_inode(edit.first_inode);
    proto->set_owner(edit.owner);
    proto->set_group(edit.group);
    proto->set_mode(edit.mode);
  }
  void operator()(const CreateEdit& edit) {
    v1::CreateEdit* proto = record->mutable_create();
    proto->set_parent(edit.parent);
    proto->set_name(edit.name);
    proto->set_inode(edit.inode);
    proto->set_replaced(edit.replaced);
    proto->set_owner(edit.owner);
    proto->set_group(edit.group);
    proto->set_mode(edit.mode);
    proto->set_replication(edit.replication);
    proto->set_block_size(edit.block_size);
    SetClientId(edit.holder, proto->mutable_holder());
    proto->set_unpublished(edit.unpublished);
    if (edit.first_block) namenode::ToProto(*edit.first_block, proto->mutable_first_block());
    proto->set_min_replicas(edit.min_replicas);
  }
  void operator()(const AddBlockEdit& edit) {
    v1::AddBlockEdit* proto = record->mutable_add_block();
    proto->set_inode(edit.inode);
    ToProto(edit.finished, proto->mutable_finished());
    namenode::ToProto(edit.block, proto->mutable_block());
  }
  void operator()(const AbandonBlockEdit& edit) {
    record->mutable_abandon_block()->set_inode(edit.inode);
    record->mutable_abandon_block()->set_block(edit.block);
  }
  void operator()(const CompleteEdit& edit) {
    v1::CompleteEdit* proto = record->mutable_complete();
    proto->set_inode(edit.inode);
    ToProto(edit.finished, proto->mutable_finished());
    proto->set_new_parent(edit.new_parent);
    proto->set_new_name(edit.new_name);
    proto->set_replaced(edit.replaced);
    proto->set_mtime_ms(edit.mtime_ms);
    proto->set_atime_ms(edit.atime_ms);
    if (edit.mode) proto->set_mode(*edit.mode);
  }
  void operator()(const RenameEdit& edit) {
    record->mutable_rename()->set_inode(edit.inode);
    record->mutable_rename()->set_new_parent(edit.new_parent);
    record->mutable_rename()->set_new_name(edit.new_name);
  }
  void operator()(const DeleteEdit& edit) { record->mutable_delete_()->set_inode(edit.inode); }
  void operator()(const ReclaimEdit& edit) {
    record->mutable_reclaim()->set_max_inodes(edit.max_inodes);
  }
  void operator()(const SetReplicationEdit& edit) {
    record->mutable_set_replication()->set_inode(edit.inode);
    record->mutable_set_replication()->set_replication(edit.replication);
  }
  void operator()(const SetTimesEdit& edit) {
    record->mutable_set_times()->set_inode(edit.inode);
    record->mutable_set_times()->set_mtime_ms(edit.mtime_ms);
    record->mutable_set_times()->set_atime_ms(edit.atime_ms);
  }
  void operator()(const SetOwnerEdit& edit) {
    record->mutable_set_owner()->set_inode(edit.inode);
    record->mutable_set_owner()->set_owner(edit.owner);
    record->mutable_set_owner()->set_group(edit.group);
  }
  void operator()(const SetPermissionEdit& edit) {
    record->mutable_set_permission()->set_inode(edit.inode);
    record->mutable_set_permission()->set_mode(edit.mode);
  }
  void operator()(const RegisterNodeEdit& edit) {
    v1::RegisterNodeEdit* proto = record->mutable_register_node();
    proto->set_node(edit.node);
    proto->set_id(edit.id);
    proto->set_rack(edit.rack);
    for (const RegisteredStorage& storage : edit.new_storages) {
      v1::StorageRecord* added = proto->add_new_storages();
      added->set_number(storage.number);
      added->set_id(storage.id);
    }
  }
  void operator()(const SetAdminStateEdit& edit) {
    record->mutable_set_admin_state()->set_node(edit.node);
    record->mutable_set_admin_state()->set_state(static_cast<uint32_t>(edit.state));
  }
  void operator()(const StartEdit& edit) { record->mutable_start()->set_epoch(edit.epoch); }
  void operator()(const DigestEdit& edit) {
    record->mutable_digest()->set_high(edit.high);
    record->mutable_digest()->set_low(edit.low);
  }
  void operator()(const NewStampEdit& edit) {
    record->mutable_new_stamp_edit()->set_inode(edit.inode);
    record->mutable_new_stamp_edit()->set_block(edit.block);
    record->mutable_new_stamp_edit()->set_generation(edit.generation);
  }
  void operator()(const UpdatePipelineEdit& edit) {
    v1::UpdatePipelineEdit* proto = record->mutable_update_pipeline();
    proto->set_inode(edit.inode);
    proto->set_block(edit.block);
    proto->set_generation(edit.generation);
    proto->mutable_pipeline()->Add(edit.pipeline.begin(), edit.pipeline.end());
  }
  void operator()(const AppendEdit& edit) {
    v1::AppendEdit* proto = record->mutable_append();
    proto->set_inode(edit.inode);
    SetClientId(edit.holder, proto->mutable_holder());
    proto->set_min_replicas(edit.min_replicas);
    proto->set_reopened(edit.reopened);
    proto->mutable_pipeline()->Add(edit.pipeline.begin(), edit.pipeline.end());
  }
  void operator()(const TruncateEdit& edit) {
    v1::TruncateEdit* proto = record->mutable_truncate();
    proto->set_inode(edit.inode);
    proto->set_length(edit.length);
    proto->set_cut(edit.cut);
    proto->set_recovery(edit.recovery);
    proto->mutable_pipeline()->Add(edit.pipeline.begin(), edit.pipeline.end());
  }
  void operator()(const TakeOverEdit& edit) { record->mutable_take_over()->set_inode(edit.inode); }
  void operator()(const BeginRecoveryEdit& edit) {
    record->mutable_begin_recovery()->set_inode(edit.inode);
    record->mutable_begin_recovery()->set_block(edit.block);
    record->mutable_begin_recovery()->set_generation(edit.generation);
  }
  void operator()(const CommitRecoveryEdit& edit) {
    v1::CommitRecoveryEdit* proto = record->mutable_commit_recovery();
    proto->set_inode(edit.inode);
    proto->set_block(edit.block);
    proto->set_generation(edit.generation);
    proto->set_length(edit.length);
    proto->mutable_storages()->Add(edit.storages.begin(), edit.storages.end());
  }
  void operator()(const RaiseCountersEdit& edit) {
    record->mutable_raise_counters()->set_next_block(edit.next_block);
    record->mutable_raise_counters()->set_next_generation(edit.next_generation);
    record->mutable_raise_counters()->set_epoch(edit.epoch);
  }
  void operator()(const SetQuotaEdit& edit) {
    v1::SetQuotaEdit* proto = record->mutable_set_quota();
    proto->set_inode(edit.inode);
    if (edit.quota.names) proto->set_names(*edit.quota.names);
    if (edit.quota.space) proto->set_space(*edit.quota.space);
  }
  void operator()(const ConcatEdit& edit) {
    record->mutable_concat()->set_target(edit.target);
    record->mutable_concat()->mutable_sources()->Add(edit.sources.begin(), edit.sources.end());
  }
};

void ToProto(const EditRecord& record, v1::EditRecord* proto) {
  proto->set_time_ms(record.time_ms);
  if (record.retry) {
    SetClientId(record.retry->client, proto->mutable_retry()->mutable_client());
    proto->mutable_retry()->set_call_id(record.retry->call_id);
    proto->mutable_retry()->set_done_below(record.retry->done_below);
  }
  std::visit(EditEncoder{proto}, record.edit);
  SetAnswer(record.answer, proto);
}

// A message of one edit, in memory of the stack where it fits: nothing of it is allocated singly.
class EditMessage {
 public:
  EditMessage() : arena_(buffer_, sizeof(buffer_)) {}
  v1::EditRecord& operator*() { return *message_; }
  v1::EditRecord* get() { return message_; }

 private:
  alignas(8) char buffer_[4096];
  google::protobuf::Arena arena_;
  v1::EditRecord* const message_ = google::protobuf::Arena::CreateMessage<v1::EditRecord>(&arena_);
};

// --- Decoding
// ---------------------------------------------------------------------------------------

absl::StatusOr<Edit> FromProto(const v1::CreateEdit& proto) {
  CreateEdit edit;
  edit.parent = proto.parent();
  edit.name = proto.name();
  edit.inode = proto.inode();
  edit.replaced = proto.replaced();
  edit.owner = proto.owner();
  edit.group = proto.group();
  edit.mode = proto.mode();
  edit.replication = proto.replication();
  edit.block_size = proto.block_size();
  ASSIGN_OR_RETURN(edit.holder, ToClientId(proto.holder()));
  edit.unpublished = proto.unpublished();
  if (proto.has_first_block()) edit.first_block = namenode::FromProto(proto.first_block());
  edit.min_replicas = proto.min_replicas();
  return edit;
}

CompleteEdit FromProto(const v1::CompleteEdit& proto) {
  CompleteEdit edit;
  edit.inode = proto.inode();
  edit.finished = FromProto(proto.finished());
  edit.new_parent = proto.new_parent();
  edit.new_name = proto.new_name();
  edit.replaced = proto.replaced();
  edit.mtime_ms = proto.mtime_ms();
  edit.atime_ms = proto.atime_ms();
  if (proto.has_mode()) edit.mode = proto.mode();
  return edit;
}

RegisterNodeEdit FromProto(const v1::RegisterNodeEdit& proto) {
  RegisterNodeEdit edit{proto.node(), proto.id(), proto.rack(), {}};
  for (const v1::StorageRecord& storage : proto.new_storages()) {
    edit.new_storages.push_back({storage.number(), storage.id()});
  }
  return edit;
}

UpdatePipelineEdit FromProto(const v1::UpdatePipelineEdit& proto) {
  return {proto.inode(),
          proto.block(),
          proto.generation(),
          {proto.pipeline().begin(), proto.pipeline().end()}};
}

absl::StatusOr<Edit> FromProto(const v1::AppendEdit& proto) {
  AppendEdit edit;
  edit.inode = proto.inode();
  ASSIGN_OR_RETURN(edit.holder, ToClientId(proto.holder()));
  edit.min_replicas = proto.min_replicas();
  edit.reopened = proto.reopened();
  edit.pipeline = {proto.pipeline().begin(), proto.pipeline().end()};
  return edit;
}

TruncateEdit FromProto(const v1::TruncateEdit& proto) {
  return {proto.inode(),
          proto.length(),
          proto.cut(),
          proto.recovery(),
          {proto.pipeline().begin(), proto.pipeline().end()}};
}

CommitRecoveryEdit FromProto(const v1::CommitRecoveryEdit& proto) {
  return {proto.inode(),
          proto.block(),
          proto.generation(),
          proto.length(),
          {proto.storages().begin(), proto.storages().end()}};
}

SetQuotaEdit FromProto(const v1::SetQuotaEdit& proto) {
  SetQuotaEdit edit{proto.inode(), {}};
  if (proto.has_names()) edit.quota.names = proto.names();
  if (proto.has_space()) edit.quota.space = proto.space();
  return edit;
}

MkdirsEdit FromProto(const v1::MkdirsEdit& proto) {
  return {proto.parent(),      {proto.names().begin(), proto.names().end()},
          proto.first_inode(), proto.owner(),
          proto.group(),       proto.mode()};
}

absl::StatusOr<Edit> EditFrom(const v1::EditRecord& record) {
  switch (record.edit_case()) {
    case v1::EditRecord::kMkdirs:
      return FromProto(record.mkdirs());
    case v1::EditRecord::kCreate:
      return FromProto(record.create());
    case v1::EditRecord::kAddBlock:
      return AddBlockEdit{record.add_block().inode(), FromProto(record.add_block().finished()),
                          namenode::FromProto(record.add_block().block())};
    case v1::EditRecord::kAbandonBlock:
      return AbandonBlockEdit{record.abandon_block().inode(), record.abandon_block().block()};
    case v1::EditRecord::kComplete:
      return FromProto(record.complete());
    case v1::EditRecord::kRename:
      return RenameEdit{record.rename().inode(), record.rename().new_parent(),
                        record.rename().new_name()};
    case v1::EditRecord::kDelete:
      return DeleteEdit{record.delete_().inode()};
    case v1::EditRecord::kReclaim:
      return ReclaimEdit{record.reclaim().max_inodes()};
    case v1::EditRecord::kSetReplication:
      return SetReplicationEdit{record.set_replication().inode(),
                                record.set_replication().replication()};
    case v1::EditRecord::kSetTimes:
      return SetTimesEdit{record.set_times().inode(), record.set_times().mtime_ms(),
                          record.set_times().atime_ms()};
    case v1::EditRecord::kSetOwner:
      return SetOwnerEdit{record.set_owner().inode(), record.set_owner().owner(),
                          record.set_owner().group()};
    case v1::EditRecord::kSetPermission:
      return SetPermissionEdit{record.set_permission().inode(), record.set_permission().mode()};
    case v1::EditRecord::kRegisterNode:
      return FromProto(record.register_node());
    case v1::EditRecord::kStart:
      return StartEdit{record.start().epoch()};
    case v1::EditRecord::kDigest:
      return DigestEdit{record.digest().high(), record.digest().low()};
    case v1::EditRecord::kNewStampEdit:
      return NewStampEdit{record.new_stamp_edit().inode(), record.new_stamp_edit().block(),
                          record.new_stamp_edit().generation()};
    case v1::EditRecord::kUpdatePipeline:
      return FromProto(record.update_pipeline());
    case v1::EditRecord::kAppend:
      return FromProto(record.append());
    case v1::EditRecord::kTruncate:
      return FromProto(record.truncate());
    case v1::EditRecord::kTakeOver:
      return TakeOverEdit{record.take_over().inode()};
    case v1::EditRecord::kBeginRecovery:
      return BeginRecoveryEdit{record.begin_recovery().inode(), record.begin_recovery().block(),
                               record.begin_recovery().generation()};
    case v1::EditRecord::kCommitRecovery:
      return FromProto(record.commit_recovery());
    case v1::EditRecord::kRaiseCounters:
      return RaiseCountersEdit{record.raise_counters().next_block(),
                               record.raise_counters().next_generation(),
                               record.raise_counters().epoch()};
    case v1::EditRecord::kSetQuota:
      return FromProto(record.set_quota());
    case v1::EditRecord::kConcat:
      return ConcatEdit{record.concat().target(),
                        {record.concat().sources().begin(), record.concat().sources().end()}};
    case v1::EditRecord::kSetAdminState:
      return SetAdminStateEdit{record.set_admin_state().node(),
                               static_cast<AdminState>(record.set_admin_state().state())};
    case v1::EditRecord::EDIT_NOT_SET:
      break;
  }
  return absl::DataLossError("the record holds no edit that this version knows");
}

}  // namespace

void EncodeEdit(const EditRecord& record, std::string* out) {
  EditMessage message;
  ToProto(record, message.get());
  (*message).AppendToString(out);
}

absl::StatusOr<EditRecord> DecodeEdit(std::string_view bytes) {
  EditMessage message;
  v1::EditRecord& proto = *message;
  if (!proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::DataLossError("the bytes are no edit record");
  }
  EditRecord record;
  record.time_ms = proto.time_ms();
  if (proto.has_retry()) {
    ASSIGN_OR_RETURN(const ClientId client, ToClientId(proto.retry().client()));
    record.retry = RetryKey{client, proto.retry().call_id(), proto.retry().done_below()};
  }
  ASSIGN_OR_RETURN(record.edit, EditFrom(proto));
  record.answer = AnswerFrom(proto);
  // What was understood must be all that is there: written again, it gives the same bytes.
  std::string again;
  EncodeEdit(record, &again);
  if (again != bytes) {
    return absl::DataLossError("the edit record holds more than this version knows");
  }
  return record;
}

std::string EditToJson(TxId txid, const EditRecord& record) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string json;
  EditMessage message;
  ToProto(record, message.get());
  const auto status = google::protobuf::util::MessageToJsonString(*message, &json, options);
  if (!status.ok()) json = "null";  // a name that is not UTF-8
  return fmt::format("{{\"txid\":{},\"record\":{}}}", txid, json);
}

}  // namespace cairn::namenode
