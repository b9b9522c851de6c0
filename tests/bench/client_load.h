// Clients at work while something else goes on: readers, writers and one that looks names up.
//
// Why: repair, balancing and reports are worth nothing if clients pay for them; how much they get
// and how long one waits is measured beside them. Readers read whole files over TCP, again and
// again, writers write and remove files of their own. Not thread-safe; counts as its threads go.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/file_system.h"
#include "common/mutex.h"
#include "common/status.h"

namespace cairn::bench {

struct ClientLoadOptions {
  std::string namenode;            // host:port
  std::vector<std::string> files;  // what is read; at least one
  std::string folder;              // what is written is in it; it must exist
  uint64_t write_bytes = 0;        // of a file
  uint64_t block_size = 0;         // of the same; 0: the NameNode's default
  int readers = 0;
  int writers = 0;
};

struct ClientWork {
  uint64_t read_bytes = 0;
  uint64_t written_bytes = 0;
  uint64_t lookups = 0;
  double p99_ms = 0;  // of a look-up
  double longest_ms = 0;
  double seconds = 0;

  double ReadRate() const { return static_cast<double>(read_bytes) / 1e9 / seconds; }
  double WriteRate() const { return static_cast<double>(written_bytes) / 1e9 / seconds; }
};

class ClientLoad {
 public:
  // Begins at once.
  static absl::StatusOr<std::unique_ptr<ClientLoad>> Start(ClientLoadOptions options);
  ~ClientLoad();
  ClientLoad(const ClientLoad&) = delete;
  ClientLoad& operator=(const ClientLoad&) = delete;

  // What was done since the start, or since the last Take; the first failure of a client.
  absl::StatusOr<ClientWork> Take() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  ClientLoad(ClientLoadOptions options, std::unique_ptr<FileSystem> fs);

  void Begin();
  absl::Status ReadFiles(size_t reader);
  absl::Status WriteFiles(size_t writer);
  absl::Status LookUp() ABSL_LOCKS_EXCLUDED(mu_);
  void Note(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);

  const ClientLoadOptions options_;
  const std::unique_ptr<FileSystem> fs_;
  std::atomic<bool> ended_{false};
  std::atomic<uint64_t> read_bytes_{0};
  std::atomic<uint64_t> written_bytes_{0};

  Mutex mu_;
  std::vector<float> waits_us_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  int64_t taken_us_ = 0;  // steady, of the last Take

  std::vector<std::thread> threads_;
};

}  // namespace cairn::bench
