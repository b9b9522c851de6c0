#include "common/net/unix_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "common/steady_time.h"

namespace cairn {
namespace {

constexpr int kSocketType = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
constexpr int kBacklog = 64;
constexpr int kFolderFlags = O_PATH | O_DIRECTORY | O_CLOEXEC;

absl::Status SystemError(std::string_view what) { return ErrnoStatus(what, errno); }

std::string_view NameIn(const std::string& path) {
  return std::string_view(path).substr(path.rfind('/') + 1);
}
std::string FolderOf(const std::string& path) {
  return path.substr(0, std::max<size_t>(path.rfind('/'), 1));
}

// A name for a file of an open folder, short enough for a sockaddr_un.
std::string ShortName(const Fd& folder, std::string_view name) {
  return fmt::format("/proc/self/fd/{}/{}", folder.get(), name);
}

absl::StatusOr<sockaddr_un> AddressOf(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        fmt::format("{}: the name of a socket must be shorter", NameIn(name)));
  }
  std::memcpy(address.sun_path, name.data(), name.size());
  return address;
}

// 0, or errno.
int Connect(const Fd& socket, const sockaddr_un& address) {
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  return connect(socket.get(), generic, sizeof(address)) == 0 ? 0 : errno;
}

// Makes way for a new socket at `name`.
absl::Status RemoveStale(const std::string& name, const sockaddr_un& address) {
  struct stat there {};
  if (lstat(name.c_str(), &there) != 0) {
    return errno == ENOENT ? absl::OkStatus() : SystemError("the socket's place");
  }
  if (!S_ISSOCK(there.st_mode)) return absl::AlreadyExistsError("there is a file that is none");
  const Fd probe(socket(AF_UNIX, kSocketType, 0));
  if (probe.get() < 0) return SystemError("socket");
  if (Connect(probe, address) != ECONNREFUSED) {
    return absl::AlreadyExistsError("another process listens there");
  }
  if (unlink(name.c_str()) != 0) return SystemError("the socket of an earlier process");
  return absl::OkStatus();
}

// Opens the folder of `path` step by step, so that nothing can be put in between. Adds to `owners`
// who could change what lies on the way, root and this process's user excepted.
absl::StatusOr<Fd> OpenOnWay(const std::string& path, std::vector<uid_t>* owners) {
  if (!path.starts_with('/')) return absl::InvalidArgumentError("the path is not absolute");
  Fd folder(open("/", kFolderFlags));
  for (size_t at = 1; folder.get() >= 0;) {
    struct stat status {};
    if (fstat(folder.get(), &status) != 0) return SystemError(path);
    const bool shared = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
    if (shared && (status.st_mode & S_ISVTX) == 0) {
      return absl::PermissionDeniedError(
          fmt::format("{}: others can write to {}", path, path.substr(0, at)));
    }
    if (status.st_uid != 0 && status.st_uid != geteuid()) owners->push_back(status.st_uid);
    const size_t slash = path.find('/', at);
    if (slash == std::string::npos) return folder;
    const std::string step = path.substr(at, slash - at);
    folder = Fd(openat(folder.get(), step.c_str(), kFolderFlags | O_NOFOLLOW));
    at = slash + 1;
  }
  return SystemError(path);
}

absl::Status AwaitReadable(int fd, int64_t timeout_ms) {
  const int64_t deadline_ms = SteadyNowMs() + timeout_ms;
  while (true) {
    pollfd entry{fd, POLLIN, 0};
    const int64_t left_ms = std::max<int64_t>(0, deadline_ms - SteadyNowMs());
    const int ready = poll(&entry, 1, static_cast<int>(std::min<int64_t>(left_ms, INT_MAX)));
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return SystemError("poll");
    if (left_ms == 0) return absl::DeadlineExceededError("no message over the Unix socket");
  }
}

std::vector<Fd> TakeDescriptors(msghdr& header) {
  std::vector<Fd> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(fd);
    }
  }
  return descriptors;
}

}  // namespace

// --- listening -----------------------------------------------------------------------------------

UnixListener::UnixListener(Fd folder, std::string path)
    : folder_(std::move(folder)),
      path_(std::move(path)),
      socket_(socket(AF_UNIX, kSocketType, 0)) {}

std::string UnixListener::SocketName() const { return ShortName(folder_, NameIn(path_)); }

