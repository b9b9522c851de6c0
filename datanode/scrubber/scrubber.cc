#include "datanode/scrubber/scrubber.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

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
  std::string path;
  std::unique_ptr<ReplicaScan> replicas;  // null: off
  std::unique_ptr<DirectoryScan> folders;
  std::unique_ptr<BackgroundTask> task;

  absl::Status RunOnce() {
    absl::Status status = replicas != nullptr ? replicas->RunOnce() : absl::OkStatus();
    status.Update(folders->RunOnce());
    return status;
  }
};

Scrubber::Scrubber(const Options& options, ReplicaStore* store, Clock* clock, Metrics* metrics) {
  int64_t folders_ms = options.directory_interval_ms;
  if (options.scan_period_ms > 0) folders_ms = std::min(folders_ms, options.scan_period_ms);
  for (const VolumeInfo& info : store->Volumes()) {
    auto volume = std::make_unique<OneVolume>();
    volume->path = info.path;
    if (options.scan_period_ms > 0) {
      volume->replicas = std::make_unique<ReplicaScan>(
          ReplicaScan::Options{options.scan_period_ms, options.scan_rate}, info.index, info.path,
          store, clock, metrics, &stop_);
    }
    volume->folders = std::make_unique<DirectoryScan>(folders_ms, info.index, info.path, store,
                                                      clock, metrics, &stop_);
    volume->task = std::make_unique<BackgroundTask>(
        fmt::format("scan-{}", info.index), kSliceMs,
        [one = volume.get(), ready = options.ready] {
          return ready == nullptr || ready() ? one->RunOnce() : absl::OkStatus();
        },
        metrics);
    volumes_.push_back(std::move(volume));
  }
}

Scrubber::~Scrubber() { Stop(); }

void Scrubber::Start() {
  for (const auto& volume : volumes_) volume->task->Start();
}

void Scrubber::Stop() {
  if (stop_.exchange(true)) return;
  for (const auto& volume : volumes_) volume->task->Stop();
  for (const auto& volume : volumes_) {
    if (volume->replicas == nullptr) continue;
    if (const absl::Status saved = volume->replicas->SaveProgress(); !saved.ok()) {
      LogWarn("{}: how far the scrubber was is not kept: {}", volume->path, MessageOf(saved));
    }
  }
}

}  // namespace cairn::datanode
