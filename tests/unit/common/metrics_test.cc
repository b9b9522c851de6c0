#include "common/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace cairn {
namespace {

using ::testing::HasSubstr;

TEST(MetricsTest, RendersPrometheusText) {
  Metrics metrics;
  metrics.AddCounter("cairn_reads_total", "Reads.", {{"op", "read"}})->Increment(3);
  metrics.AddGauge("cairn_nodes", "Nodes.")->Set(4);
  Histogram* latency = metrics.AddHistogram("cairn_latency_seconds", "Latency.", {}, {0.1, 1});
  latency->Observe(0.05);
  latency->Observe(5);
  const std::string text = metrics.RenderText();
  EXPECT_THAT(text, HasSubstr("# HELP cairn_reads_total Reads.\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE cairn_reads_total counter\n"));
  EXPECT_THAT(text, HasSubstr("cairn_reads_total{op=\"read\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("cairn_nodes 4\n"));
  EXPECT_THAT(text, HasSubstr("cairn_latency_seconds_bucket{le=\"0.1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("cairn_latency_seconds_count 2\n"));
}

TEST(MetricsTest, AGaugeThatIsRemovedIsShownNoMore) {
  Metrics metrics;
  metrics.AddGauge("cairn_disk", "D.", {{"path", "/a"}})->Set(1);
  metrics.AddGauge("cairn_disk", "D.", {{"path", "/b"}})->Set(2);
  metrics.RemoveGauge("cairn_disk", {{"path", "/a"}});
  metrics.RemoveGauge("cairn_disk", {{"path", "/never"}});
  const std::string text = metrics.RenderText();
  EXPECT_THAT(text, ::testing::Not(HasSubstr("/a")));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("/never")));
  EXPECT_THAT(text, HasSubstr("cairn_disk{path=\"/b\"} 2\n"));
  metrics.AddGauge("cairn_disk", "D.", {{"path", "/a"}})->Set(3);  // it is back
  EXPECT_THAT(metrics.RenderText(), HasSubstr("cairn_disk{path=\"/a\"} 3\n"));
}

TEST(MetricsTest, TheSameNameAndLabelsAreTheSameHandle) {
  Metrics metrics, other;
  Counter* counter = metrics.AddCounter("cairn_x_total", "X.", {{"a", "1"}});
  EXPECT_EQ(metrics.AddCounter("cairn_x_total", "X.", {{"a", "1"}}), counter);
  EXPECT_NE(metrics.AddCounter("cairn_x_total", "X.", {{"a", "2"}}), counter);
  EXPECT_NE(other.AddCounter("cairn_x_total", "X.", {{"a", "1"}}), counter);
  Gauge* gauge = metrics.AddGauge("cairn_g", "G.");
  gauge->Set(5);
  gauge->Add(-2);
  EXPECT_EQ(gauge->Value(), 3);
}

TEST(MetricsTest, ManyThreads) {
  Metrics metrics;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        metrics.AddCounter("cairn_n_total", "N.")->Increment();
        metrics.AddHistogram("cairn_h_seconds", "H.")->Observe(0.001);
      }
      EXPECT_FALSE(metrics.RenderText().empty());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(metrics.AddCounter("cairn_n_total", "N.")->Value(), 4000);
}

using MetricsDeathTest = ::testing::Test;

TEST(MetricsDeathTest, ANameHasOneType) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Metrics metrics;
        metrics.AddCounter("cairn_x", "X.");
        metrics.AddGauge("cairn_x", "X.");
      },
      "cairn_x");
}

}  // namespace
}  // namespace cairn
