// What a node may call itself when it listens on all addresses. Thread-safe. Used by the control
// session.
#pragma once

#include <string>

#include "common/net/address.h"
#include "common/status.h"

namespace cairn::datanode {

// The local address from which this machine reaches `peer`; nothing is sent. UNAVAILABLE when the
// peer's name is unknown or there is no route.
absl::StatusOr<std::string> LocalAddressTowards(const HostPort& peer);

// The machine's host name; empty when it has none.
std::string HostName();

}  // namespace cairn::datanode
