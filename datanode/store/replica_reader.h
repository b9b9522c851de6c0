// Reads a finalized replica in whole chunks, with their checksums.
//
// Why: a reader checks every byte, so it gets whole chunks and the CRC of each (P4). The files stay
// open: a replica that is deleted meanwhile can be read to its end. Of one thread. Made by
// ReplicaStore::OpenReader; used by the service, by copies and by verification.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn::datanode {

class ReplicaReader {
 public:
  // Checks the checksum file's header against the block. DATA_LOSS with kChecksum when they do not
  // agree.
  static absl::StatusOr<std::unique_ptr<ReplicaReader>> Open(Env* env, const std::string& data,
                                                             const std::string& checksums,
                                                             const Block& block);

  const Block& block() const { return block_; }  // with its true length

  // Reads bytes from `offset` (a multiple of 4 KiB) on: as many as `out` has or as the replica has
  // left; out's size is a multiple of 4 KiB. Returns the bytes read and replaces *crcs with those
  // of their chunks. With `verify`, DATA_LOSS with kChecksum and the offset of a chunk that fails.
  absl::StatusOr<size_t> Read(uint64_t offset, std::span<char> out, bool verify,
                              std::vector<uint32_t>* crcs);

 private:
  ReplicaReader(std::unique_ptr<File> data, std::unique_ptr<File> checksums, Block block)
      : data_(std::move(data)), checksums_(std::move(checksums)), block_(block) {}

  const std::unique_ptr<File> data_;
  const std::unique_ptr<File> checksums_;
  const Block block_;
};

// The first chunk of `payload` (from its start in pieces of 4 KiB) whose CRC differs, or -1.
// `crcs` must have one for each chunk.
int64_t FirstBadChunk(std::string_view payload, std::span<const uint32_t> crcs);

}  // namespace cairn::datanode
