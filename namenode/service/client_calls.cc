#include "namenode/service/client_calls.h"

#include "namenode/service/translate.h"

namespace cairn::namenode {
namespace {

constexpr uint32_t kLongListing = 128;    // entries, and 1 us for each
constexpr uint64_t kLongLocations = 128;  // blocks, each looked up under the blocks mutex

}  // namespace

void ClientCalls::Handle(const CallContext& call, const v1::MkdirsRequest& request,
                         v1::MkdirsReply*, CallEnd* end) const {
  operations_->Mkdirs(call, {request.path(), request.mode(), request.create_parents()},
                      FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::CreateRequest& request,
                         v1::CreateReply* reply, CallEnd* end) const {
  operations_->Create(
      call, FromProto(request),
      FinishWith<CreatedFile>(end, [reply](const CreatedFile& file) { ToProto(file, reply); }));
}

void ClientCalls::Handle(const CallContext& call, const v1::AddBlockRequest& request,
                         v1::AddBlockReply* reply, CallEnd* end) const {
  operations_->AddBlock(call, {request.inode(), {}, FromProto(request.finished())},
                        {request.excluded().begin(), request.excluded().end()},
                        FinishWith<LocatedBlock>(end, [reply](const LocatedBlock& block) {
                          ToProto(block, reply->mutable_block());
                        }));
}

void ClientCalls::Handle(const CallContext& call, const v1::AbandonBlockRequest& request,
                         v1::AbandonBlockReply*, CallEnd* end) const {
  operations_->AbandonBlock(call, {request.inode(), {}, request.block().id()}, FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::NewStampRequest& request,
                         v1::NewStampReply* reply, CallEnd* end) const {
  const Replacements replacements{{request.survivors().begin(), request.survivors().end()},
                                  {request.excluded().begin(), request.excluded().end()},
                                  request.additional()};
  operations_->NewStamp(call, {request.inode(), {}, FromProto(request.block())}, replacements,
                        FinishWith<IssuedStamp>(end, [reply](const IssuedStamp& stamp) {
                          reply->set_generation(stamp.generation);
                          for (const NodeAddress& node : stamp.additional) {
                            ToProto(node, reply->add_additional());
                          }
                        }));
}

void ClientCalls::Handle(const CallContext& call, const v1::UpdatePipelineRequest& request,
                         v1::UpdatePipelineReply*, CallEnd* end) const {
  operations_->UpdatePipeline(call,
                              {request.inode(),
                               {},
                               FromProto(request.block()),
                               request.generation(),
                               {request.nodes().begin(), request.nodes().end()}},
                              FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::CompleteRequest& request,
                         v1::CompleteReply*, CallEnd* end) const {
  operations_->Complete(call, FromProto(request), FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::AbandonFileRequest& request,
                         v1::AbandonFileReply*, CallEnd* end) const {
  operations_->AbandonFile(call, {request.inode(), {}}, FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::RenewLeaseRequest&,
                         v1::RenewLeaseReply*, CallEnd* end) const {
  operations_->RenewLease(call);
  end->End(absl::OkStatus());
}

void ClientCalls::Handle(const CallContext& call, const v1::AppendRequest& request,
                         v1::AppendReply* reply, CallEnd* end) const {
  operations_->Append(
      call, {request.path(), {}, FromProto(request.consistency())},
      FinishWith<AppendedFile>(end, [reply](const AppendedFile& file) { ToProto(file, reply); }));
}

void ClientCalls::Handle(const CallContext& call, const v1::TruncateRequest& request,
                         v1::TruncateReply* reply, CallEnd* end) const {
  operations_->Truncate(call, {request.path(), request.length()},
                        FinishWith<bool>(end, [reply](bool done) { reply->set_done(done); }));
}

void ClientCalls::Handle(const CallContext& call, const v1::RecoverLeaseRequest& request,
                         v1::RecoverLeaseReply* reply, CallEnd* end) const {
  operations_->RecoverLease(call, request.path(), FinishWith<bool>(end, [reply](bool closed) {
                              reply->set_closed(closed);
                            }));
}

void ClientCalls::Handle(const CallContext& call, const v1::RenameRequest& request,
                         v1::RenameReply*, CallEnd* end) const {
  operations_->Rename(call, {request.from(), request.to()}, FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::DeleteRequest& request,
                         v1::DeleteReply*, CallEnd* end) const {
  operations_->Delete(call, {request.path(), request.recursive()}, FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::SetReplicationRequest& request,
                         v1::SetReplicationReply*, CallEnd* end) const {
  operations_->SetReplication(call, request.path(), request.replication(), FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::SetTimesRequest& request,
                         v1::SetTimesReply*, CallEnd* end) const {
  operations_->SetTimes(call, request.path(), request.mtime_ms(), request.atime_ms(),
                        FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::SetOwnerRequest& request,
                         v1::SetOwnerReply*, CallEnd* end) const {
  operations_->SetOwner(call, request.path(), request.owner(), request.group(), FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::SetPermissionRequest& request,
                         v1::SetPermissionReply*, CallEnd* end) const {
  operations_->SetPermission(call, request.path(), request.mode(), FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::SetQuotaRequest& request,
                         v1::SetQuotaReply*, CallEnd* end) const {
  operations_->SetQuota(call, FromProto(request), FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::ConcatRequest& request,
                         v1::ConcatReply*, CallEnd* end) const {
  operations_->Concat(call,
                      {request.target(), {request.sources().begin(), request.sources().end()}},
                      FinishWith(end));
}

void ClientCalls::Handle(const CallContext& call, const v1::GetFileInfoRequest& request,
                         v1::GetFileInfoReply* reply, CallEnd* end) const {
  operations_->GetFileInfo(call, request.path(),
                           FinishWith<FileStatus>(end, [reply](const FileStatus& status) {
                             ToProto(status, reply->mutable_status());
                           }));
}

void ClientCalls::Handle(const CallContext& call, const v1::ListRequest& request,
                         v1::ListReply* reply, CallEnd* end) const {
  operations_->List(call, request.path(), request.start_after(), request.limit(),
                    FinishWith<ListPage>(end, [reply](const ListPage& page) {
                      for (const FileStatus& entry : page.entries) {
                        ToProto(entry, reply->add_entries());
                      }
                      reply->set_has_more(page.has_more);
                    }));
}

void ClientCalls::Handle(const CallContext& call, const v1::GetBlockLocationsRequest& request,
                         v1::GetBlockLocationsReply* reply, CallEnd* end) const {
  operations_->GetBlockLocations(call, request.path(), request.offset(), request.length(),
                                 FinishWith<LocatedFile>(end, [reply](const LocatedFile& file) {
                                   ToProto(file.status, reply->mutable_status());
                                   for (const LocatedBlock& block : file.blocks)
                                     ToProto(block, reply->add_blocks());
                                 }));
}

void ClientCalls::Handle(const CallContext& call, const v1::GetContentSummaryRequest& request,
                         v1::GetContentSummaryReply* reply, CallEnd* end) const {
  operations_->GetContentSummary(
      call, request.path(), FinishWith<ContentSummary>(end, [reply](const ContentSummary& summary) {
        ToProto(summary, reply);
      }));
}

void ClientCalls::Handle(const CallContext&, const v1::GetServerDefaultsRequest&,
                         v1::GetServerDefaultsReply* reply, CallEnd* end) const {
  const NamespaceConfig& config = operations_->config();
  reply->set_cluster(config.cluster);
  reply->set_cluster_id(cluster_id_);
  reply->set_replication(config.default_replication);
  reply->set_block_size(config.default_block_size);
  reply->set_min_replicas(config.min_replicas);
  reply->set_umask(config.umask);
  reply->set_version(CAIRN_VERSION);
  reply->set_lease_soft_limit_ms(config.lease_soft_limit_ms);
  reply->set_trash_interval_ms(config.trash_interval_ms);
  end->End(absl::OkStatus());
}

void ClientCalls::Serve(CallContext& call, const v1::SessionCall& request,
                        v1::SessionAnswer* answer, CallEnd* end) const {
  const auto run = [&](const auto& typed, auto* reply) {
    if (typed.has_caller()) {
      return end->End(absl::InvalidArgumentError(
          "a Session says who calls in SessionRequest.caller, not in each request"));
    }
    Serve(call, typed, reply, end);
  };
  switch (request.request_case()) {
    case v1::SessionCall::kMkdirs:
      return run(request.mkdirs(), answer->mutable_mkdirs());
    case v1::SessionCall::kCreate:
      return run(request.create(), answer->mutable_create());
    case v1::SessionCall::kAddBlock:
      return run(request.add_block(), answer->mutable_add_block());
    case v1::SessionCall::kAbandonBlock:
      return run(request.abandon_block(), answer->mutable_abandon_block());
    case v1::SessionCall::kNewStamp:
      return run(request.new_stamp(), answer->mutable_new_stamp());
    case v1::SessionCall::kUpdatePipeline:
      return run(request.update_pipeline(), answer->mutable_update_pipeline());
    case v1::SessionCall::kComplete:
      return run(request.complete(), answer->mutable_complete());
    case v1::SessionCall::kAbandonFile:
      return run(request.abandon_file(), answer->mutable_abandon_file());
    case v1::SessionCall::kRenewLease:
      return run(request.renew_lease(), answer->mutable_renew_lease());
    case v1::SessionCall::kAppend:
      return run(request.append(), answer->mutable_append());
    case v1::SessionCall::kTruncate:
      return run(request.truncate(), answer->mutable_truncate());
    case v1::SessionCall::kRecoverLease:
      return run(request.recover_lease(), answer->mutable_recover_lease());
    case v1::SessionCall::kRename:
      return run(request.rename(), answer->mutable_rename());
    case v1::SessionCall::kDelete:
      return run(request.delete_(), answer->mutable_delete_());
    case v1::SessionCall::kSetReplication:
      return run(request.set_replication(), answer->mutable_set_replication());
    case v1::SessionCall::kSetTimes:
      return run(request.set_times(), answer->mutable_set_times());
    case v1::SessionCall::kSetOwner:
      return run(request.set_owner(), answer->mutable_set_owner());
    case v1::SessionCall::kSetPermission:
      return run(request.set_permission(), answer->mutable_set_permission());
    case v1::SessionCall::kSetQuota:
      return run(request.set_quota(), answer->mutable_set_quota());
    case v1::SessionCall::kConcat:
      return run(request.concat(), answer->mutable_concat());
    case v1::SessionCall::kGetFileInfo:
      return run(request.get_file_info(), answer->mutable_get_file_info());
    case v1::SessionCall::kList:
      return run(request.list(), answer->mutable_list());
    case v1::SessionCall::kGetBlockLocations:
      return run(request.get_block_locations(), answer->mutable_get_block_locations());
    case v1::SessionCall::kGetContentSummary:
      return run(request.get_content_summary(), answer->mutable_get_content_summary());
    case v1::SessionCall::kGetServerDefaults:
      return run(request.get_server_defaults(), answer->mutable_get_server_defaults());
    case v1::SessionCall::REQUEST_NOT_SET:
      break;
  }
  end->End(absl::UnimplementedError("the call holds no request that this NameNode knows"));
}

ClientCalls::Pace ClientCalls::PaceOf(const v1::SessionCall& request) const {
  switch (request.request_case()) {
    case v1::SessionCall::kAppend:
    case v1::SessionCall::kTruncate:
    case v1::SessionCall::kRecoverLease:
      return Pace::kAlone;
    case v1::SessionCall::kList: {
      const uint32_t limit = request.list().limit();
      return limit == 0 || limit > kLongListing ? Pace::kLong : Pace::kBatch;
    }
    case v1::SessionCall::kGetBlockLocations: {
      const uint64_t length = request.get_block_locations().length();
      const uint64_t blocks = length / operations_->config().default_block_size;
      return length == 0 || blocks > kLongLocations ? Pace::kLong : Pace::kBatch;
    }
    default:
      return Pace::kBatch;
  }
}

}  // namespace cairn::namenode
