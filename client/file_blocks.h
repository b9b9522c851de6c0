// The blocks of a file that is written: the one that fills, and those before it that are under way.
//
// Why: a block's last ack comes after its nodes have synced it. Meanwhile the next block fills: its
// pipeline is other connections, and often other disks. Where the bytes are known before, several
// blocks fill at once. A block of which nothing was acknowledged may still be given up for another,
// so the next one begins only after that: then it is certain to stay. One writer; each block under
// way has a thread of its own. Used by FileWriter.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/block_writer.h"
#include "client/byte_source.h"
#include "client/packet_pool.h"
#include "common/mutex.h"
#include "common/thread_cache.h"
#include "proto/namenode.pb.h"
#include "proto/types.pb.h"

namespace cairn {

class ClientCore;

class FileBlocks {
 public:
  using Packet = BlockWriter::Packet;

  // The core must outlive it.
  FileBlocks(ClientCore* core, const WrittenFile& file);
  ~FileBlocks() { BreakOff(); }
  FileBlocks(const FileBlocks&) = delete;
  FileBlocks& operator=(const FileBlocks&) = delete;

  // As BlockWriter's, of the block that fills.
  void StartBlock(v1::LocatedBlock target) { filling_->StartBlock(std::move(target)); }
  void ResumeBlock(v1::LocatedBlock target) { filling_->ResumeBlock(std::move(target)); }
  bool has_block() const { return filling_->has_block(); }
  absl::Status AbandonBlock() { return filling_->AbandonBlock(); }

  Packet NewPacket() { return pool_.Take(); }
  absl::Status Send(Packet packet) { return Cause(filling_->Send(std::move(packet))); }
  // Until every node has what was sent of the block that fills, and earlier ones are finished.
  absl::Status Flush();
  // Until earlier blocks are finished.
  absl::Status AwaitEarlier();
  // Sends the packet marked `last` of a block of `length` bytes; the next one may begin. An error
  // of one that ends comes with the next call.
  absl::Status Finish(Packet last, uint64_t length);
  // Fills the next `count` blocks, several at once, with the source's first bytes. The block after
  // them may begin when this returns, but they read the source until AwaitEarlier has returned.
  absl::Status Fill(ByteSource& source, uint64_t count);
  // Until all blocks are finished, with what the NameNode was not told of yet.
  absl::StatusOr<std::vector<v1::FinishedBlock>> FinishAll();
  // Ends the pipelines soon, whatever is on its way; nothing else may be called but it.
  void BreakOff();

 private:
  // A block that a thread of its own sends or ends.
  struct UnderWay {
    std::unique_ptr<BlockWriter> writer;  // the thread's until it is done
    std::optional<ThreadCache::Task> task;
    // Under mu_.
    bool next_begins = false;  // the block is certain to stay, or is done
    std::unique_ptr<BlockWriter> next;
    bool done = false;
  };
  using Work = std::function<absl::Status(UnderWay&)>;

  // Has a thread do `work` for a block. `next_begins`: the next one has begun already.
  UnderWay& Start(std::unique_ptr<BlockWriter> writer, bool next_begins, Work work)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Ended(UnderWay& block, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status FillOne(UnderWay& block, ByteSource& source, uint64_t offset);
  void LetNextBegin(UnderWay& block) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::unique_ptr<BlockWriter> AwaitNext(UnderWay& block) ABSL_LOCKS_EXCLUDED(mu_);
  // Until at most `most` are under way; after a failure, until none is.
  absl::Status AwaitRoom(size_t most) ABSL_LOCKS_EXCLUDED(mu_);
  // The failure that stopped the others, rather than that they were stopped.
  absl::Status Cause(absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);
  std::unique_ptr<BlockWriter> WriterAfter(BlockWriter* before);

  ClientCore* const core_;
  const WrittenFile file_;
  PacketPool pool_;
  std::atomic<bool> stopped_ = false;
  std::unique_ptr<BlockWriter> filling_;

  Mutex mu_;
  CondVar changed_;
  std::list<UnderWay> under_way_ ABSL_GUARDED_BY(mu_);
  absl::Status failed_ ABSL_GUARDED_BY(mu_);  // the first of those under way to fail
};

}  // namespace cairn
