#include "namenode/service/namenode_service.h"

#include "namenode/service/reactors.h"
#include "namenode/service/translate.h"

namespace cairn::namenode {

using Context = grpc::CallbackServerContext;
using Reactor = grpc::ServerUnaryReactor;

Reactor* NameNodeService::Mkdirs(Context* context, const v1::MkdirsRequest* request,
                                 v1::MkdirsReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->Mkdirs(call, {request->path(), request->mode(), request->create_parents()},
                        FinishWith(reactor));
  });
}

Reactor* NameNodeService::Create(Context* context, const v1::CreateRequest* request,
                                 v1::CreateReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->Create(call, FromProto(*request),
                        FinishWith<CreatedFile>(
                            reactor, [reply](const CreatedFile& file) { ToProto(file, reply); }));
  });
}

Reactor* NameNodeService::AddBlock(Context* context, const v1::AddBlockRequest* request,
                                   v1::AddBlockReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->AddBlock(call, {request->inode(), {}, FromProto(request->finished())},
                          {request->excluded().begin(), request->excluded().end()},
                          FinishWith<LocatedBlock>(reactor, [reply](const LocatedBlock& block) {
                            ToProto(block, reply->mutable_block());
                          }));
  });
}

Reactor* NameNodeService::AbandonBlock(Context* context, const v1::AbandonBlockRequest* request,
                                       v1::AbandonBlockReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->AbandonBlock(call, {request->inode(), {}, request->block().id()},
                              FinishWith(reactor));
  });
}

Reactor* NameNodeService::NewStamp(Context* context, const v1::NewStampRequest* request,
                                   v1::NewStampReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    const Replacements replacements{{request->survivors().begin(), request->survivors().end()},
                                    {request->excluded().begin(), request->excluded().end()},
                                    request->additional()};
    operations_->NewStamp(call, {request->inode(), {}, FromProto(request->block())}, replacements,
                          FinishWith<IssuedStamp>(reactor, [reply](const IssuedStamp& stamp) {
                            reply->set_generation(stamp.generation);
                            for (const NodeAddress& node : stamp.additional) {
                              ToProto(node, reply->add_additional());
                            }
                          }));
  });
}

Reactor* NameNodeService::UpdatePipeline(Context* context, const v1::UpdatePipelineRequest* request,
                                         v1::UpdatePipelineReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->UpdatePipeline(call,
                                {request->inode(),
                                 {},
                                 FromProto(request->block()),
                                 request->generation(),
                                 {request->nodes().begin(), request->nodes().end()}},
                                FinishWith(reactor));
  });
}

Reactor* NameNodeService::Complete(Context* context, const v1::CompleteRequest* request,
                                   v1::CompleteReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->Complete(call, FromProto(*request), FinishWith(reactor));
  });
}

Reactor* NameNodeService::AbandonFile(Context* context, const v1::AbandonFileRequest* request,
                                      v1::AbandonFileReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->AbandonFile(call, {request->inode(), {}}, FinishWith(reactor));
  });
}

Reactor* NameNodeService::RenewLease(Context* context, const v1::RenewLeaseRequest* request,
                                     v1::RenewLeaseReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->RenewLease(call);
    Finish(reactor, absl::OkStatus());
  });
}

Reactor* NameNodeService::Append(Context* context, const v1::AppendRequest* request,
                                 v1::AppendReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->Append(call, {request->path(), {}, FromProto(request->consistency())},
                        FinishWith<AppendedFile>(
                            reactor, [reply](const AppendedFile& file) { ToProto(file, reply); }));
  });
}

Reactor* NameNodeService::Truncate(Context* context, const v1::TruncateRequest* request,
                                   v1::TruncateReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->Truncate(call, {request->path(), request->length()},
                          FinishWith<bool>(reactor, [reply](bool done) { reply->set_done(done); }));
  });
}

Reactor* NameNodeService::RecoverLease(Context* context, const v1::RecoverLeaseRequest* request,
                                       v1::RecoverLeaseReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->RecoverLease(
        call, request->path(),
        FinishWith<bool>(reactor, [reply](bool closed) { reply->set_closed(closed); }));
  });
}

