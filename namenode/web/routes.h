// The NameNode's HTTP pages: /healthz, /metrics, /api/report, /api/health.
//
// The JSON is made by the functions given, so that it is the same that `cairn admin ... --json`
// prints. Handlers run on the HTTP server's thread.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "common/net/http_server.h"

namespace cairn {
class Metrics;
}

namespace cairn::namenode {

struct WebSources {
  std::function<bool()> serving;  // RPC answers (in safe mode too)
  std::function<absl::StatusOr<std::string>()> report_json;
  std::function<absl::StatusOr<std::string>(size_t limit)> health_json;  // 0: the default limit
  Metrics* metrics = nullptr;
};

HttpServer::Routes MakeRoutes(WebSources sources);

}  // namespace cairn::namenode
