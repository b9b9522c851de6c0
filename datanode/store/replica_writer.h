// Writes one replica: a new one, a copy, or one that is here already and goes on.
//
// Why: the order in which bytes, checksums and names are synced is what makes "durable" true (P3)
// and what lets a restart tell how much of a replica is whole (docs/formats/replica.md). Data and
// checksums reach the page cache with every packet, write-back is started every 8 MiB, so that a
// sync is short. The owner of the replica while it lives: nobody else changes its files. When it is
// destroyed without Finalize, a client's replica stays, open; a copy goes. Of one thread, except
// SetVisible. Made by the store, which must outlive it; used by the pipeline.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "absl/strings/cord.h"
#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"
#include "datanode/store/replica.h"

namespace cairn::datanode {

class OpenFiles;
class OpenReplica;
class ReplicaStore;
class SpacePromise;
class Volume;

class ReplicaWriter {
 public:
  // Used by the store, which has entered the replica in its map.
  ReplicaWriter(ReplicaStore* store, Volume* volume, const Block& block,
                std::unique_ptr<OpenFiles> files, std::unique_ptr<SpacePromise> promise);
  ~ReplicaWriter();
  ReplicaWriter(const ReplicaWriter&) = delete;
  ReplicaWriter& operator=(const ReplicaWriter&) = delete;

  // Takes in `payload`, which begins at `offset` in the block (a multiple of 4 KiB, at most what
  // was written), with the CRC of each of its chunks, which the caller has verified. What is there
  // already is compared (DATA_LOSS with kChecksum when it differs), only what is new is written.
  // INVALID_ARGUMENT for a gap or more than block.length bytes; ABORTED when the replica was
  // deleted meanwhile; DATA_LOSS when it was found bad; kNoSpace when the disk is full. After an
  // error of the disk every later call fails with it.
  absl::Status Append(uint64_t offset, const absl::Cord& payload, std::span<const uint32_t> crcs);

  // Makes all that was written durable, to be found by a restart (hsync). After an error only what
  // an earlier call made durable is left.
  absl::Status Sync();

  // All nodes behind this one have acknowledged `length` bytes; readers get what both they and this
  // node have. Thread-safe.
  void SetVisible(uint64_t length);

  // The replica is whole: it takes its final name, and (kNow) is durable and reported. kLater may
  // do the same when too many wait to be synced. After an error it is open as before.
  absl::Status Finalize(Durability durability = Durability::kNow);

  // Of CreateJoin: the replica has all its bytes (else FAILED_PRECONDITION); makes it durable as an
  // open replica.
  absl::Status Seal();

  const Block& block() const { return block_; }  // length: the most that may come
  uint64_t length() const;                       // bytes written
  uint64_t durable_length() const;               // bytes that outlive a power cut
  const Volume& volume() const { return *volume_; }

 private:
  friend class ReplicaStore;

  absl::Status Check();
  // Of a sync: notes a failure. Returns `status`.
  absl::Status NoteSync(absl::Status status);

  ReplicaStore* const store_;
  Volume* const volume_;
  const Block block_;
  const std::unique_ptr<OpenFiles> files_;
  const std::shared_ptr<OpenReplica> open_;
  std::unique_ptr<SpacePromise> promise_;
  absl::Status failure_;  // the first one; the replica must not grow after it
  bool named_ = false;    // its names outlive a power cut
  bool done_ = false;     // finalized
};

}  // namespace cairn::datanode