absl::StatusOr<UnixListener> UnixListener::Listen(const std::string& path) {
  if (!path.starts_with('/') || path.ends_with('/')) {
    return absl::InvalidArgumentError(fmt::format("{}: not the absolute path of a socket", path));
  }
  char resolved[PATH_MAX];
  if (realpath(FolderOf(path).c_str(), resolved) == nullptr) return SystemError(FolderOf(path));
  const std::string parent = resolved;
  Fd folder(open(resolved, kFolderFlags));
  if (folder.get() < 0) return SystemError(parent);
  UnixListener listener(std::move(folder),
                        fmt::format("{}/{}", parent == "/" ? "" : parent, NameIn(path)));
  if (listener.fd() < 0) return SystemError("socket");
  const std::string name = listener.SocketName();
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(name));
  if (const absl::Status status = RemoveStale(name, address); !status.ok()) {
    return Annotate(status, path);
  }
  const auto* generic = reinterpret_cast<const sockaddr*>(&address);
  if (bind(listener.fd(), generic, sizeof(address)) != 0) return SystemError(path);
  struct stat made {};
  if (lstat(name.c_str(), &made) != 0) return SystemError(path);
  listener.device_ = made.st_dev;
  listener.inode_ = made.st_ino;
  // Whoever reaches the data port may read; who may not reach this folder reads through that one.
  if (chmod(name.c_str(), 0666) != 0) return SystemError(path);
  if (listen(listener.fd(), kBacklog) != 0) return SystemError(path);
  return listener;
}

UnixListener::~UnixListener() {
  if (folder_.get() < 0 || inode_ == 0) return;
  struct stat there {};
  const std::string name = SocketName();
  const bool ours =
      lstat(name.c_str(), &there) == 0 && there.st_dev == device_ && there.st_ino == inode_;
  if (ours) unlink(name.c_str());
}

absl::StatusOr<Fd> UnixListener::Accept() {
  Fd accepted(accept4(fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (accepted.get() < 0) return absl::UnavailableError(std::strerror(errno));
  return accepted;
}

// --- connecting ----------------------------------------------------------------------------------

absl::StatusOr<Fd> ConnectUnix(const std::string& path) {
  std::vector<uid_t> owners;
  ASSIGN_OR_RETURN(const Fd folder, OpenOnWay(path, &owners));
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(ShortName(folder, NameIn(path))));
  Fd connected(socket(AF_UNIX, kSocketType, 0));
  if (connected.get() < 0) return SystemError("socket");
  const int error = Connect(connected, address);
  if (error == EAGAIN) return absl::UnavailableError(path + ": its server takes no connection");
  if (error == ECONNREFUSED) return absl::NotFoundError(path + ": nobody listens there");
  if (error != 0) return ErrnoStatus(path, error);
  ASSIGN_OR_RETURN(const UnixPeer peer, PeerOf(connected));
  const bool safe =
      std::all_of(owners.begin(), owners.end(), [&](uid_t owner) { return owner == peer.uid; });
  if (!safe) {
    return absl::PermissionDeniedError(
        path + ": another user than its server could have put the socket there");
  }
  return connected;
}

absl::StatusOr<UnixPeer> PeerOf(const Fd& socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return SystemError("SO_PEERCRED");
  }
  return UnixPeer{.pid = credentials.pid, .uid = credentials.uid};
}

// --- messages ------------------------------------------------------------------------------------

absl::Status SendUnix(const Fd& socket, std::string_view bytes, std::span<const int> descriptors) {
  if (descriptors.size() > kMaxPassed) return absl::InvalidArgumentError("too many descriptors");
  iovec piece{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassed * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
  }
  ssize_t sent;
  do {
    sent = sendmsg(socket.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return absl::OkStatus();
  return absl::UnavailableError(fmt::format("Unix socket: {}", std::strerror(errno)));
}

absl::StatusOr<UnixMessage> ReceiveUnix(const Fd& socket, size_t max_bytes, int64_t timeout_ms) {
  RETURN_IF_ERROR(AwaitReadable(socket.get(), timeout_ms));
  UnixMessage message;
  message.bytes.resize(max_bytes);
  iovec piece{.iov_base = message.bytes.data(), .iov_len = max_bytes};
  alignas(cmsghdr) char control[CMSG_SPACE(kMaxPassed * sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t got;
  do {
    got = recvmsg(socket.get(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return absl::UnavailableError(fmt::format("Unix socket: {}", std::strerror(errno)));
  message.descriptors = TakeDescriptors(header);  // whatever comes: they are ours to close
  if (got == 0) return absl::UnavailableError("the peer closed the Unix socket");
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return absl::InvalidArgumentError("a message over the Unix socket that is too long");
  }
  message.bytes.resize(static_cast<size_t>(got));
  return message;
}

}  // namespace cairn
