#include "datanode/control/local_address.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

namespace cairn::datanode {

absl::StatusOr<std::string> LocalAddressTowards(const HostPort& peer) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(peer.port);
  if (const int error = getaddrinfo(peer.host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return absl::UnavailableError(fmt::format("{}: {}", peer.host, gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  // Connecting a datagram socket only chooses the route.
  const int fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return ErrnoStatus("socket", errno);
  sockaddr_storage local = {};
  socklen_t local_bytes = sizeof(local);
  auto* const address = reinterpret_cast<sockaddr*>(&local);
  int error = 0;
  if (connect(fd, found->ai_addr, found->ai_addrlen) < 0 ||
      getsockname(fd, address, &local_bytes) < 0) {
    error = errno;
  }
  close(fd);
  if (error != 0) return ErrnoStatus(peer.ToString(), error);
  char host[NI_MAXHOST] = {};
  error = getnameinfo(address, local_bytes, host, sizeof(host), nullptr, 0, NI_NUMERICHOST);
  if (error != 0) return absl::UnavailableError(gai_strerror(error));
  return std::string(host);
}

std::string HostName() {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) < 0) return {};
  return name;
}

}  // namespace cairn::datanode
