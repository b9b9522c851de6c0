#include "common/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cstdio>
#include <cstdlib>
#include <exception>

#include "common/mutex.h"

namespace cairn {

void Counter::Increment(double by) { counter_->Increment(by); }
double Counter::Value() const { return counter_->Value(); }

void Gauge::Set(double value) { gauge_->Set(value); }
void Gauge::Add(double by) { gauge_->Increment(by); }
double Gauge::Value() const { return gauge_->Value(); }

void Histogram::Observe(double value) { histogram_->Observe(value); }

std::vector<double> LatencyBuckets() {
  return {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
          0.05,    0.1,    0.25,    0.5,    1,     2.5,    5,     10};
}

struct Metrics::Impl {
  // Handles by the address of what they wrap, so that asking twice gives the same one.
  template <typename Handle, typename Wrapped>
  static Handle* HandleFor(std::map<Wrapped*, std::unique_ptr<Handle>>& handles, Wrapped& wrapped) {
    std::unique_ptr<Handle>& handle = handles[&wrapped];
    if (handle == nullptr) handle = std::make_unique<Handle>(&wrapped);
    return handle.get();
  }

  prometheus::Registry registry;
  Mutex mu;
  std::map<prometheus::Counter*, std::unique_ptr<Counter>> counters ABSL_GUARDED_BY(mu);
  std::map<prometheus::Gauge*, std::unique_ptr<Gauge>> gauges ABSL_GUARDED_BY(mu);
  std::map<prometheus::Histogram*, std::unique_ptr<Histogram>> histograms ABSL_GUARDED_BY(mu);
};

namespace {

// prometheus-cpp throws when a name is used twice with different types, or is not a valid name.
template <typename Add>
auto AddOrDie(const std::string& name, Add&& add) {
  try {
    return add();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "cairn: metric %s: %s\n", name.c_str(), e.what());
    std::abort();
  }
}

}  // namespace

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Counter* Metrics::AddCounter(const std::string& name, const std::string& help,
                             const MetricLabels& labels) {
  return AddOrDie(name, [&] {
    MutexLock lock(impl_->mu);
    auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(impl_->registry);
    return Impl::HandleFor(impl_->counters, family.Add(labels));
  });
}

Gauge* Metrics::AddGauge(const std::string& name, const std::string& help,
                         const MetricLabels& labels) {
  return AddOrDie(name, [&] {
    MutexLock lock(impl_->mu);
    auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry);
    return Impl::HandleFor(impl_->gauges, family.Add(labels));
  });
}

Histogram* Metrics::AddHistogram(const std::string& name, const std::string& help,
                                 const MetricLabels& labels, const std::vector<double>& buckets) {
  return AddOrDie(name, [&] {
    MutexLock lock(impl_->mu);
    auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(impl_->registry);
    return Impl::HandleFor(impl_->histograms, family.Add(labels, buckets));
  });
}

void Metrics::RemoveGauge(const std::string& name, const MetricLabels& labels) {
  AddOrDie(name, [&] {
    MutexLock lock(impl_->mu);
    auto& family = prometheus::BuildGauge().Name(name).Register(impl_->registry);
    prometheus::Gauge& gauge = family.Add(labels);  // the one that is there
    impl_->gauges.erase(&gauge);
    family.Remove(&gauge);
    return nullptr;
  });
}

std::string Metrics::RenderText() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace cairn
