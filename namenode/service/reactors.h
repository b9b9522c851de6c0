// How a unary handler answers: with a status, or once an operation's reply comes. Used by the
// services of this room.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/status/statusor.h"
#include "common/net/rpc_status.h"
#include "namenode/service/caller_resolver.h"

namespace cairn::namenode {

inline void Finish(grpc::ServerUnaryReactor* reactor, const absl::Status& status) {
  reactor->Finish(ToRpcStatus(status));
}

// The reply of an operation without a value.
inline auto FinishWith(grpc::ServerUnaryReactor* reactor) {
  return [reactor](const absl::Status& status) { Finish(reactor, status); };
}

// The reply of an operation with a value: `fill` writes it into the message.
template <typename T, typename Fill>
auto FinishWith(grpc::ServerUnaryReactor* reactor, Fill fill) {
  return [reactor, fill = std::move(fill)](absl::StatusOr<T> value) {
    if (value.ok()) fill(*value);
    Finish(reactor, value.status());
  };
}

// Resolves who calls and runs `handle(call, reactor)`, which finishes the reactor.
template <typename Request, typename Handle>
grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context, CallerResolver& callers,
                                const Request& request, Handle handle) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  absl::StatusOr<CallContext> call = callers.Resolve(request.caller());
  if (call.ok()) {
    handle(*call, reactor);
  } else {
    Finish(reactor, call.status());
  }
  return reactor;
}

}  // namespace cairn::namenode
