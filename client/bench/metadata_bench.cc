#include "client/bench/metadata_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/bench/cluster_files.h"

namespace cairn::bench {
namespace {

constexpr int kRounds = 5;
constexpr int kPreparers = 8;           // threads that make what a round needs
constexpr uint64_t kFilesPerList = 10;  // a listing costs as much as many look-ups

bool NeedsFiles(Operation operation) {
  return operation == Operation::kGetFileInfo || operation == Operation::kList ||
         operation == Operation::kRename || operation == Operation::kDelete;
}

bool IsRead(Operation operation) { return InfoOf(operation).records.empty(); }

}  // namespace

bool MetadataBench::Wanted(Operation operation) const {
  return std::find(options_.operations.begin(), options_.operations.end(), operation) !=
         options_.operations.end();
}

bool MetadataBench::Needed(Operation operation) const {
  if (Wanted(operation)) return true;
  return operation == Operation::kCreate &&
         std::any_of(options_.operations.begin(), options_.operations.end(), NeedsFiles);
}

uint64_t MetadataBench::CountOf(Operation operation, uint64_t files) const {
  return operation == Operation::kList ? std::max<uint64_t>(1, files / kFilesPerList) : files;
}

uint64_t MetadataBench::Plan() const {
  uint64_t planned = 0;
  for (const OperationInfo& info : Operations()) {
    if (!Needed(info.operation)) continue;
    planned += CountOf(info.operation, options_.files) * (Wanted(info.operation) ? 2 : 1);
  }
  return planned * (options_.callers.size() + options_.processes.size());
}

absl::Status MetadataBench::Run(const std::function<void(const Row&)>& row) {
  planned_.store(Plan());
  ASSIGN_OR_RETURN(disk_, GroupCommit::Open(env_, options_.sync_dir));
  ASSIGN_OR_RETURN(echo_server_, EchoServer::Start());
  echo_ = std::make_unique<EchoClient>(echo_server_->address());
  load_ = std::make_unique<MetadataLoad>(fs_, echo_.get());
  RETURN_IF_ERROR(load_->Connect());
  if (options_.async != nullptr) {
    async_disk_ = std::make_unique<AsyncCommit>(disk_.get());
    RETURN_IF_ERROR(ConnectAsync());
  }

  return InClusterFolder(fs_, options_.dir, "metadata",
                         [&](const std::string& dir) { return RunVariants(dir, row); });
}

absl::Status MetadataBench::RunVariants(const std::string& dir,
                                        const std::function<void(const Row&)>& row) {
  for (const int count : options_.callers) {
    const std::unique_ptr<Callers> callers =
        options_.async != nullptr ? MakeAsync(count, options_.async, echo_.get(), stopped_, &done_)
                                  : MakeThreads(count, load_.get(), stopped_, &done_);
    RETURN_IF_ERROR(RunVariant(callers.get(), fmt::format("{}/t{}", dir, count), row));
  }
  std::vector<std::string> args = options_.worker_args;
  args.push_back(echo_server_->address());
  for (const int count : options_.processes) {
    ASSIGN_OR_RETURN(const std::unique_ptr<Callers> processes,
                     StartProcesses(count, args, stopped_, &done_));
    RETURN_IF_ERROR(RunVariant(processes.get(), fmt::format("{}/p{}", dir, count), row));
  }
  return absl::OkStatus();
}

absl::Status MetadataBench::RunVariant(Callers* callers, const std::string& dir,
                                       const std::function<void(const Row&)>& row) {
  std::vector<Rounds> rounds(Operations().size());
  for (int round = 0; round < kRounds; ++round) {
    const uint64_t files =
        options_.files * (round + 1) / kRounds - options_.files * round / kRounds;
    if (files == 0) continue;
    RETURN_IF_ERROR(RunRound(callers, fmt::format("{}-{}", dir, round), files, &rounds));
  }
  for (const OperationInfo& info : Operations()) {
    if (!Wanted(info.operation)) continue;
    Rounds& own = rounds[static_cast<size_t>(info.operation)];
    row(ToRow(std::string(info.name), callers->variant(), std::move(own)));
  }
  return absl::OkStatus();
}

absl::Status MetadataBench::RunRound(Callers* callers, const std::string& dir, uint64_t files,
                                     std::vector<Rounds>* rounds) {
  std::atomic<uint64_t> made{0};  // not among those that progress tells
  RETURN_IF_ERROR(
      RunThreads(kPreparers, MetadataLoad::FoldersFor(files), stopped_, &made, [&](uint64_t i) {
        return load_->MakeFolder(dir, i);
      }).status());
  Job job{.dir = dir, .total = files};
  for (const OperationInfo& info : Operations()) {
    if (!Needed(info.operation)) continue;
    job.operation = info.operation;
    job.count = CountOf(info.operation, files);
    absl::StatusOr<RoundResult> result = callers->Run(job);
    if (!result.ok()) return Annotate(result.status(), info.name);
    if (info.operation == Operation::kRename) job.renamed = true;
    if (!Wanted(info.operation)) continue;
    Rounds& own = (*rounds)[static_cast<size_t>(info.operation)];
    own.Add(job.count, result->seconds);
    own.cpu_us += result->cpu_us;
    own.latencies_us.insert(own.latencies_us.end(), result->latencies_us.begin(),
                            result->latencies_us.end());
    const absl::StatusOr<RoundResult> bare = Baseline(callers, job);
    if (!bare.ok()) return Annotate(bare.status(), fmt::format("baseline of {}", info.name));
    own.baseline_ops_per_s.push_back(static_cast<double>(job.count) / bare->seconds);
  }
  return absl::OkStatus();
}

// So that no connection is made while something is measured.
absl::Status MetadataBench::ConnectAsync() {
  std::atomic<uint64_t> made{0};
  return RunAsync(1, 1, stopped_, &made,
                  [&](uint64_t, AsyncNamespace::Done done) {
                    options_.async->GetFileInfo(
                        "/", [done = std::move(done)](absl::StatusOr<FileStatus> info) mutable {
                          done(info.status());
                        });
                  })
      .status();
}

void MetadataBench::CommitFrom(const std::vector<size_t>& records, size_t index,
                               AsyncNamespace::Done done) {
  if (index + 1 == records.size()) return async_disk_->Commit(records[index], std::move(done));
  async_disk_->Commit(records[index],
                      [this, &records, index, done = std::move(done)](absl::Status status) mutable {
                        if (!status.ok()) return done(std::move(status));
                        CommitFrom(records, index + 1, std::move(done));
                      });
}

absl::StatusOr<RoundResult> MetadataBench::Baseline(Callers* callers, Job job) {
  if (IsRead(job.operation)) {
    job.echo = true;
    return callers->Run(job);
  }
  const std::vector<size_t>& records = InfoOf(job.operation).records;
  if (async_disk_ != nullptr) {
    return RunAsync(
        callers->count(), job.count, stopped_, &done_,
        [&](uint64_t, AsyncNamespace::Done done) { CommitFrom(records, 0, std::move(done)); });
  }
  return RunThreads(callers->count(), job.count, stopped_, &done_, [&](uint64_t) {
    absl::Status status;
    for (const size_t bytes : records) {
      if (status.ok()) status = disk_->Commit(bytes);
    }
    return status;
  });
}

}  // namespace cairn::bench
