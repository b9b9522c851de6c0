#include "client/namenode_session.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <utility>

#include "client/session_caller.h"

namespace cairn {
namespace {

constexpr int kCallersPerStream = 32;

// gRPC's own status, for a method that the server does not have.
bool SaysUnimplemented(const grpc::Status& status) {
  return status.error_code() == grpc::StatusCode::UNIMPLEMENTED && status.error_details().empty();
}

}  // namespace

NameNodeSessions::NameNodeSessions(const std::shared_ptr<grpc::Channel>& channel, v1::Caller caller)
    : stub_(v1::NameNode::NewStub(channel)), caller_(std::move(caller)) {}

NameNodeSessions::~NameNodeSessions() {
  std::vector<Slot> slots;
  {
    MutexLock lock(mu_);
    slots.swap(slots_);
  }
  for (const Slot& slot : slots) slot.stream->Cancel();
  for (const Slot& slot : slots) slot.stream->AwaitEnd();
}

grpc::Status NameNodeSessions::Call(std::unique_ptr<v1::SessionCall> call, int64_t timeout_ms,
                                    absl::FunctionRef<bool()> connect, v1::SessionAnswer* answer) {
  std::shared_ptr<SessionCaller> stream = Enter(/*may_open=*/false);
  if (stream == nullptr) {
    if (!connect()) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not connected");
    stream = Enter(/*may_open=*/true);
  }
  const grpc::Status status = stream->Call(std::move(call), timeout_ms, answer);
  if (SaysUnimplemented(status)) unsupported_ = true;
  Leave(stream);
  return status;
}

std::shared_ptr<SessionCaller> NameNodeSessions::Enter(bool may_open) {
  MutexLock lock(mu_);
  for (Slot& slot : slots_) {
    if (slot.callers >= kCallersPerStream || slot.stream->spent()) continue;
    ++slot.callers;
    return slot.stream;
  }
  if (!may_open) return nullptr;
  // Those that broke while nobody used them.
  std::erase_if(slots_, [](const Slot& slot) { return slot.callers == 0 && slot.stream->spent(); });
  auto opened = std::make_shared<SessionCaller>();
  slots_.push_back({opened, 1});
  opened->Start(*stub_, caller_);  // before another caller finds it
  return opened;
}

void NameNodeSessions::Leave(const std::shared_ptr<SessionCaller>& stream) {
  bool last = false;
  {
    MutexLock lock(mu_);
    const auto slot = std::find_if(slots_.begin(), slots_.end(),
                                   [&](const Slot& slot) { return slot.stream == stream; });
    --slot->callers;
    if (!stream->spent()) return;
    last = slot->callers == 0;
    if (last) slots_.erase(slot);
  }
  if (last) stream->Cancel();
}

}  // namespace cairn
