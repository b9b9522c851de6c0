// A server that answers look-ups and listings at once, with no file system behind it, and its
// client.
//
// Why: what gRPC gives on this machine is the baseline of every read. The messages are a
// NameNode's own, of the same sizes; the server is made as a NameNode's is, with gRPC's callbacks,
// and the calls are plain unary ones. Thread-safe.
#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "common/status.h"

namespace cairn {
class RpcServer;
}  // namespace cairn

namespace cairn::bench {

class EchoServer {
 public:
  static constexpr int kListEntries = 100;

  // Listens on 127.0.0.1, on a free port.
  static absl::StatusOr<std::unique_ptr<EchoServer>> Start();
  ~EchoServer();

  std::string address() const;

 private:
  class Service;
  EchoServer();

  const std::unique_ptr<Service> service_;
  std::unique_ptr<RpcServer> server_;
};

class EchoClient {
 public:
  explicit EchoClient(const std::string& address);
  ~EchoClient();

  absl::Status GetFileInfo(const std::string& path);
  absl::Status List(const std::string& path);
  // The same, with a callback on a thread of gRPC's.
  using Done = absl::AnyInvocable<void(absl::Status)>;
  void BeginGetFileInfo(const std::string& path, Done done);
  void BeginList(const std::string& path, Done done);

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cairn::bench
