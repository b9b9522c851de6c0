#include "client/file_blocks.h"

#include "client/client_core.h"
#include "common/status.h"

namespace cairn {

FileBlocks::FileBlocks(ClientCore* core, const WrittenFile& file)
    : core_(core),
      file_(file),
      filling_(std::make_unique<BlockWriter>(core, file_, &stopped_, nullptr)) {}

absl::Status FileBlocks::Flush() {
  RETURN_IF_ERROR(AwaitEnding());
  return filling_->Flush();
}

absl::Status FileBlocks::Finish(Packet last, uint64_t length) {
  RETURN_IF_ERROR(AwaitEnding());
  if (!filling_->stays()) return filling_->Finish(std::move(last), length);
  auto next = std::make_unique<BlockWriter>(core_, file_, &stopped_, filling_.get());
  ending_ = std::exchange(filling_, std::move(next));
  task_ = core_->block_ends().Run([this, last = std::move(last), length]() mutable {
    ended_ = ending_->Finish(std::move(last), length);
  });
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::FinishedBlock>> FileBlocks::FinishAll() {
  RETURN_IF_ERROR(AwaitEnding());
  return filling_->TakeFinished();
}

void FileBlocks::BreakOff() {
  stopped_.store(true);
  AwaitEnding().IgnoreError();
  filling_->BreakOff();
}

absl::Status FileBlocks::AwaitEnding() {
  if (!task_) return absl::OkStatus();
  task_->Join();
  task_.reset();
  if (ended_.ok()) filling_->TakeOver(*ending_);
  ending_.reset();
  return ended_;
}

}  // namespace cairn
