// A gRPC server on one address.
//
// Why: gRPC sets SO_REUSEPORT, so that two daemons would share a port silently; it says little when
// a bind fails; and all servers of ours want the same limits. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/net/address.h"
#include "common/status.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace cairn {

class RpcServer {
 public:
  // Serves at once. Port 0 takes a free one. The services must outlive the server. ALREADY_EXISTS
  // when the port is taken, INVALID_ARGUMENT when the host is not an address of this machine.
  static absl::StatusOr<std::unique_ptr<RpcServer>> Start(
      const HostPort& listen, const std::vector<grpc::Service*>& services);
  ~RpcServer();  // Shutdown(0)

  // Where it listens: the host as given, the actual port.
  const HostPort& address() const { return address_; }

  // Takes no new calls, lets those under way end within `grace_ms`, cancels the rest and waits for
  // their handlers. May be called more than once, not from a handler.
  void Shutdown(int64_t grace_ms);

 private:
  RpcServer(HostPort address, std::unique_ptr<grpc::Server> server);

  const HostPort address_;
  const std::unique_ptr<grpc::Server> server_;
};

}  // namespace cairn
