// Unix sockets that pass open files between processes of one host.
//
// Why: a DataNode hands its replicas' files to clients beside it, which need trust each other no
// more than over the network. So a client only talks to a socket that nobody but root, itself or
// the socket's own server can have put there. The sockets are SOCK_SEQPACKET: a message comes as
// one piece, with its descriptors, or not at all. Paths may be longer than the 107 bytes of a
// sockaddr_un; a socket's own name may not. Thread-safe: functions. Used by DataNodes' service and
// by the client.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/fd.h"
#include "common/status.h"

namespace cairn {

// A socket that listens; its file is removed with it. Moved, never copied.
class UnixListener {
 public:
  // At an absolute path, open to every user who reaches its folder. Takes the place of a socket
  // whose server has gone; ALREADY_EXISTS for any other file, and for a server that lives.
  static absl::StatusOr<UnixListener> Listen(const std::string& path);
  UnixListener(UnixListener&&) = default;
  UnixListener& operator=(UnixListener&&) = delete;
  ~UnixListener();

  int fd() const { return socket_.get(); }           // does not block
  const std::string& path() const { return path_; }  // absolute, without symbolic links
  // The next connection, which does not block; UNAVAILABLE when there is none.
  absl::StatusOr<Fd> Accept();

 private:
  UnixListener(Fd folder, std::string path);
  std::string SocketName() const;

  Fd folder_;
  std::string path_;
  Fd socket_;
  dev_t device_ = 0;  // of the socket's file
  ino_t inode_ = 0;
};

// Connects to a socket at an absolute path without symbolic links, and never waits. NOT_FOUND when
// nobody listens there; PERMISSION_DENIED when another user than root, this process's or the
// server's could have put it there; UNAVAILABLE when its server has no time.
absl::StatusOr<Fd> ConnectUnix(const std::string& path);

struct UnixPeer {
  pid_t pid = 0;
  uid_t uid = 0;
};
// Who is at the other end, by the kernel's word.
absl::StatusOr<UnixPeer> PeerOf(const Fd& socket);

struct UnixMessage {
  std::string bytes;
  std::vector<Fd> descriptors;
};

// Sends a message, with copies of these descriptors, and never waits.
absl::Status SendUnix(const Fd& socket, std::string_view bytes, std::span<const int> descriptors);

inline constexpr size_t kMaxPassed = 2;  // descriptors of one message

// The next message, of at most `max_bytes` and kMaxPassed descriptors: INVALID_ARGUMENT for
// another one. UNAVAILABLE when the peer has gone, DEADLINE_EXCEEDED when it sends nothing for
// `timeout_ms` (0: does not wait).
absl::StatusOr<UnixMessage> ReceiveUnix(const Fd& socket, size_t max_bytes, int64_t timeout_ms);

}  // namespace cairn
