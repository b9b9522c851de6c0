// The DataNode's HTTP pages: /healthz (200 once registered, 503 before) and /metrics.
//
// Why: for load balancers, supervisors and Prometheus. Handlers only read memory. Used by the
// composition root.
#pragma once

#include <functional>

#include "common/net/http_server.h"

namespace cairn {
class Metrics;
}

namespace cairn::datanode {

// `metrics` must outlive the server; `registered` must be thread-safe and quick.
HttpServer::Routes MakePages(std::function<bool()> registered, const Metrics* metrics);

}  // namespace cairn::datanode
