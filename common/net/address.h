// host:port addresses as flags, ready files and messages write them. Pure functions, thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace cairn {

struct HostPort {
  std::string host;   // a name, an IPv4 address or an IPv6 address without brackets
  uint16_t port = 0;  // 0: a free one (to listen)

  std::string ToString() const;  // "host:port", "[v6]:port"
  bool IsWildcard() const;       // 0.0.0.0 or ::
  bool operator==(const HostPort&) const = default;
};

// "localhost:8020", "10.0.0.1:8020", "[::1]:8020"; without a port where there is a default. kUsage
// with an example.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text,
                                       std::optional<uint16_t> default_port = std::nullopt);
// Comma-separated, at least one.
absl::StatusOr<std::vector<HostPort>> ParseHostPortList(
    std::string_view text, std::optional<uint16_t> default_port = std::nullopt);
absl::StatusOr<std::vector<HostPort>> ParseHostPortList(
    const std::vector<std::string>& items, std::optional<uint16_t> default_port = std::nullopt);

std::string JoinHostPorts(const std::vector<HostPort>& addresses);  // comma-separated

}  // namespace cairn
