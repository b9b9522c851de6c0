#include "tests/bench/client_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>

#include "client/bench/content.h"
#include "client/bench/statistics.h"
#include "common/steady_time.h"

namespace cairn::bench {
namespace {

constexpr std::chrono::milliseconds kLookUpPause{1};

}  // namespace

absl::StatusOr<std::unique_ptr<ClientLoad>> ClientLoad::Start(ClientLoadOptions options) {
  ClientOptions client{.namenodes = {options.namenode}};
  client.short_circuit = false;
  ASSIGN_OR_RETURN(auto fs, FileSystem::Connect(client));
  std::unique_ptr<ClientLoad> load(new ClientLoad(std::move(options), std::move(fs)));
  load->Begin();
  return load;
}

ClientLoad::ClientLoad(ClientLoadOptions options, std::unique_ptr<FileSystem> fs)
    : options_(std::move(options)), fs_(std::move(fs)), taken_us_(SteadyNowUs()) {}

ClientLoad::~ClientLoad() {
  ended_.store(true);
  for (std::thread& thread : threads_) thread.join();
}

void ClientLoad::Begin() {
  for (int i = 0; i < options_.readers; ++i) {
    threads_.emplace_back([this, i] { Note(ReadFiles(static_cast<size_t>(i))); });
  }
  for (int i = 0; i < options_.writers; ++i) {
    threads_.emplace_back([this, i] { Note(WriteFiles(static_cast<size_t>(i))); });
  }
  threads_.emplace_back([this] { Note(LookUp()); });
}

void ClientLoad::Note(const absl::Status& status) {
  MutexLock lock(mu_);
  if (failure_.ok()) failure_ = status;
}

absl::Status ClientLoad::ReadFiles(size_t reader) {
  std::vector<char> buffer(1 << 20);
  const size_t step = std::max(options_.readers, 1);
  for (size_t file = reader; !ended_.load(); file += step) {
    ASSIGN_OR_RETURN(const auto in, fs_->Open(options_.files[file % options_.files.size()]));
    while (!ended_.load()) {
      ASSIGN_OR_RETURN(const size_t count, in->Read({buffer.data(), buffer.size()}));
      if (count == 0) break;
      read_bytes_.fetch_add(count);
    }
  }
  return absl::OkStatus();
}

absl::Status ClientLoad::WriteFiles(size_t writer) {
  const Content content;
  for (uint64_t file = 0; !ended_.load(); ++file) {
    const std::string path = fmt::format("{}/{}-{}", options_.folder, writer, file);
    CreateOptions create;
    create.block_size = options_.block_size;
    ASSIGN_OR_RETURN(const auto out, fs_->Create(path, create));
    uint64_t offset = 0;
    while (!ended_.load() && offset < options_.write_bytes) {
      const std::string_view piece = content.Piece(file, offset, options_.write_bytes);
      RETURN_IF_ERROR(out->Write(piece));
      offset += piece.size();
      written_bytes_.fetch_add(piece.size());
    }
    RETURN_IF_ERROR(out->Close());
    RETURN_IF_ERROR(fs_->Delete(path, /*recursive=*/false));
  }
  return absl::OkStatus();
}

absl::Status ClientLoad::LookUp() {
  for (size_t file = 0; !ended_.load(); ++file) {
    const int64_t start_us = SteadyNowUs();
    RETURN_IF_ERROR(fs_->GetFileInfo(options_.files[file % options_.files.size()]).status());
    const auto waited_us = static_cast<float>(SteadyNowUs() - start_us);
    {
      MutexLock lock(mu_);
      waits_us_.push_back(waited_us);
    }
    std::this_thread::sleep_for(kLookUpPause);
  }
  return absl::OkStatus();
}

absl::StatusOr<ClientWork> ClientLoad::Take() {
  std::vector<float> waits_us;
  {
    MutexLock lock(mu_);
    RETURN_IF_ERROR(failure_);
    waits_us = std::exchange(waits_us_, {});
  }
  const int64_t now_us = SteadyNowUs();
  const int64_t since_us = std::exchange(taken_us_, now_us);
  ClientWork work;
  work.read_bytes = read_bytes_.exchange(0);
  work.written_bytes = written_bytes_.exchange(0);
  work.lookups = waits_us.size();
  work.p99_ms = Percentile(waits_us, 99) / 1e3;
  work.longest_ms = Percentile(waits_us, 100) / 1e3;
  work.seconds = static_cast<double>(now_us - since_us) / 1e6;
  return work;
}

}  // namespace cairn::bench
