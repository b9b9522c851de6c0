// Clients that write new files and read old ones while a test lets something fail: what they were
// told must be true afterwards, and how long they had to wait is noted.
//
// Why beside the torture: one fault at a time, few rules, a figure for each kind of fault.
// Threads of this process; Stop() ends them. The functions are for one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/file_system.h"
#include "common/mutex.h"
#include "common/status.h"

namespace cairn::testing {

class Traffic {
 public:
  struct Options {
    int writers = 2;
    int readers = 2;
    uint64_t file_bytes = 1'500'000;
    int64_t timeout_ms = 60'000;  // of a call to the NameNode
  };

  // Begins; writers work below `directory`, which it makes.
  static absl::StatusOr<std::unique_ptr<Traffic>> Start(const std::string& namenode,
                                                        const std::string& directory,
                                                        const Options& options);
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  void Stop();

  // Any time; of what ended by now.
  size_t files() const;     // that were acknowledged
  size_t failures() const;  // of writes and reads
  // What was wrong: bytes that were read. After Stop(): of all files, read once more.
  std::vector<std::string> Wrong();
  // "12 puts, the longest 2.13 s; 340 reads, the longest 0.52 s; 1 failed (... why the last did)".
  std::string ToString() const;

 private:
  struct Tally {
    size_t done = 0;
    int64_t longest_us = 0;
  };

  Traffic(std::unique_ptr<FileSystem> fs, std::string directory, Options options)
      : fs_(std::move(fs)), directory_(std::move(directory)), options_(options) {}
  void Write(int writer);
  void Read(int reader);
  absl::Status Put(const std::string& path, uint64_t seed);
  // Of a file with other bytes: what is wrong goes to wrong_.
  absl::Status Compare(const std::string& path, uint64_t seed);
  void Note(const absl::Status& status, int64_t start_us, Tally* tally)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Pause() const;

  const std::unique_ptr<FileSystem> fs_;
  const std::string directory_;
  const Options options_;
  std::atomic<bool> stopping_{false};
  std::vector<std::thread> threads_;
  mutable Mutex mu_;
  std::map<std::string, uint64_t> files_ ABSL_GUARDED_BY(mu_);  // acknowledged -> seed
  std::vector<std::string> wrong_ ABSL_GUARDED_BY(mu_);
  Tally puts_ ABSL_GUARDED_BY(mu_);
  Tally reads_ ABSL_GUARDED_BY(mu_);
  size_t failures_ ABSL_GUARDED_BY(mu_) = 0;
  std::string failure_ ABSL_GUARDED_BY(mu_);  // the last one
};

}  // namespace cairn::testing
