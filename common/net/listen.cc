#include "common/net/listen.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

namespace cairn {

absl::StatusOr<std::string> ResolveListenHost(const HostPort& listen) {
  for (const int family : {AF_INET, AF_INET6}) {
    addrinfo hints = {};
    hints.ai_family = family;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (getaddrinfo(listen.host.c_str(), nullptr, &hints, &found) != 0) continue;
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
    char text[NI_MAXHOST];
    if (getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), nullptr, 0,
                    NI_NUMERICHOST) == 0) {
      return std::string(text);
    }
  }
  return absl::InvalidArgumentError(
      fmt::format("cannot listen on {}: unknown host name", listen.ToString()));
}

absl::Status ListenFailure(const HostPort& listen, int error_number) {
  const std::string where = fmt::format("cannot listen on {}", listen.ToString());
  switch (error_number) {
    case EADDRINUSE:
      return absl::AlreadyExistsError(fmt::format(
          "{}: the port is in use by another program; stop it or choose another port", where));
    case EADDRNOTAVAIL:
      return absl::InvalidArgumentError(fmt::format("{}: not an address of this machine", where));
    case EACCES:
      return absl::PermissionDeniedError(
          fmt::format("{}: ports below 1024 need root; choose another port", where));
    default:
      return ErrnoStatus(where, error_number);
  }
}

}  // namespace cairn
