#include "common/net/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

#include "common/options.h"
#include "common/strings.h"

namespace cairn {
namespace {

bool IsIpv6(const std::string& host) {
  in6_addr address;
  // A zone ("fe80::1%eth0") is for the system to judge.
  return inet_pton(AF_INET6, host.substr(0, host.find('%')).c_str(), &address) == 1;
}

bool IsNameOrIpv4(std::string_view host) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  return !host.empty() && host.find_first_not_of(kAllowed) == std::string_view::npos;
}

absl::Status Wrong(std::string_view text, std::string_view why) {
  return UsageError(
      fmt::format("'{}' is not an address: {}; write it like 10.0.0.1:8020", text, why));
}

}  // namespace

std::string HostPort::ToString() const {
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                             : fmt::format("[{}]:{}", host, port);
}

bool HostPort::IsWildcard() const { return host == "0.0.0.0" || host == "::"; }

absl::StatusOr<HostPort> ParseHostPort(std::string_view text,
                                       std::optional<uint16_t> default_port) {
  HostPort address;
  std::string_view port;  // with its colon
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return Wrong(text, "']' is missing");
    address.host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!IsIpv6(address.host)) return Wrong(text, "no IPv6 address within the brackets");
    if (!port.empty() && port.front() != ':')
      return Wrong(text, "a colon and the port must follow ']'");
  } else {
    const size_t colon = text.find(':');
    address.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    if (port.find(':', 1) != std::string_view::npos) {
      return Wrong(text, "an IPv6 address needs brackets, like [::1]:8020");
    }
    if (!IsNameOrIpv4(address.host)) return Wrong(text, "the host is missing or not a name");
  }
  if (port.empty()) {
    if (!default_port) return Wrong(text, "the port is missing");
    address.port = *default_port;
    return address;
  }
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || error != std::errc() || end != port.data() + port.size()) {
    return Wrong(text, "the port must be a number from 0 to 65535");
  }
  return address;
}

absl::StatusOr<std::vector<HostPort>> ParseHostPortList(std::string_view text,
                                                        std::optional<uint16_t> default_port) {
  return ParseHostPortList(SplitList(text, ','), default_port);
}

absl::StatusOr<std::vector<HostPort>> ParseHostPortList(const std::vector<std::string>& items,
                                                        std::optional<uint16_t> default_port) {
  if (items.empty()) return UsageError("no address given; write it like 10.0.0.1:8020");
  std::vector<HostPort> addresses;
  for (const std::string& item : items) {
    ASSIGN_OR_RETURN(HostPort address, ParseHostPort(item, default_port));
    addresses.push_back(std::move(address));
  }
  return addresses;
}

std::string JoinHostPorts(const std::vector<HostPort>& addresses) {
  std::string text;
  for (const HostPort& address : addresses) {
    if (!text.empty()) text += ',';
    text += address.ToString();
  }
  return text;
}

}  // namespace cairn
