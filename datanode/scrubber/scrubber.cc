#include "datanode/scrubber/scrubber.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "common/background_task.h"
#include "common/logging.h"
#include "common/status.h"
#include "datanode/scrubber/directory_scan.h"
#include "datanode/scrubber/replica_scan.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr int64_t kSliceMs = 1'000;

}  // namespace

struct Scrubber::OneVolume {
  size_t index = 0;  // VolumeInfo::index: never given out again
  std::string path;
  std::atomic<bool> stop = false;
  std::unique_ptr<ReplicaScan> replicas;  // null: off
  std::unique_ptr<DirectoryScan> folders;
  std::unique_ptr<BackgroundTask> task;

  absl::Status RunOnce() {
    absl::Status status = replicas != nullptr ? replicas->RunOnce() : absl::OkStatus();
    status.Update(folders->RunOnce());
    return status;
  }
};

Scrubber::Scrubber(const Options& options, ReplicaStore* store, Clock* clock, Metrics* metrics)
    : options_(options), store_(store), clock_(clock), metrics_(metrics) {
  for (const VolumeInfo& info : store->Volumes()) {
    volumes_.push_back(MakeVolume(info.index, info.path));
  }
}

Scrubber::~Scrubber() { Stop(); }

std::unique_ptr<Scrubber::OneVolume> Scrubber::MakeVolume(size_t index, const std::string& path) {
  int64_t folders_ms = options_.directory_interval_ms;
  if (options_.scan_period_ms > 0) folders_ms = std::min(folders_ms, options_.scan_period_ms);
  auto volume = std::make_unique<OneVolume>();
  volume->index = index;
  volume->path = path;
  if (options_.scan_period_ms > 0) {
    volume->replicas = std::make_unique<ReplicaScan>(
        ReplicaScan::Options{options_.scan_period_ms, options_.scan_rate}, index, path, store_,
        clock_, metrics_, &volume->stop);
  }
  volume->folders = std::make_unique<DirectoryScan>(folders_ms, index, path, store_, clock_,
                                                    metrics_, &volume->stop);
  volume->task = std::make_unique<BackgroundTask>(
      fmt::format("scan-{}", index), kSliceMs,
      [one = volume.get(), ready = options_.ready] {
        return ready == nullptr || ready() ? one->RunOnce() : absl::OkStatus();
      },
      metrics_);
  return volume;
}

void Scrubber::Start() {
  MutexLock lock(mu_);
  if (stopped_ || std::exchange(started_, true)) return;
  for (const auto& volume : volumes_) volume->task->Start();
}

void Scrubber::FollowVolumes() {
  const std::vector<VolumeInfo> infos = store_->Volumes();
  Volumes gone;
  {
    MutexLock lock(mu_);
    if (stopped_) return;
    const auto is = [](size_t index) {
      return [index](const auto& volume) { return volume->index == index; };
    };
    for (auto& volume : volumes_) {
      if (std::none_of(infos.begin(), infos.end(),
                       [&](const VolumeInfo& info) { return info.index == volume->index; })) {
        gone.push_back(std::move(volume));
      }
    }
    std::erase(volumes_, nullptr);
    for (const VolumeInfo& info : infos) {
      if (std::any_of(volumes_.begin(), volumes_.end(), is(info.index))) continue;
      volumes_.push_back(MakeVolume(info.index, info.path));
      if (started_) volumes_.back()->task->Start();
    }
  }
  End(gone);
}

// All are told before any is waited for.
void Scrubber::End(const Volumes& volumes) {
  for (const auto& volume : volumes) volume->stop.store(true);
  for (const auto& volume : volumes) volume->task->Stop();
  for (const auto& volume : volumes) {
    if (volume->replicas == nullptr) continue;
    if (const absl::Status saved = volume->replicas->SaveProgress(); !saved.ok()) {
      LogWarn("{}: how far the scrubber was is not kept: {}", volume->path, MessageOf(saved));
    }
  }
}

void Scrubber::Stop() {
  Volumes all;
  {
    MutexLock lock(mu_);
    if (std::exchange(stopped_, true)) return;
    all = std::exchange(volumes_, {});
  }
  End(all);
}

}  // namespace cairn::datanode
