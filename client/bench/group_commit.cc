#include "client/bench/group_commit.h"

#include <utility>

#include "common/strings.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kFileBytes = 64 << 20;  // then it begins anew

}  // namespace

absl::StatusOr<std::unique_ptr<GroupCommit>> GroupCommit::Open(Env* env, const std::string& dir) {
  const std::string path = dir + "/cairn-bench-" + NewUuid();
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, env->Open(path, OpenMode::kCreate));
  RETURN_IF_ERROR(env->Remove(path));
  RETURN_IF_ERROR(file->Preallocate(kFileBytes, /*keep_size=*/false));
  RETURN_IF_ERROR(file->Sync());
  return std::unique_ptr<GroupCommit>(new GroupCommit(std::move(file)));
}

absl::Status GroupCommit::Commit(size_t bytes) {
  MutexLock lock(mu_);
  batch_.append(bytes, 'x');
  const uint64_t own = ++appended_;
  while (durable_ < own && failed_.ok()) {
    if (writing_) {
      written_.Wait(mu_);
      continue;
    }
    // This thread writes for all that came so far; those that come meanwhile are the next batch.
    writing_ = true;
    const std::string batch = std::exchange(batch_, {});
    const uint64_t last = appended_;
    mu_.Unlock();
    absl::Status status = Write(batch);
    mu_.Lock();
    writing_ = false;
    durable_ = last;
    if (!status.ok()) failed_ = std::move(status);
    written_.SignalAll();
  }
  return failed_;
}

absl::Status GroupCommit::Write(const std::string& batch) {
  if (offset_ + batch.size() > kFileBytes) offset_ = 0;
  RETURN_IF_ERROR(file_->WriteAt(offset_, batch));
  offset_ += batch.size();
  return file_->Sync();
}

}  // namespace cairn::bench
