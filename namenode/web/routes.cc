#include "namenode/web/routes.h"

#include <charconv>
#include <optional>
#include <utility>

#include "common/metrics.h"

namespace cairn::namenode {
namespace {

constexpr char kPrometheusText[] = "text/plain; version=0.0.4; charset=utf-8";

HttpResponse Json(absl::StatusOr<std::string> json) {
  if (!json.ok()) {
    return {503, "text/plain; charset=utf-8", std::string(MessageOf(json.status())) + "\n"};
  }
  return {200, "application/json", *std::move(json) + "\n"};
}

// The `limit` of a query: 0 without one, nullopt when it is no number.
std::optional<size_t> LimitOf(const HttpRequest& request) {
  const auto it = request.query.find("limit");
  if (it == request.query.end()) return 0;
  size_t limit = 0;
  const char* end = it->second.data() + it->second.size();
  const auto [stop, error] = std::from_chars(it->second.data(), end, limit);
  if (error != std::errc() || stop != end || limit == 0) return std::nullopt;
  return limit;
}

}  // namespace

HttpServer::Routes MakeRoutes(WebSources sources) {
  HttpServer::Routes routes;
  routes["/healthz"] = {[serving = sources.serving](const HttpRequest&) {
    return serving() ? HttpResponse{200, "text/plain; charset=utf-8", "ok\n"}
                     : HttpResponse{503, "text/plain; charset=utf-8", "starting\n"};
  }};
  routes["/metrics"] = {[metrics = sources.metrics](const HttpRequest&) {
    return HttpResponse{200, kPrometheusText, metrics->RenderText()};
  }};
  routes["/api/report"] = {
      [report = sources.report_json](const HttpRequest&) { return Json(report()); }};
  routes["/api/health"] = {[health = sources.health_json](const HttpRequest& request) {
    const std::optional<size_t> limit = LimitOf(request);
    if (!limit.has_value()) {
      return HttpResponse{400, "text/plain; charset=utf-8", "limit must be a number above 0\n"};
    }
    return Json(health(*limit));
  }};
  return routes;
}

}  // namespace cairn::namenode
