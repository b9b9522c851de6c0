#include "tests/support/http_get.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

namespace cairn::testing {
namespace {

constexpr int kTimeoutSeconds = 10;

struct Socket {
  explicit Socket(int fd) : fd(fd) {}
  ~Socket() {
    if (fd >= 0) close(fd);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  const int fd;
};

absl::Status Connect(int fd, const std::string& address) {
  const size_t colon = address.rfind(':');
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  if (colon == std::string::npos ||
      inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) != 1) {
    return absl::InvalidArgumentError("not a numeric host:port: " + address);
  }
  to.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + colon + 1)));
  const timeval timeout{kTimeoutSeconds, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus("connect " + address, errno);
}

}  // namespace

absl::StatusOr<HttpReply> HttpGet(const std::string& address, const std::string& target) {
  const Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  RETURN_IF_ERROR(Connect(socket.fd, address));
  const std::string request =
      fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", target, address);
  if (send(socket.fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return ErrnoStatus("send", errno);
  }
  std::string text;
  char buffer[16 << 10];
  while (true) {
    const ssize_t bytes = recv(socket.fd, buffer, sizeof(buffer), 0);
    if (bytes < 0) return ErrnoStatus("recv", errno);
    if (bytes == 0) break;
    text.append(buffer, static_cast<size_t>(bytes));
  }
  const size_t end = text.find("\r\n\r\n");
  if (!text.starts_with("HTTP/1.1 ") || end == std::string::npos) {
    return absl::InternalError("not an HTTP answer: " + text);
  }
  return HttpReply{.status = std::atoi(text.c_str() + std::string("HTTP/1.1 ").size()),
                   .headers = text.substr(0, end),
                   .body = text.substr(end + 4)};
}

}  // namespace cairn::testing
