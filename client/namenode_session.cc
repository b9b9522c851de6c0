#include "client/namenode_session.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "client/session_caller.h"

namespace cairn {
namespace {

constexpr int kCallersPerStream = 64;  // threads

// gRPC's own status, for a method that the server does not have.
bool SaysUnimplemented(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_details().empty();
}

}  // namespace

NameNodeSessions::NameNodeSessions(const std::shared_ptr<grpc::Channel>& channel, v1::Caller caller)
    : stub_(v1::NameNode::NewStub(channel)), caller_(std::move(caller)) {}

NameNodeSessions::~NameNodeSessions() {
  std::vector<std::shared_ptr<SessionCaller>> streams;
  {
    MutexLock lock(mu_);
    streams.swap(ending_);
    for (const Slot& slot : slots_) streams.push_back(slot.stream);
    slots_.clear();
  }
  for (const auto& stream : streams) stream->Cancel();
  for (const auto& stream : streams) stream->AwaitEnd();
}

grpc::Status NameNodeSessions::Call(const std::shared_ptr<BlockingCall>& call, int64_t timeout_ms,
                                    absl::FunctionRef<bool()> connect, v1::SessionAnswer* answer) {
  std::shared_ptr<SessionCaller> stream = Enter(CallKind::kBlocking, /*may_open=*/false);
  if (stream == nullptr) {
    if (!connect()) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not connected");
    stream = Enter(CallKind::kBlocking, /*may_open=*/true);
  }
  const grpc::Status status = stream->Call(call, timeout_ms, answer);
  Leave(stream, status);
  return status;
}

std::shared_ptr<SessionCaller> NameNodeSessions::Enter(CallKind kind, bool may_open) {
  const int most = kind == CallKind::kBlocking ? kCallersPerStream : INT_MAX;
  MutexLock lock(mu_);
  for (Slot& slot : slots_) {
    if (slot.stream->kind() != kind || slot.calls >= most || slot.stream->spent()) continue;
    ++slot.calls;
    return slot.stream;
  }
  if (!may_open) return nullptr;
  Retire();
  auto opened = std::make_shared<SessionCaller>(kind);
  slots_.push_back({opened, 1});
  opened->Start(*stub_, caller_);  // before another caller finds it
  return opened;
}

void NameNodeSessions::Leave(const std::shared_ptr<SessionCaller>& stream,
                             const grpc::Status& status) {
  if (SaysUnimplemented(status)) unsupported_ = true;
  MutexLock lock(mu_);
  const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                 [&](const Slot& slot) { return slot.stream == stream; });
  --slot->calls;
  if (slot->calls == 0 && stream->spent()) Retire();
}

void NameNodeSessions::Retire() {
  std::erase_if(ending_, [](const auto& stream) { return stream->ended(); });
  std::vector<Slot> kept;
  for (Slot& slot : slots_) {
    // Asked once: a stream may break at any moment.
    if (slot.calls > 0 || !slot.stream->spent()) {
      kept.push_back(std::move(slot));
      continue;
    }
    slot.stream->Cancel();
    ending_.push_back(std::move(slot.stream));
  }
  slots_.swap(kept);
}

}  // namespace cairn
