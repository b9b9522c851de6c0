#include "client/bench/raw_socket.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace cairn::bench {
namespace {

constexpr int64_t kTurnMs = 100;  // then a call looks whether it was stopped
constexpr int64_t kMaxIdleMs = 120'000;
constexpr size_t kMaxPieces = 4;

absl::Status Error(int error_number) { return ErrnoStatus("a raw socket", error_number); }

sockaddr* Generic(sockaddr_in* address) { return reinterpret_cast<sockaddr*>(address); }

}  // namespace

absl::StatusOr<RawSocket> RawSocket::Make(Fd fd, const Stopped& stopped) {
  const timeval turn{.tv_sec = 0, .tv_usec = kTurnMs * 1000};
  const int on = 1;
  if (setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &turn, sizeof(turn)) != 0 ||
      setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &turn, sizeof(turn)) != 0 ||
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0) {
    return Error(errno);
  }
  return RawSocket(std::move(fd), stopped);
}

absl::StatusOr<std::pair<RawSocket, RawSocket>> RawSocket::Pair(const Stopped& stopped) {
  constexpr int kKind = SOCK_STREAM | SOCK_CLOEXEC;
  const Fd listening(socket(AF_INET, kKind, 0));
  Fd calling(socket(AF_INET, kKind, 0));
  if (listening.get() < 0 || calling.get() < 0) return Error(errno);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  // One may wait to be accepted: the kernel completes our own call before.
  if (bind(listening.get(), Generic(&address), size) != 0 || listen(listening.get(), 1) != 0 ||
      getsockname(listening.get(), Generic(&address), &size) != 0 ||
      connect(calling.get(), Generic(&address), size) != 0) {
    return Error(errno);
  }
  sockaddr_in own{};
  sockaddr_in peer{};
  size = sizeof(own);
  if (getsockname(calling.get(), Generic(&own), &size) != 0) return Error(errno);
  while (true) {
    size = sizeof(peer);
    Fd called(accept4(listening.get(), Generic(&peer), &size, SOCK_CLOEXEC));
    if (called.get() < 0) return Error(errno);
    if (peer.sin_port != own.sin_port) continue;  // somebody else's
    ASSIGN_OR_RETURN(RawSocket first, Make(std::move(calling), stopped));
    ASSIGN_OR_RETURN(RawSocket second, Make(std::move(called), stopped));
    return std::pair(std::move(first), std::move(second));
  }
}

absl::Status RawSocket::Waited(int error_number, int64_t* idle_ms) const {
  if (stopped_()) return absl::CancelledError("interrupted");
  if (error_number == EINTR) return absl::OkStatus();
  if (error_number != EAGAIN && error_number != EWOULDBLOCK) return Error(error_number);
  *idle_ms += kTurnMs;
  if (*idle_ms < kMaxIdleMs) return absl::OkStatus();
  return absl::DeadlineExceededError("a raw socket moved nothing for two minutes");
}

absl::Status RawSocket::Send(std::span<const std::string_view> pieces) {
  std::array<iovec, kMaxPieces> vectors{};
  if (pieces.size() > vectors.size()) return absl::InternalError("too many pieces to send");
  for (size_t i = 0; i < pieces.size(); ++i) {
    vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
  }
  msghdr message{};
  message.msg_iov = vectors.data();
  message.msg_iovlen = pieces.size();
  int64_t idle_ms = 0;
  while (message.msg_iovlen > 0) {
    const ssize_t sent = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (sent < 0) {
      RETURN_IF_ERROR(Waited(errno, &idle_ms));
      continue;
    }
    idle_ms = 0;
    auto left = static_cast<size_t>(sent);
    while (message.msg_iovlen > 0) {
      iovec& first = *message.msg_iov;
      const size_t taken = std::min(left, first.iov_len);
      first = {static_cast<char*>(first.iov_base) + taken, first.iov_len - taken};
      left -= taken;
      if (first.iov_len > 0) break;
      ++message.msg_iov;
      --message.msg_iovlen;
    }
  }
  return absl::OkStatus();
}

absl::Status RawSocket::SendFile(int fd, uint64_t bytes) {
  off_t offset = 0;
  int64_t idle_ms = 0;
  while (static_cast<uint64_t>(offset) < bytes) {
    const ssize_t sent = sendfile(fd_.get(), fd, &offset, bytes - static_cast<uint64_t>(offset));
    if (sent == 0) return absl::DataLossError("the file to be sent ends early");
    if (sent > 0) idle_ms = 0;
    if (sent < 0) RETURN_IF_ERROR(Waited(errno, &idle_ms));
  }
  return absl::OkStatus();
}

absl::Status RawSocket::Receive(std::span<char> out) {
  int64_t idle_ms = 0;
  while (!out.empty()) {
    const ssize_t got = recv(fd_.get(), out.data(), out.size(), MSG_WAITALL);
    if (got == 0) return absl::UnavailableError("a raw socket was closed early");
    if (got < 0) {
      RETURN_IF_ERROR(Waited(errno, &idle_ms));
      continue;
    }
    idle_ms = 0;
    out = out.subspan(static_cast<size_t>(got));
  }
  return absl::OkStatus();
}

void RawSocket::Shutdown() { shutdown(fd_.get(), SHUT_RDWR); }

}  // namespace cairn::bench
