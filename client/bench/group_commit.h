// A bare group commit: records that several threads append to one file, durable together.
//
// Why: what a disk gives to durable changes is the baseline of every change that a NameNode
// journals. The file is preallocated, as a journal's segments are, and has no name: nothing is
// left, however the process ends. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/env.h"
#include "common/mutex.h"
#include "common/status.h"

namespace cairn::bench {

class GroupCommit {
 public:
  // `dir` exists; the disk under it is measured.
  static absl::StatusOr<std::unique_ptr<GroupCommit>> Open(Env* env, const std::string& dir);

  // Appends a record of `bytes` bytes; returns once it is on the disk.
  absl::Status Commit(size_t bytes) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  explicit GroupCommit(std::unique_ptr<File> file) : file_(std::move(file)) {}
  absl::Status Write(const std::string& batch);

  const std::unique_ptr<File> file_;
  uint64_t offset_ = 0;  // of whoever writes
  Mutex mu_;
  CondVar written_;
  std::string batch_ ABSL_GUARDED_BY(mu_);
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t appended_ ABSL_GUARDED_BY(mu_) = 0;  // records
  uint64_t durable_ ABSL_GUARDED_BY(mu_) = 0;   // records
  absl::Status failed_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::bench
