// The blocks of a file that is written: the one that fills, and the one before it, which ends.
//
// Why: a block's last ack comes after its nodes have synced it. Meanwhile the next block fills: its
// pipeline is other connections, and often other disks. A block of which nothing was acknowledged
// may still be given up for another, and so is ended before the next begins; after that it is
// certain to stay. One writer; the block that ends has a thread of its own. Used by FileWriter.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/block_writer.h"
#include "client/packet_pool.h"
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
  absl::Status Send(Packet packet) { return filling_->Send(std::move(packet)); }
  // Until every node has what was sent of the block that fills, and earlier ones are finished.
  absl::Status Flush();
  // Until earlier blocks are finished.
  absl::Status AwaitEnding();
  // Sends the packet marked `last` of a block of `length` bytes; the next one may begin. An error
  // of one that ends comes with the next call.
  absl::Status Finish(Packet last, uint64_t length);
  // Until all blocks are finished, with what the NameNode was not told of yet.
  absl::StatusOr<std::vector<v1::FinishedBlock>> FinishAll();
  // Ends the pipelines soon, whatever is on its way; nothing else may be called but it.
  void BreakOff();

 private:
  ClientCore* const core_;
  const WrittenFile file_;
  PacketPool pool_;
  std::atomic<bool> stopped_ = false;
  std::unique_ptr<BlockWriter> filling_;
  // Both while a block ends; its thread alone uses them until it is joined.
  std::unique_ptr<BlockWriter> ending_;
  absl::Status ended_;
  std::optional<ThreadCache::Task> task_;
};

}  // namespace cairn
