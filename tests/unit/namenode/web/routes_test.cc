#include "namenode/web/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/metrics.h"

namespace cairn::namenode {
namespace {

using ::testing::HasSubstr;

class RoutesTest : public ::testing::Test {
 protected:
  RoutesTest() {
    WebSources sources;
    sources.serving = [this] { return serving_; };
    sources.report_json = [this] { return report_; };
    sources.health_json = [this](size_t limit) {
      limit_ = limit;
      return absl::StatusOr<std::string>("{}");
    };
    sources.metrics = &metrics_;
    routes_ = MakeRoutes(std::move(sources));
  }
  HttpResponse Get(const std::string& path, std::map<std::string, std::string> query = {}) {
    HttpRequest request;
    request.method = "GET";
    request.path = path;
    request.query = std::move(query);
    return routes_.at(path).handler(request);
  }

  bool serving_ = false;
  absl::StatusOr<std::string> report_ = R"({"cluster":{}})";
  size_t limit_ = 99;
  Metrics metrics_;
  HttpServer::Routes routes_;
};

TEST_F(RoutesTest, HealthzTellsWhetherRpcAnswers) {
  EXPECT_EQ(Get("/healthz").status, 503);
  serving_ = true;
  EXPECT_EQ(Get("/healthz").status, 200);
}

TEST_F(RoutesTest, MetricsArePrometheusText) {
  metrics_.AddCounter("cairn_test_total", "Tests")->Increment();
  const HttpResponse response = Get("/metrics");
  EXPECT_THAT(response.content_type, HasSubstr("version=0.0.4"));
  EXPECT_THAT(response.body, HasSubstr("cairn_test_total 1"));
}

TEST_F(RoutesTest, TheReportIsJsonOr503) {
  EXPECT_EQ(Get("/api/report").body, "{\"cluster\":{}}\n");
  EXPECT_EQ(Get("/api/report").content_type, "application/json");
  report_ = absl::UnavailableError("the journal is slow; try again");
  EXPECT_EQ(Get("/api/report").status, 503);
}

TEST_F(RoutesTest, HealthTakesALimit) {
  EXPECT_EQ(Get("/api/health").status, 200);
  EXPECT_EQ(limit_, 0u);
  EXPECT_EQ(Get("/api/health", {{"limit", "5"}}).status, 200);
  EXPECT_EQ(limit_, 5u);
  for (const char* bad : {"0", "-1", "x", "5x", ""}) {
    EXPECT_EQ(Get("/api/health", {{"limit", bad}}).status, 400) << bad;
  }
}

}  // namespace
}  // namespace cairn::namenode
