// How a call is answered: with a status, or once an operation's reply comes. Used by the services
// of this room.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <utility>

#include "absl/status/statusor.h"
#include "common/net/rpc_status.h"

namespace cairn::namenode {

// Who waits for a client's call to end. End is called once, from any thread; the reply that the
// call filled is not touched any more.
class CallEnd {
 public:
  virtual void End(const absl::Status& status) = 0;

 protected:
  ~CallEnd() = default;
};

// A unary RPC; it owns itself. gRPC's default reactor ends without a hop to another thread, which
// one of our own would take.
class UnaryCall final : public CallEnd {
 public:
  explicit UnaryCall(grpc::ServerUnaryReactor* reactor) : reactor_(reactor) {}
  void End(const absl::Status& status) override {
    reactor_->Finish(ToRpcStatus(status));
    delete this;
  }

 private:
  grpc::ServerUnaryReactor* const reactor_;
};

inline void Finish(grpc::ServerUnaryReactor* reactor, const absl::Status& status) {
  reactor->Finish(ToRpcStatus(status));
}
inline void Finish(CallEnd* end, const absl::Status& status) { end->End(status); }

// The reply of an operation without a value.
template <typename End>
auto FinishWith(End* end) {
  return [end](const absl::Status& status) { Finish(end, status); };
}

// The reply of an operation with a value: `fill` writes it into the message.
template <typename T, typename End, typename Fill>
auto FinishWith(End* end, Fill fill) {
  return [end, fill = std::move(fill)](absl::StatusOr<T> value) {
    if (value.ok()) fill(*value);
    Finish(end, value.status());
  };
}

}  // namespace cairn::namenode
