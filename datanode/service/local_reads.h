// Hands the files of finalized replicas to clients on this host, which read and check them by
// themselves: over a Unix socket, as descriptors that can only be read (ADR 0026).
//
// Why: bytes that need not go through a TCP connection cost half as much. What may be read is
// decided here for every block, by the same question to the store as ReadBlock's. One thread serves
// all: an answer costs some system calls, and a client that waits too long reads over TCP. Clients
// that say nothing cost a connection for `request_ms`. Start, Stop and the destructor belong to one
// thread; used by the composition root.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/fd.h"
#include "common/net/unix_socket.h"
#include "common/status.h"
#include "proto/data_transfer.pb.h"

namespace cairn {
class Counter;
class Metrics;
}  // namespace cairn

namespace cairn::datanode {

class OpenTransfers;
class ReplicaReader;
class ReplicaStore;

class LocalReads {
 public:
  struct Options {
    std::string path;             // of the socket; absolute
    size_t max_connections = 64;  // more clients wait for a moment
    int64_t request_ms = 2'000;   // in which a connection must have brought its request
  };

  // Listens and serves; the rest must outlive it. Fails when the socket cannot be made.
  static absl::StatusOr<std::unique_ptr<LocalReads>> Start(Options options, ReplicaStore* store,
                                                           OpenTransfers* transfers,
                                                           Metrics* metrics);
  ~LocalReads();  // Stop()
  LocalReads(const LocalReads&) = delete;
  LocalReads& operator=(const LocalReads&) = delete;

  // Ends the thread and removes the socket. What was passed stays with its clients.
  void Stop();

  const std::string& path() const { return listener_.path(); }  // without symbolic links
  // 16 random bytes: that a client talks to the node that it meant, as it runs now.
  const std::string& instance() const { return instance_; }

 private:
  struct Connection {
    Fd socket;
    int64_t deadline_ms = 0;  // steady time
  };

  LocalReads(Options options, UnixListener listener, Fd wake, ReplicaStore* store,
             OpenTransfers* transfers, Metrics* metrics);
  void Serve();
  void Accept();
  void Answer(const Fd& socket);
  absl::StatusOr<std::unique_ptr<ReplicaReader>> OpenFor(const v1::LocalReadRequest& request,
                                                         v1::LocalReadReply* reply);

  const Options options_;
  UnixListener listener_;
  const Fd wake_;
  const std::string instance_;
  ReplicaStore* const store_;
  OpenTransfers* const transfers_;
  Counter* const passed_;
  Counter* const refused_;
  // Of the thread:
  std::vector<Connection> connections_;
  int64_t accept_after_ms_ = 0;  // steady time

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace cairn::datanode
