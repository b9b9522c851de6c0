// gRPC's own log lines belong into our log, not on a user's stderr. Thread-safe.
#pragma once

namespace cairn {

// Sends them to LogDebug from now on; called before the first server or channel of a process is
// made, and again at will.
void RouteGrpcLog();

}  // namespace cairn
