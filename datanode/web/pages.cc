#include "datanode/web/pages.h"

#include <utility>

#include "common/metrics.h"

namespace cairn::datanode {

HttpServer::Routes MakePages(std::function<bool()> registered, const Metrics* metrics) {
  HttpServer::Routes routes;
  routes["/healthz"].handler = [registered = std::move(registered)](const HttpRequest&) {
    if (registered()) return HttpResponse{.status = 200, .body = "ok\n"};
    return HttpResponse{.status = 503, .body = "not registered with a NameNode\n"};
  };
  routes["/metrics"].handler = [metrics](const HttpRequest&) {
    return HttpResponse{.status = 200,
                        .content_type = "text/plain; version=0.0.4; charset=utf-8",
                        .body = metrics->RenderText()};
  };
  return routes;
}

}  // namespace cairn::datanode
