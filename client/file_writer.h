// The OutputStream behind FileSystem::Create: cuts a file into blocks and packets, and gets every
// block onto disks.
//
// A block goes through one pipeline. When that fails, the block is abandoned, the failed node left
// out, and the block's packets, which are kept until it is finished, are written again through a
// new one. One block at a time. Not thread-safe: one writer.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client/block_pipeline.h"
#include "client/client_core.h"
#include "client/output_stream.h"

namespace cairn {

class FileWriter final : public OutputStream {
 public:
  // What happens to the file when it is closed.
  struct CloseOptions {
    std::string publish_as;  // empty: it keeps its name
    bool overwrite = false;
    int64_t mtime_ms = 0;  // 0: the time of the close
    int64_t atime_ms = 0;
    std::optional<uint32_t> mode;
  };

  // `lease` was acquired before the file was created.
  FileWriter(std::shared_ptr<ClientCore> core, std::unique_ptr<LeaseRenewer::Hold> lease,
             v1::CreateReply created, CloseOptions on_close);
  ~FileWriter() override;

  absl::Status Write(std::string_view data) override;
  absl::Status Close() override;
  absl::Status Abandon() override;
  uint64_t length() const override { return length_; }

 private:
  enum class State { kOpen, kBroken, kClosed, kAbandoned };

  absl::Status CheckOpen() const;
  absl::Status Append(std::string_view data);
  // The file's bytes are all there: finishes the last block and closes.
  absl::Status FinishFile();
  absl::Status Complete();

  // Seals the packet being filled and sends it; with `last` the block is then on disk.
  absl::Status EmitPacket(bool last);
  // Gets every sealed packet of the block sent, through as many pipelines as it takes.
  absl::Status Push();
  absl::Status PushOnce();
  absl::Status EnsureTarget();
  absl::Status AskForTarget();
  absl::Status AbandonBlock();
  void LeaveOut(const v1::NodeAddress& node);
  // Without the nodes left out there are too few: waits, and gives the one that failed first
  // another chance. False when none is left out, or the block has had its tries.
  bool TakeBackOne();
  void DropSentPackets();
  void BlockIsFinished();

  std::shared_ptr<v1::WritePacket> NewPacket();

  const std::shared_ptr<ClientCore> core_;
  std::unique_ptr<LeaseRenewer::Hold> lease_;
  const INodeId inode_;
  const uint64_t block_size_;
  const uint32_t min_replicas_;
  const CloseOptions on_close_;

  State state_ = State::kOpen;
  absl::Status failure_;
  uint64_t length_ = 0;

  // The block being written.
  std::optional<v1::LocatedBlock> target_;  // where it goes; unset: the NameNode must be asked
  std::unique_ptr<BlockPipeline> pipeline_;
  uint64_t block_bytes_ = 0;                              // the packet being filled included
  std::shared_ptr<v1::WritePacket> filling_;              // full ones stay until more bytes come
  std::vector<std::shared_ptr<v1::WritePacket>> sealed_;  // kept, to be written again
  size_t sent_ = 0;                                       // of `sealed_`, by this pipeline
  uint64_t next_seq_ = 1;
  bool last_sealed_ = false;
  bool kept_whole_ = true;  // `sealed_` holds the block from its start
  int attempts_ = 0;

  std::vector<v1::FinishedBlock> finished_;          // not yet reported
  std::map<NodeNumber, int64_t> left_out_until_ms_;  // steady time
  std::vector<std::shared_ptr<v1::WritePacket>> spare_packets_;
};

}  // namespace cairn
