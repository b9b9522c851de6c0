#include "client/file_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <system_error>

#include "client/client_core.h"
#include "client/packet.h"
#include "common/status.h"

namespace cairn {

FileBlocks::FileBlocks(ClientCore* core, const WrittenFile& file)
    : core_(core), file_(file), filling_(WriterAfter(nullptr)) {}

std::unique_ptr<BlockWriter> FileBlocks::WriterAfter(BlockWriter* before) {
  return std::make_unique<BlockWriter>(core_, file_, &stopped_, before);
}

absl::Status FileBlocks::Flush() {
  RETURN_IF_ERROR(AwaitEarlier());
  return filling_->Flush();
}

absl::Status FileBlocks::Finish(Packet last, uint64_t length) {
  RETURN_IF_ERROR(AwaitEarlier());
  if (!filling_->stays()) return filling_->Finish(std::move(last), length);
  std::unique_ptr<BlockWriter> next = WriterAfter(filling_.get());
  Start(std::exchange(filling_, std::move(next)), /*next_begins=*/true,
        [last = std::move(last), length](UnderWay& block) mutable {
          return block.writer->Finish(std::move(last), length);
        });
  return absl::OkStatus();
}

absl::Status FileBlocks::Fill(ByteSource& source, uint64_t count) {
  RETURN_IF_ERROR(AwaitEarlier());
  const size_t at_once = core_->options().transfer.blocks_at_once;
  for (uint64_t i = 0; i < count; ++i) {
    RETURN_IF_ERROR(AwaitRoom(at_once - 1));
    UnderWay& block = Start(std::move(filling_), /*next_begins=*/false,
                            [this, &source, offset = i * file_.block_size](UnderWay& it) {
                              return FillOne(it, source, offset);
                            });
    filling_ = AwaitNext(block);
  }
  return AwaitRoom(at_once);
}

absl::Status FileBlocks::FillOne(UnderWay& block, ByteSource& source, uint64_t offset) {
  for (uint64_t begin = 0; begin < file_.block_size;) {
    if (stopped_.load()) return absl::CancelledError("the writer gave the file up");
    const uint64_t size =
        std::min<uint64_t>(core_->packet_size().bytes(), file_.block_size - begin);
    Packet packet = pool_.TakeSized(size);
    std::string& payload = *packet->mutable_payload();
    ASSIGN_OR_RETURN(const size_t got, source.ReadAt(offset + begin, std::span(payload)));
    if (got < size) {
      return absl::FailedPreconditionError(fmt::format(
          "it ended after {} bytes and was longer before; write it again", offset + begin + got));
    }
    packet->set_offset(begin);
    AddChecksums(*packet);
    begin += size;
    packet->set_last(begin == file_.block_size);
    if (packet->last()) return block.writer->Finish(std::move(packet), file_.block_size);
    RETURN_IF_ERROR(block.writer->Send(std::move(packet)));
    if (!block.writer->stays()) continue;
    MutexLock lock(mu_);
    LetNextBegin(block);
  }
  return absl::OkStatus();
}

FileBlocks::UnderWay& FileBlocks::Start(std::unique_ptr<BlockWriter> writer, bool next_begins,
                                        Work work) {
  UnderWay* block = nullptr;
  {
    MutexLock lock(mu_);
    block = &under_way_.emplace_back();
    block->next_begins = next_begins;
  }
  block->writer = std::move(writer);
  try {
    block->task = core_->block_ends().Run(
        [this, block, work = std::move(work)] { Ended(*block, work(*block)); });
  } catch (const std::system_error& error) {
    Ended(*block, absl::ResourceExhaustedError(
                      fmt::format("cannot start a thread for a block: {}", error.what())));
  }
  return *block;
}

void FileBlocks::Ended(UnderWay& block, const absl::Status& status) {
  MutexLock lock(mu_);
  if (!status.ok()) {
    if (failed_.ok()) failed_ = status;
    stopped_.store(true);
  }
  LetNextBegin(block);
  block.done = true;
  changed_.SignalAll();
}

void FileBlocks::LetNextBegin(UnderWay& block) {
  if (std::exchange(block.next_begins, true)) return;
  block.next = WriterAfter(block.writer.get());
  changed_.SignalAll();
}

std::unique_ptr<BlockWriter> FileBlocks::AwaitNext(UnderWay& block) {
  MutexLock lock(mu_);
  while (!block.next_begins) changed_.Wait(mu_);
  return std::move(block.next);
}

absl::StatusOr<std::vector<v1::FinishedBlock>> FileBlocks::FinishAll() {
  RETURN_IF_ERROR(AwaitEarlier());
  return filling_->TakeFinished();
}

void FileBlocks::BreakOff() {
  stopped_.store(true);
  AwaitEarlier().IgnoreError();
  filling_->BreakOff();
}

absl::Status FileBlocks::AwaitEarlier() { return AwaitRoom(0); }

absl::Status FileBlocks::AwaitRoom(size_t most) {
  std::list<UnderWay> ended;
  absl::Status failed;
  {
    MutexLock lock(mu_);
    while (true) {
      for (auto block = under_way_.begin(); block != under_way_.end();) {
        const auto next = std::next(block);
        if (block->done) ended.splice(ended.end(), under_way_, block);
        block = next;
      }
      if (!failed_.ok()) most = 0;
      if (under_way_.size() <= most) break;
      changed_.Wait(mu_);
    }
    failed = failed_;
  }
  for (UnderWay& block : ended) {
    if (block.task) block.task->Join();
    if (failed.ok()) filling_->TakeOver(*block.writer);
  }
  return failed;
}

absl::Status FileBlocks::Cause(absl::Status status) {
  if (status.ok()) return status;
  MutexLock lock(mu_);
  return failed_.ok() ? status : failed_;
}

}  // namespace cairn
