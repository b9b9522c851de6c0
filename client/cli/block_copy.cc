#include "client/cli/block_copy.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "client/cli/copy.h"
#include "common/mutex.h"

namespace cairn::cli {
namespace {

constexpr uint64_t kBlocksAtOnce = 4;

class BlockCopy {
 public:
  BlockCopy(const Context& context, InputStream& in, uint64_t offset, uint64_t length,
            LocalTarget& target, Progress* progress)
      : context_(context),
        in_(in),
        begin_(offset),
        end_(offset + length),
        block_size_(std::max<uint64_t>(in.status().block_size, 1)),
        target_(target),
        progress_(progress),
        next_block_(offset / block_size_) {}

  BlockCopyResult Run() {
    const uint64_t blocks = (end_ - 1) / block_size_ - begin_ / block_size_ + 1;
    std::vector<std::thread> threads;
    for (uint64_t i = 1; i < std::min(blocks, kBlocksAtOnce); ++i) {
      threads.emplace_back([this] { RunThread(); });
    }
    RunThread();
    for (std::thread& thread : threads) thread.join();
    MutexLock lock(mu_);
    return result_;
  }

 private:
  void RunThread() {
    const std::unique_ptr<InputStream> in = in_.Clone();
    while (!failed_) {
      const uint64_t block = next_block_++;
      const uint64_t from = std::max(begin_, block * block_size_);
      if (from >= end_) return;
      if (!CopyOne(*in, from, std::min(end_, (block + 1) * block_size_))) return;
    }
  }

  bool CopyOne(InputStream& in, uint64_t from, uint64_t to) {
    absl::Status written;
    absl::Status status = in.Seek(from);
    if (status.ok()) {
      status = CopyBytes(
          context_,
          [&](std::span<char> buffer) -> absl::StatusOr<size_t> {
            if (failed_) return size_t{0};  // another thread has
            return in.Read(buffer);
          },
          [&](std::string_view data) {
            written = target_.WriteAt(from - begin_, data);
            from += data.size();
            return written;
          },
          progress_, to - from);
    }
    if (status.ok()) return true;
    MutexLock lock(mu_);
    if (!failed_.exchange(true)) (written.ok() ? result_.read : result_.write) = status;
    return false;
  }

  const Context& context_;
  InputStream& in_;
  const uint64_t begin_;
  const uint64_t end_;
  const uint64_t block_size_;
  LocalTarget& target_;
  Progress* const progress_;
  std::atomic<uint64_t> next_block_;
  std::atomic<bool> failed_{false};
  Mutex mu_;
  BlockCopyResult result_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

BlockCopyResult CopyBlocks(const Context& context, InputStream& in, uint64_t offset,
                           uint64_t length, LocalTarget& target, Progress* progress) {
  if (length == 0) return {};
  return BlockCopy(context, in, offset, length, target, progress).Run();
}

}  // namespace cairn::cli
