// The OutputStream behind FileSystem::Create and Append: cuts bytes into packets and blocks, and
// knows what of them is to be flushed, finished and reported.
//
// Checksums are over chunks from their start. So after a flush within a chunk the next packet
// begins with that whole chunk again: the writer keeps its bytes. Not thread-safe: one writer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "client/client_core.h"
#include "client/file_blocks.h"
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

  // `lease` was acquired before the file was created or opened.
  FileWriter(std::shared_ptr<ClientCore> core, std::unique_ptr<LeaseRenewer::Hold> lease,
             v1::CreateReply created, Consistency consistency, CloseOptions on_close);
  FileWriter(std::shared_ptr<ClientCore> core, std::unique_ptr<LeaseRenewer::Hold> lease,
             v1::AppendReply opened, Consistency consistency);
  ~FileWriter() override;

  absl::Status Write(std::string_view data) override;
  absl::Status WriteFrom(ByteSource& source, uint64_t expected) override;
  absl::Status HFlush() override;
  absl::Status HSync() override;
  absl::Status Close() override;
  absl::Status Abandon() override;
  uint64_t length() const override { return length_; }

 private:
  enum class State { kOpen, kBroken, kClosed, kAbandoned };

  absl::Status CheckOpen() const;
  // The stream's status from now on, if it is an error.
  absl::Status Broken(absl::Status status);
  absl::Status Append(std::string_view data);
  absl::Status AppendFrom(ByteSource& source, uint64_t expected);
  // How many blocks may be filled at once, of `bytes` that follow.
  uint64_t BlocksToFill(uint64_t bytes) const;
  absl::Status FlushBytes(bool sync);
  // The file's bytes are all there: finishes the last block and closes.
  absl::Status FinishFile();

  // Goes on in the block that Append opened: reads the start of its last chunk.
  absl::Status ResumeBlock();
  absl::Status ReadTail(const v1::LocatedBlock& block, std::string* tail);
  absl::Status ReadTailIn(const v1::LocatedBlock& block, int64_t stall_ms, std::span<char> tail);
  void StartPacket();
  // The packet being filled, complete.
  FileBlocks::Packet Seal(bool sync, bool last);
  absl::Status SendPacket(bool sync);
  absl::Status FinishBlock();

  const std::shared_ptr<ClientCore> core_;
  std::unique_ptr<LeaseRenewer::Hold> lease_;
  const WrittenFile file_;
  const CloseOptions on_close_;

  State state_ = State::kOpen;
  absl::Status failure_;
  uint64_t length_ = 0;
  bool syncs_ = false;               // HSync was called
  uint64_t synced_to_ = UINT64_MAX;  // the file's length then

  std::optional<v1::LocatedBlock> untouched_;  // Append opened it, and no byte came yet
  FileBlocks blocks_;
  uint64_t block_bytes_ = 0;    // of the block being written, the packet being filled included
  FileBlocks::Packet filling_;  // from a chunk's border on; full ones stay until more bytes come
  uint64_t filling_limit_ = 0;  // bytes of a full one
  uint64_t new_bytes_ = 0;      // of its payload; those before them were sent already
};

}  // namespace cairn
