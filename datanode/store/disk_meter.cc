#include "datanode/store/disk_meter.h"

#include <algorithm>
#include <array>

namespace cairn::datanode {
namespace {

constexpr uint64_t kMiB = 1 << 20;

LatencyFigure FigureOf(const LatencyCounts& counts) {
  return {.median_us = counts.MedianUs(), .samples = counts.total()};
}

constexpr std::array kKinds = {&DiskFigures::write, &DiskFigures::sync};

// The upper median of the other disks', so that of two kinds of disks it is the slower ones'; 0
// when none was measured.
uint64_t MedianOfOthers(const std::map<std::string, DiskFigures>& disks, const std::string& id,
                        LatencyFigure DiskFigures::*kind) {
  std::vector<uint64_t> medians;
  for (const auto& [other, figures] : disks) {
    const LatencyFigure& figure = figures.*kind;
    if (other != id && figure.samples >= SlowDisks::kMinSamples) {
      medians.push_back(figure.median_us);
    }
  }
  if (medians.empty()) return 0;
  const auto middle = medians.begin() + static_cast<ptrdiff_t>(medians.size() / 2);
  std::nth_element(medians.begin(), middle, medians.end());
  return *middle;
}

}  // namespace

void DiskMeter::NoteWrite(uint64_t bytes, int64_t us, int64_t steady_ms) {
  if (bytes < kLeastBytes) return;
  LatencyCounts one;
  one.Add(us * static_cast<int64_t>(kMiB) / static_cast<int64_t>(bytes));
  MutexLock lock(mu_);
  writes_.Add(one, steady_ms);
}

void DiskMeter::NoteSync(int64_t us, int64_t steady_ms) {
  LatencyCounts one;
  one.Add(us);
  MutexLock lock(mu_);
  syncs_.Add(one, steady_ms);
}

DiskFigures DiskMeter::Report(int64_t steady_ms) const {
  MutexLock lock(mu_);
  return {.write = FigureOf(writes_.Sum(steady_ms)), .sync = FigureOf(syncs_.Sum(steady_ms))};
}

void SlowDisks::Judge(const std::map<std::string, DiskFigures>& disks) {
  std::erase_if(states_, [&](const auto& entry) { return !disks.contains(entry.first); });
  for (const auto& [id, figures] : disks) {
    // How often its limit the worse of both is.
    double worst = 0;
    Verdict verdict;
    for (const auto kind : kKinds) {
      const LatencyFigure& figure = figures.*kind;
      const uint64_t others_us = MedianOfOthers(disks, id, kind);
      if (figure.samples < kMinSamples || others_us == 0) continue;
      const uint64_t limit_us = std::max(kThresholdUs, kMultiplier * others_us);
      const double share = static_cast<double>(figure.median_us) / static_cast<double>(limit_us);
      if (share <= worst) continue;
      worst = share;
      verdict = {.us = figure.median_us, .others_us = others_us};
    }
    State& state = states_[id];
    const bool against = state.slow ? worst < kWellBelow : worst > 1;
    state.against = against ? state.against + 1 : 0;
    if (state.against >= kJudgements) {
      state.slow = !state.slow;
      state.against = 0;
    }
    if (worst > 0) state.verdict = verdict;
  }
}

const SlowDisks::Verdict* SlowDisks::Find(const std::string& storage_id) const {
  const auto it = states_.find(storage_id);
  return it == states_.end() || !it->second.slow ? nullptr : &it->second.verdict;
}

}  // namespace cairn::datanode
