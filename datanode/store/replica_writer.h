// Writes one new replica: bytes in order, then everything durable under its final name, or nothing.
//
// Why: the order in which files are synced and renamed is what makes "durable" true (P3) and what
// lets a restart tell a whole replica from a cut one. Data goes to rbw/ with write-back started
// every 8 MiB, so that the sync at the end is short; checksums stay in memory until then. Of one
// thread. Made by ReplicaStore::Create, which must outlive it; used by the pipeline.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn::datanode {

class ReplicaStore;
class SpacePromise;
class Volume;

class ReplicaWriter {
 public:
  // Used by the store, which has entered the replica in its map.
  ReplicaWriter(ReplicaStore* store, Env* env, Volume* volume, Block block,
                std::unique_ptr<SpacePromise> promise);
  ~ReplicaWriter();  // removes what was written, unless Finalize succeeded
  ReplicaWriter(const ReplicaWriter&) = delete;
  ReplicaWriter& operator=(const ReplicaWriter&) = delete;

  absl::Status Open();

  // Writes `payload` at the end of what was written, which is a chunk border, with the CRC of each
  // of its chunks. Only the last payload may end within a chunk. The caller has verified the CRCs.
  // ABORTED when the replica was deleted meanwhile; kNoSpace when the disk is full.
  absl::Status Append(std::string_view payload, std::span<const uint32_t> crcs);

  // Makes the replica durable and visible. After an error nothing of it is left.
  absl::Status Finalize();

  uint64_t length() const { return length_; }  // bytes written
  const Volume& volume() const { return *volume_; }

 private:
  absl::Status PreallocateFor(uint64_t length);
  absl::Status WriteChecksums();
  absl::Status MoveToFinalized();
  void Abort();

  ReplicaStore* const store_;
  Env* const env_;
  Volume* const volume_;
  const Block block_;  // length: the most that may come
  std::unique_ptr<SpacePromise> promise_;
  std::unique_ptr<File> data_;
  std::vector<uint32_t> crcs_;
  uint64_t length_ = 0;
  uint64_t preallocated_ = 0;
  uint64_t writeback_from_ = 0;
  bool moving_ = false;  // files may stand under their final names
  bool done_ = false;
};

}  // namespace cairn::datanode
