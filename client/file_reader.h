// The InputStream behind FileSystem::Open: finds the block and the replica for every byte, and
// another replica when one fails.
//
// Nodes that failed are left out for the life of the stream, and replicas that failed their
// checksums too. When no replica of a block is left, the locations are asked for once more and all
// of its replicas get another chance, and more time; only then does a read fail. A node that ended
// the stream of a reader that took nothing for long has not failed: it is asked again.
// Thread-safety as InputStream's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "client/client_core.h"
#include "client/input_stream.h"
#include "client/local_first_reader.h"
#include "client/open_file.h"
#include "common/mutex.h"

namespace cairn {

class FileReader final : public InputStream {
 public:
  FileReader(std::shared_ptr<ClientCore> core, std::string path, const ReadableFile& file);
  ~FileReader() override;

  absl::StatusOr<size_t> Read(std::span<char> out) override;
  absl::StatusOr<size_t> ReadAt(uint64_t offset, std::span<char> out) override;
  absl::Status Seek(uint64_t offset) override;
  std::unique_ptr<InputStream> Clone() override;
  uint64_t position() const override { return position_; }
  uint64_t length() const override { return length_; }
  const FileStatus& status() const override { return status_; }
  void Close() override;

 private:
  using Locations = std::map<uint64_t, v1::LocatedBlock>;  // by offset in the file

  FileReader(std::shared_ptr<ClientCore> core, std::string path, FileStatus status, uint64_t length,
             Locations blocks);

  enum class ReadAhead { kNo, kToBlockEnd };
  // Where one sequence of reads has got to.
  struct Cursor {
    std::unique_ptr<LocalFirstReader> reader;
    uint64_t offset = 0;  // in the file, of the reader's next byte
    absl::Status last_failure;
    // Since the last byte was read:
    bool fetched_again = false;  // the locations
    bool asked_again = false;    // a node that took us for idle
  };

  // Fills `out`, which ends within the file.
  absl::Status ReadFully(Cursor& cursor, uint64_t offset, std::span<char> out,
                         ReadAhead read_ahead);
  // Makes the cursor's reader stand at `offset`; `want` bytes are needed there.
  absl::Status Position(Cursor& cursor, uint64_t offset, uint64_t want, ReadAhead read_ahead);
  void Failed(Cursor& cursor, const absl::Status& status);

  absl::StatusOr<v1::LocatedBlock> Locate(uint64_t offset) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status FetchLocations(uint64_t offset) ABSL_LOCKS_EXCLUDED(mu_);
  void TakeLocations(const v1::GetBlockLocationsReply& located) ABSL_LOCKS_EXCLUDED(mu_);
  // The nearest replica that has not failed.
  std::optional<v1::NodeAddress> Choose(const v1::LocatedBlock& block) ABSL_LOCKS_EXCLUDED(mu_);
  // Forgets the block's location and the failures of its nodes.
  void Forget(const v1::LocatedBlock& block) ABSL_LOCKS_EXCLUDED(mu_);

  const std::shared_ptr<ClientCore> core_;
  const std::string path_;
  const FileStatus status_;
  const uint64_t length_;  // what may be read

  // Of Read's caller alone.
  uint64_t position_ = 0;
  Cursor cursor_;
  bool closed_ = false;

  Mutex mu_;
  Locations blocks_ ABSL_GUARDED_BY(mu_);
  std::set<NodeNumber> bad_nodes_ ABSL_GUARDED_BY(mu_);
  std::set<std::pair<BlockId, NodeNumber>> bad_replicas_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn
