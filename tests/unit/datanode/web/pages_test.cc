#include "datanode/web/pages.h"

#include <gtest/gtest.h>

#include "common/metrics.h"

namespace cairn::datanode {
namespace {

TEST(Pages, HealthIsRegistration) {
  Metrics metrics;
  bool registered = false;
  const HttpServer::Routes routes = MakePages([&] { return registered; }, &metrics);
  EXPECT_EQ(routes.at("/healthz").handler({}).status, 503);
  registered = true;
  EXPECT_EQ(routes.at("/healthz").handler({}).status, 200);
}

TEST(Pages, MetricsAreText) {
  Metrics metrics;
  metrics.AddCounter("cairn_example_total", "An example.")->Increment();
  const HttpServer::Routes routes = MakePages([] { return true; }, &metrics);
  const HttpResponse page = routes.at("/metrics").handler({});
  EXPECT_NE(page.body.find("cairn_example_total 1"), std::string::npos);
  EXPECT_EQ(page.content_type.find("text/plain"), 0u);
}

}  // namespace
}  // namespace cairn::datanode
