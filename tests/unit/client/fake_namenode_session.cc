// The fake NameNode's Sessions: each call through its unary handler.
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "tests/unit/client/fake_namenode.h"

namespace cairn::testing {

void FakeNameNode::HaveNoSessions() {
  MutexLock lock(mu_);
  sessions_ = false;
}

int FakeNameNode::session_messages() const {
  MutexLock lock(mu_);
  return session_messages_;
}

int FakeNameNode::sessions_opened() const {
  MutexLock lock(mu_);
  return sessions_opened_;
}

grpc::Status FakeNameNode::Session(
    grpc::ServerContext*, grpc::ServerReaderWriter<v1::SessionReply, v1::SessionRequest>* stream) {
  {
    MutexLock lock(mu_);
    if (!sessions_) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "");  // as gRPC itself
    ++sessions_opened_;
  }
  v1::Caller caller;
  v1::SessionRequest message;
  while (stream->Read(&message)) {
    {
      MutexLock lock(mu_);
      ++session_messages_;
    }
    if (message.has_caller()) caller = message.caller();
    v1::SessionReply answers;
    for (v1::SessionCall& call : *message.mutable_calls()) {
      v1::SessionAnswer* answer = answers.add_answers();
      answer->set_number(call.number());
      const grpc::Status status = RunSessionCall(caller, &call, answer);
      if (IsTransportFailure(status))
        return status;  // an answer that is lost takes the stream along
      if (status.ok()) continue;
      const absl::Status refusal = FromRpcStatus(status, "");
      answer->clear_reply();
      answer->set_code(status.error_code());
      answer->set_kind(static_cast<int>(KindOf(refusal)));
      answer->set_message(status.error_message());
    }
    if (!stream->Write(answers)) break;
  }
  return grpc::Status::OK;
}

grpc::Status FakeNameNode::RunSessionCall(const v1::Caller& caller, v1::SessionCall* call,
                                          v1::SessionAnswer* answer) {
  const auto run = [&](auto method, auto* request, auto* reply) {
    *request->mutable_caller() = caller;
    request->mutable_caller()->set_call_id(call->call_id());
    request->mutable_caller()->set_done_below(call->done_below());
    return (this->*method)(nullptr, request, reply);
  };
  using Fake = FakeNameNode;
  switch (call->request_case()) {
    case v1::SessionCall::kMkdirs:
      return run(&Fake::Mkdirs, call->mutable_mkdirs(), answer->mutable_mkdirs());
    case v1::SessionCall::kCreate:
      return run(&Fake::Create, call->mutable_create(), answer->mutable_create());
    case v1::SessionCall::kAddBlock:
      return run(&Fake::AddBlock, call->mutable_add_block(), answer->mutable_add_block());
    case v1::SessionCall::kAbandonBlock:
      return run(&Fake::AbandonBlock, call->mutable_abandon_block(),
                 answer->mutable_abandon_block());
    case v1::SessionCall::kNewStamp:
      return run(&Fake::NewStamp, call->mutable_new_stamp(), answer->mutable_new_stamp());
    case v1::SessionCall::kUpdatePipeline:
      return run(&Fake::UpdatePipeline, call->mutable_update_pipeline(),
                 answer->mutable_update_pipeline());
    case v1::SessionCall::kComplete:
      return run(&Fake::Complete, call->mutable_complete(), answer->mutable_complete());
    case v1::SessionCall::kAbandonFile:
      return run(&Fake::AbandonFile, call->mutable_abandon_file(), answer->mutable_abandon_file());
    case v1::SessionCall::kRenewLease:
      return run(&Fake::RenewLease, call->mutable_renew_lease(), answer->mutable_renew_lease());
    case v1::SessionCall::kAppend:
      return run(&Fake::Append, call->mutable_append(), answer->mutable_append());
    case v1::SessionCall::kTruncate:
      return run(&Fake::Truncate, call->mutable_truncate(), answer->mutable_truncate());
    case v1::SessionCall::kRecoverLease:
      return run(&Fake::RecoverLease, call->mutable_recover_lease(),
                 answer->mutable_recover_lease());
    case v1::SessionCall::kGetFileInfo:
      return run(&Fake::GetFileInfo, call->mutable_get_file_info(),
                 answer->mutable_get_file_info());
    case v1::SessionCall::kGetBlockLocations:
      return run(&Fake::GetBlockLocations, call->mutable_get_block_locations(),
                 answer->mutable_get_block_locations());
    case v1::SessionCall::kSetQuota:
      return run(&Fake::SetQuota, call->mutable_set_quota(), answer->mutable_set_quota());
    case v1::SessionCall::kConcat:
      return run(&Fake::Concat, call->mutable_concat(), answer->mutable_concat());
    case v1::SessionCall::kGetContentSummary:
      return run(&Fake::GetContentSummary, call->mutable_get_content_summary(),
                 answer->mutable_get_content_summary());
    case v1::SessionCall::kGetServerDefaults:
      return run(&Fake::GetServerDefaults, call->mutable_get_server_defaults(),
                 answer->mutable_get_server_defaults());
    default:
      return ToRpcStatus(absl::UnimplementedError("the fake has no such call"));
  }
}

}  // namespace cairn::testing