Reactor* NameNodeService::Rename(Context* context, const v1::RenameRequest* request,
                                 v1::RenameReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->Rename(call, {request->from(), request->to()}, FinishWith(reactor));
  });
}

Reactor* NameNodeService::Delete(Context* context, const v1::DeleteRequest* request,
                                 v1::DeleteReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->Delete(call, {request->path(), request->recursive()}, FinishWith(reactor));
  });
}

Reactor* NameNodeService::SetReplication(Context* context, const v1::SetReplicationRequest* request,
                                         v1::SetReplicationReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->SetReplication(call, request->path(), request->replication(), FinishWith(reactor));
  });
}

Reactor* NameNodeService::SetTimes(Context* context, const v1::SetTimesRequest* request,
                                   v1::SetTimesReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->SetTimes(call, request->path(), request->mtime_ms(), request->atime_ms(),
                          FinishWith(reactor));
  });
}

Reactor* NameNodeService::SetOwner(Context* context, const v1::SetOwnerRequest* request,
                                   v1::SetOwnerReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->SetOwner(call, request->path(), request->owner(), request->group(),
                          FinishWith(reactor));
  });
}

Reactor* NameNodeService::SetPermission(Context* context, const v1::SetPermissionRequest* request,
                                        v1::SetPermissionReply*) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->SetPermission(call, request->path(), request->mode(), FinishWith(reactor));
  });
}

Reactor* NameNodeService::GetFileInfo(Context* context, const v1::GetFileInfoRequest* request,
                                      v1::GetFileInfoReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->GetFileInfo(call, request->path(),
                             FinishWith<FileStatus>(reactor, [reply](const FileStatus& status) {
                               ToProto(status, reply->mutable_status());
                             }));
  });
}

Reactor* NameNodeService::List(Context* context, const v1::ListRequest* request,
                               v1::ListReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->List(call, request->path(), request->start_after(), request->limit(),
                      FinishWith<ListPage>(reactor, [reply](const ListPage& page) {
                        for (const FileStatus& entry : page.entries) {
                          ToProto(entry, reply->add_entries());
                        }
                        reply->set_has_more(page.has_more);
                      }));
  });
}

Reactor* NameNodeService::GetBlockLocations(Context* context,
                                            const v1::GetBlockLocationsRequest* request,
                                            v1::GetBlockLocationsReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->GetBlockLocations(
        call, request->path(), request->offset(), request->length(),
        FinishWith<LocatedFile>(reactor, [reply](const LocatedFile& file) {
          ToProto(file.status, reply->mutable_status());
          for (const LocatedBlock& block : file.blocks) ToProto(block, reply->add_blocks());
        }));
  });
}

Reactor* NameNodeService::GetContentSummary(Context* context,
                                            const v1::GetContentSummaryRequest* request,
                                            v1::GetContentSummaryReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext& call, Reactor* reactor) {
    operations_->GetContentSummary(
        call, request->path(),
        FinishWith<ContentSummary>(reactor, [reply](const ContentSummary& summary) {
          reply->set_files(summary.files);
          reply->set_directories(summary.directories);
          reply->set_length(summary.length);
          reply->set_space(summary.space);
        }));
  });
}

Reactor* NameNodeService::GetServerDefaults(Context* context,
                                            const v1::GetServerDefaultsRequest* request,
                                            v1::GetServerDefaultsReply* reply) {
  return Serve(context, *callers_, *request, [&](const CallContext&, Reactor* reactor) {
    const NamespaceConfig& config = operations_->config();
    reply->set_cluster(config.cluster);
    reply->set_cluster_id(cluster_id_);
    reply->set_replication(config.default_replication);
    reply->set_block_size(config.default_block_size);
    reply->set_min_replicas(config.min_replicas);
    reply->set_umask(config.umask);
    reply->set_version(CAIRN_VERSION);
    reply->set_lease_soft_limit_ms(config.lease_soft_limit_ms);
    Finish(reactor, absl::OkStatus());
  });
}

}  // namespace cairn::namenode
