// Counters, gauges and histograms, as Prometheus text on /metrics.
//
// Why: prometheus-cpp does the work and stays behind this. A Metrics is made by each composition
// root and injected, so that several daemons can live in one process. Names start with "cairn_" and
// follow Prometheus' conventions: counters end in _total, times are in seconds, sizes in bytes.
// Thread-safe; handles live as long as their Metrics, but for gauges that are removed.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
}  // namespace prometheus

namespace cairn {

using MetricLabels = std::map<std::string, std::string>;

class Counter {  // only grows
 public:
  explicit Counter(prometheus::Counter* counter) : counter_(counter) {}
  void Increment(double by = 1);
  double Value() const;

 private:
  prometheus::Counter* const counter_;
};

class Gauge {
 public:
  explicit Gauge(prometheus::Gauge* gauge) : gauge_(gauge) {}
  void Set(double value);
  void Add(double by);  // negative to go down
  double Value() const;

 private:
  prometheus::Gauge* const gauge_;
};

class Histogram {
 public:
  explicit Histogram(prometheus::Histogram* histogram) : histogram_(histogram) {}
  void Observe(double value);

 private:
  prometheus::Histogram* const histogram_;
};

// Bucket bounds in seconds for latencies from 50 us to 10 s.
std::vector<double> LatencyBuckets();

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The same name and labels give the same handle. A name keeps the type (and buckets) that it had
  // first: asking for it as another type is a bug and ends the process.
  Counter* AddCounter(const std::string& name, const std::string& help,
                      const MetricLabels& labels = {});
  Gauge* AddGauge(const std::string& name, const std::string& help,
                  const MetricLabels& labels = {});
  Histogram* AddHistogram(const std::string& name, const std::string& help,
                          const MetricLabels& labels = {},
                          const std::vector<double>& buckets = LatencyBuckets());

  // The gauge is shown no more; what AddGauge gave of it must not be used again.
  void RemoveGauge(const std::string& name, const MetricLabels& labels);

  // Everything in Prometheus' text format (version 0.0.4).
  std::string RenderText() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace cairn
