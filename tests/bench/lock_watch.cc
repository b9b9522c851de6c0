#include "tests/bench/lock_watch.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>

#include "client/bench/statistics.h"
#include "tests/bench/in_flight.h"

namespace cairn::bench {
namespace {

constexpr std::chrono::microseconds kLookEvery{200};
constexpr std::string_view kBucket = "cairn_namenode_lock_held_seconds_bucket{le=\"";

// The histogram's buckets, cumulative, without the last one (+Inf).
std::map<double, double> ReadBuckets(const Metrics& metrics) {
  std::map<double, double> buckets;
  const std::string text = metrics.RenderText();
  for (size_t at = text.find(kBucket); at != std::string::npos; at = text.find(kBucket, at)) {
    at += kBucket.size();
    char* end = nullptr;
    const double bound = std::strtod(text.c_str() + at, &end);
    const size_t count_at = text.find("} ", at);
    if (count_at == std::string::npos || *end != '"') continue;
    buckets[bound] = std::strtod(text.c_str() + count_at + 2, nullptr);
  }
  return buckets;
}

}  // namespace

LockWatch::LockWatch(const namenode::Namesystem* namesystem, const Metrics* metrics)
    : namesystem_(namesystem),
      metrics_(metrics),
      before_(ReadBuckets(*metrics)),
      thread_([this] { Run(); }) {}

LockWatch::~LockWatch() {
  ended_.store(true);
  if (thread_.joinable()) thread_.join();
}

void LockWatch::Run() {
  while (!ended_.load()) {
    const auto begin = std::chrono::steady_clock::now();
    namesystem_->Peek([](const namenode::FsState&) {});
    waits_us_.push_back(MicrosSince(begin));
    std::this_thread::sleep_for(kLookEvery);
  }
}

LockTimes LockWatch::Finish() {
  ended_.store(true);
  thread_.join();
  LockTimes times;
  times.reader_p99_us = Percentile(waits_us_, 99);
  times.reader_max_us = Percentile(waits_us_, 100);
  std::map<double, double> grown;
  for (const auto& [bound, count] : ReadBuckets(*metrics_)) {
    const auto it = before_.find(bound);
    grown[bound] = count - (it == before_.end() ? 0 : it->second);
  }
  const double total = grown.empty() ? 0 : grown.rbegin()->second;
  if (total <= 0) return times;
  for (const auto& [bound, count] : grown) {
    if (!times.held_p99_us_at_most && count >= 0.99 * total)
      times.held_p99_us_at_most = bound * 1e6;
    if (!times.held_max_us_at_most && count >= total) times.held_max_us_at_most = bound * 1e6;
  }
  return times;
}

}  // namespace cairn::bench
