// Reads a replica in whole chunks, with their checksums.
//
// Why: a reader checks every byte, so it gets whole chunks and the CRC of each (P4). Where a reader
// of an open replica ends within a chunk, that chunk's CRC is the writer's for these bytes, or
// computed anew after the chunk was verified. The files stay open: a replica that is finalized,
// stamped or deleted meanwhile can be read to its end. Of one thread. Made by
// ReplicaStore::OpenReader; used by the service, by copies and by verification.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"
#include "datanode/store/open_replica.h"

namespace cairn::datanode {

class ReplicaReader {
 public:
  struct Source {
    std::string data;                         // path
    std::string checksums;                    // path
    Block replica;                            // with all its bytes
    std::shared_ptr<const OpenReplica> open;  // null: on disk is all that is known
    bool finalized = true;
  };
  // Of the replica's first `length` bytes. DATA_LOSS with kChecksum when its files do not agree;
  // NOT_FOUND when they are not there.
  static absl::StatusOr<std::unique_ptr<ReplicaReader>> Open(Env* env, const Source& source,
                                                             uint64_t length);
  ~ReplicaReader();

  const Block& block() const { return block_; }  // generation: the replica's; length: to be read
  bool open() const { return !finalized_; }

  // Reads bytes from `offset` (a multiple of 4 KiB) on: as many as `out` has or as there are left;
  // out's size is a multiple of 4 KiB. Returns the bytes read and replaces *crcs with those of
  // their chunks. With `verify`, DATA_LOSS with kChecksum and the offset of a chunk that fails.
  // FAILED_PRECONDITION with kStaleReplica when a recovery has cut an open replica below that.
  absl::StatusOr<size_t> Read(uint64_t offset, std::span<char> out, bool verify,
                              std::vector<uint32_t>* crcs);

  // The same into memory of its own, which goes with the last Cord that shares it.
  absl::StatusOr<absl::Cord> ReadShared(uint64_t offset, uint64_t bytes, bool verify,
                                        std::vector<uint32_t>* crcs);

  // Takes both files out of the page cache: before, so that what is read comes from the disk; or
  // after, because nobody will read it soon.
  void DropFromCache();

  // For one who reads a finalized replica's files without this: open as long as this lives; -1
  // where the Env has no descriptors. No byte below the length of block() changes in them.
  struct Files {
    int data = -1;
    int checksums = -1;
    uint32_t tail_crc = 0;  // of the last chunk, where it is not a whole one: not in the file
  };
  Files files() const { return {data_->fd(), checksums_->fd(), tail_crc_}; }

  // The CRC32C of all its bytes, put together from the chunks' CRCs.
  absl::StatusOr<uint32_t> Checksum();

 private:
  ReplicaReader(std::unique_ptr<File> data, std::unique_ptr<File> checksums, const Source& source,
                uint64_t length);
  absl::Status Bad(std::string_view what) const;
  absl::Status FindTailCrc(const Source& source);
  absl::StatusOr<OpenReplica::Extent> CheckFiles(uint64_t length);
  absl::Status ReadChecksums(uint64_t offset, uint64_t count, std::vector<uint32_t>* crcs);
  absl::Status CheckNotCut() const;

  const std::unique_ptr<File> data_;
  const std::unique_ptr<File> checksums_;
  const Block block_;
  const bool finalized_;
  const std::shared_ptr<const OpenReplica> open_;
  // Of the last chunk, where it is not a whole one: the one in the file may grow.
  uint32_t tail_crc_ = 0;
};

}  // namespace cairn::datanode
