// The InputStream behind FileSystem::Open: finds the block for every byte, reads ahead of those who
// read in sequence, and cuts reads at the borders of blocks.
//
// What happens within a block, failing replicas and late ones, is ReplicaRace's. When no replica of
// a block is left, the locations are asked for once more and all of its replicas get another
// chance, and more time; only then does a read fail. Thread-safety as InputStream's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "client/block_locations.h"
#include "client/busy_wait.h"
#include "client/client_core.h"
#include "client/input_stream.h"
#include "client/merged_reads.h"
#include "client/missing_wait.h"
#include "client/open_file.h"
#include "client/read_window.h"
#include "client/replica_race.h"

namespace cairn {

class FileReader final : public InputStream {
 public:
  FileReader(std::shared_ptr<ClientCore> core, std::string path, const ReadableFile& file);
  ~FileReader() override;

  absl::StatusOr<size_t> Read(std::span<char> out) override;
  absl::StatusOr<size_t> PRead(uint64_t offset, std::span<char> out) override;
  absl::Status PReadV(std::span<ReadRange> ranges) override;
  absl::Status Seek(uint64_t offset) override;
  std::unique_ptr<InputStream> Clone() override;
  uint64_t position() const override { return position_; }
  uint64_t length() const override { return locations_->length(); }
  const FileStatus& status() const override { return locations_->status(); }
  void Close() override;

 private:
  FileReader(std::shared_ptr<ClientCore> core, std::shared_ptr<BlockLocations> locations);

  // Where one sequence of reads has got to.
  struct Cursor {
    ReadWindow* window = nullptr;  // null: nothing is read ahead
    size_t turn = 0;               // ReplicaRace's
    std::unique_ptr<ReplicaRace> race = nullptr;
    bool fetched_again = false;  // the locations, since the last byte was read
    BusyWait busy;               // since then, too, as the next one
    MissingWait missing;
  };
  Cursor MakeCursor(ReadWindow* window, size_t turn) {
    return {.window = window,
            .turn = turn,
            .busy = BusyWait(&core_->clock()),
            .missing = MissingWait(core_.get())};
  }

  // As PRead, beginning at the block's `turn`-th node.
  absl::StatusOr<size_t> PReadInTurn(uint64_t offset, std::span<char> out, size_t turn);
  absl::Status FetchMerged(const MergedRead& read, std::span<ReadRange> ranges, size_t turn);
  // Fills `out`, which ends within the file.
  absl::Status ReadFully(Cursor& cursor, uint64_t offset, std::span<char> out);
  // Makes the cursor's race stand at `offset`; `want` bytes are needed there.
  absl::Status Position(Cursor& cursor, uint64_t offset, uint64_t want);
  // OK if the block is to be tried again. Where a node only has too many readers, or the NameNode
  // sees none that has the block, waits before.
  absl::Status NoReplicaLeft(Cursor& cursor, const absl::Status& last);

  const std::shared_ptr<ClientCore> core_;
  const std::shared_ptr<BlockLocations> locations_;

  // Of Read's caller alone.
  uint64_t position_ = 0;
  ReadWindow window_;
  Cursor cursor_ = MakeCursor(&window_, /*turn=*/0);
  bool closed_ = false;
};

}  // namespace cairn
