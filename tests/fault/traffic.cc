#include "tests/fault/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <random>
#include <utility>

#include "tests/support/files.h"
#include "tests/support/history.h"
#include "tests/support/process.h"

namespace cairn::testing {
namespace {

constexpr int64_t kPauseMs = 30;  // between two operations of a client
constexpr size_t kPieceBytes = 256 << 10;

}  // namespace

absl::StatusOr<std::unique_ptr<Traffic>> Traffic::Start(const std::string& namenode,
                                                        const std::string& directory,
                                                        const Options& options) {
  ASSIGN_OR_RETURN(auto fs, FileSystem::Connect({.namenodes = {namenode},
                                                 .timeout_ms = options.timeout_ms,
                                                 .transfer = {.packet_bytes = 64 << 10}}));
  RETURN_IF_ERROR(fs->Mkdirs(directory, /*create_parents=*/false));
  auto traffic = std::unique_ptr<Traffic>(new Traffic(std::move(fs), directory, options));
  for (int i = 0; i < options.writers; ++i) {
    traffic->threads_.emplace_back([t = traffic.get(), i] { t->Write(i); });
  }
  for (int i = 0; i < options.readers; ++i) {
    traffic->threads_.emplace_back([t = traffic.get(), i] { t->Read(i); });
  }
  return traffic;
}

Traffic::~Traffic() { Stop(); }

void Traffic::Stop() {
  stopping_ = true;
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Traffic::Pause() const {
  WaitUntil(kPauseMs, [&] { return stopping_.load(); });
}

void Traffic::Note(const absl::Status& status, int64_t start_us, Tally* tally) {
  ++tally->done;
  tally->longest_us = std::max(tally->longest_us, History::NowUs() - start_us);
  if (status.ok()) return;
  ++failures_;
  failure_ = std::string(MessageOf(status));
}

absl::Status Traffic::Put(const std::string& path, uint64_t seed) {
  ASSIGN_OR_RETURN(auto out, fs_->Create(path, {.publish = true}));
  const std::string bytes = RandomBytes(seed, options_.file_bytes);
  for (size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    RETURN_IF_ERROR(out->Write(std::string_view(bytes).substr(at, kPieceBytes)));
  }
  return out->Close();
}

void Traffic::Write(int writer) {
  for (uint64_t i = 1; !stopping_; ++i) {
    const std::string path = fmt::format("{}/w{}_{}", directory_, writer, i);
    const uint64_t seed = static_cast<uint64_t>(writer + 1) * 1'000'000 + i;
    const int64_t start_us = History::NowUs();
    const absl::Status status = Put(path, seed);
    {
      MutexLock lock(mu_);
      Note(status, start_us, &puts_);
      if (status.ok()) files_[path] = seed;
    }
    Pause();
  }
}

absl::Status Traffic::Compare(const std::string& path, uint64_t seed) {
  ASSIGN_OR_RETURN(const std::unique_ptr<InputStream> in, fs_->Open(path));
  std::string bytes(in->length(), '\0');
  ASSIGN_OR_RETURN(const size_t count, in->PRead(0, {bytes.data(), bytes.size()}));
  bytes.resize(count);
  if (bytes == RandomBytes(seed, options_.file_bytes)) return absl::OkStatus();
  MutexLock lock(mu_);
  wrong_.push_back(fmt::format("{} has other bytes, {} of them", path, count));
  return absl::OkStatus();
}

void Traffic::Read(int reader) {
  std::mt19937 random(static_cast<uint32_t>(reader));
  while (!stopping_) {
    std::pair<std::string, uint64_t> file;
    {
      MutexLock lock(mu_);
      if (!files_.empty()) {
        file = *std::next(files_.begin(), static_cast<int64_t>(random() % files_.size()));
      }
    }
    if (!file.first.empty()) {
      const int64_t start_us = History::NowUs();
      const absl::Status status = Compare(file.first, file.second);
      MutexLock lock(mu_);
      Note(status, start_us, &reads_);
    }
    Pause();
  }
}

size_t Traffic::files() const {
  MutexLock lock(mu_);
  return files_.size();
}

size_t Traffic::failures() const {
  MutexLock lock(mu_);
  return failures_;
}

std::vector<std::string> Traffic::Wrong() {
  std::map<std::string, uint64_t> files;
  {
    MutexLock lock(mu_);
    if (threads_.empty()) files = files_;
  }
  for (const auto& [path, seed] : files) {
    const absl::Status status = Compare(path, seed);
    MutexLock lock(mu_);
    if (!status.ok()) wrong_.push_back(fmt::format("{}: {}", path, MessageOf(status)));
  }
  MutexLock lock(mu_);
  return wrong_;
}

std::string Traffic::ToString() const {
  MutexLock lock(mu_);
  const auto text = [](const Tally& tally, const char* what) {
    return fmt::format("{} {}, the longest {:.2f} s", tally.done, what,
                       static_cast<double>(tally.longest_us) / 1e6);
  };
  return fmt::format("{}; {}; {} failed{}", text(puts_, "puts"), text(reads_, "reads"), failures_,
                     failure_.empty() ? "" : fmt::format(" ({})", failure_));
}

}  // namespace cairn::testing
