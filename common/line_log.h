// A log of lines in files that rotate, written by a thread of its own: the audit log.
//
// Why: whoever appends a line must never wait for a disk. Lines go into a bounded buffer; a thread
// writes all that queued with one call. What finds the buffer full, or cannot be written, is
// dropped and counted, and a line in the file tells how many were. Not spdlog: its rotating file
// empties itself when a rename fails, and writes line by line.
//
// FILE is written to; at its limit it becomes FILE.1, FILE.1 becomes FILE.2, and so on; the oldest
// goes. The size is judged before a line is written: a file is larger only if one line is. Nothing
// is synced: lines outlive the process, not the machine. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "common/env.h"
#include "common/mutex.h"
#include "common/status.h"

namespace cairn {

class Counter;

struct LineLogOptions {
  std::string path;  // its directory is made if needed
  uint64_t max_file_bytes = 256ull << 20;
  int64_t max_files = 20;              // the one that is written to included
  size_t max_queued_bytes = 8u << 20;  // of lines that wait to be written
  // The line that tells of `count` dropped ones.
  std::function<std::string(uint64_t count)> dropped_line;
  Counter* dropped = nullptr;  // optional
};

class LineLog {
 public:
  // Goes on with the file that is there. The Env must outlive it.
  static absl::StatusOr<std::unique_ptr<LineLog>> Open(Env* env, LineLogOptions options);
  ~LineLog();  // writes what waits
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  // `line` without its newline. Returns at once; false: it was dropped.
  bool Append(std::string_view line) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits until all lines appended so far are written, or dropped.
  void Flush() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  LineLog(Env* env, LineLogOptions options);
  absl::Status OpenFile();
  void RunWriter() ABSL_LOCKS_EXCLUDED(mu_);
  uint64_t Write(std::string_view lines);
  absl::Status WritePiece(std::string_view lines);
  void Rotate();
  absl::Status RenameAll();
  void TellFailure(const absl::Status& status);

  Env* const env_;
  const LineLogOptions options_;

  // Of the writer's thread alone, once it runs.
  std::unique_ptr<File> file_;
  uint64_t offset_ = 0;     // where the next line goes
  uint64_t rotate_at_ = 0;  // a file that has more than this rotates first
  uint64_t lost_ = 0;       // lines that are dropped and not told of yet
  int64_t told_failure_ms_ = 0;

  Mutex mu_;
  CondVar wake_cv_;
  CondVar written_cv_;
  std::string pending_ ABSL_GUARDED_BY(mu_);
  uint64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;  // since the writer last looked
  uint64_t appended_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t written_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread writer_;
};

}  // namespace cairn
