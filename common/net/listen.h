// What the two servers share about listening: which address a host means, and why a bind failed.
// Thread-safe.
#pragma once

#include <string>

#include "common/net/address.h"
#include "common/status.h"

namespace cairn {

// The numeric address to bind for listen.host: itself if numeric, else the first one that the name
// has (IPv4 before IPv6, so that "localhost" means the same to every server). INVALID_ARGUMENT for
// an unknown name.
absl::StatusOr<std::string> ResolveListenHost(const HostPort& listen);

// Why listening on `listen` failed, with what to do. ALREADY_EXISTS when the port is taken.
absl::Status ListenFailure(const HostPort& listen, int error_number);

}  // namespace cairn
