// The two files of an open replica: what is written to them, and in which order it is made durable.
//
// Why: data before checksums before the slot that vouches for both, at every step: a power cut then
// leaves a replica of which a start can tell how much is whole (docs/formats/replica.md). Knows
// neither names nor states. Of one thread. Used by the writer and by block recovery.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"
#include "datanode/store/data_writer.h"
#include "datanode/store/open_replica.h"

namespace cairn::datanode {

class OpenFiles {
 public:
  // New files, checksums first.
  static absl::StatusOr<std::unique_ptr<OpenFiles>> Create(Env* env, const std::string& data,
                                                           const std::string& checksums, BlockId id,
                                                           std::shared_ptr<OpenReplica> open,
                                                           const DataWriting& writing = {});
  // Those of a replica that is here.
  static absl::StatusOr<std::unique_ptr<OpenFiles>> Open(Env* env, const std::string& data,
                                                         const std::string& checksums,
                                                         std::shared_ptr<OpenReplica> open,
                                                         const DataWriting& writing = {});

  const std::shared_ptr<OpenReplica>& open() const { return open_; }
  uint64_t preallocated() const { return preallocated_; }
  // A sync failed: what it was to write may be lost, and later ones would not tell.
  bool lost() const { return lost_; }

  // As ReplicaWriter::Append. `limit`: the most bytes that may come.
  absl::Status Append(uint64_t offset, const absl::Cord& payload, std::span<const uint32_t> crcs,
                      uint64_t limit);
  // Gives back what was preallocated beyond the end; what an Append that failed left there goes for
  // good.
  absl::Status Trim();
  // Makes all that was written durable. After an error the files may have lost some of it.
  absl::Status Sync();
  // The same for files without a name that a start would look at, or soon to be finalized, in fewer
  // steps where there was no Sync before.
  absl::Status SyncWhole();
  // Says in a slot that the files are whole, for whoever makes them durable by other means; until
  // then the slot proves nothing. Only where there was no Sync before.
  absl::Status WriteWholeSlot();
  // Makes the files durable as they are, without saying so in a slot.
  absl::Status SyncFiles();
  // Cuts the replica to `length` bytes, at most what was written, durably. The chunk that is cut is
  // verified before: DATA_LOSS with kChecksum.
  absl::Status Cut(uint64_t length);

 private:
  OpenFiles(std::unique_ptr<File> data, std::unique_ptr<File> checksums,
            std::shared_ptr<OpenReplica> open, std::unique_ptr<DataWriter> writer, DiskMeter* meter)
      : data_(std::move(data)),
        checksums_(std::move(checksums)),
        open_(std::move(open)),
        writer_(std::move(writer)),
        meter_(meter) {}

  absl::StatusOr<bool> DoFilesDiffer();
  absl::Status Compare(uint64_t offset, const absl::Cord& payload, std::span<const uint32_t> crcs,
                       const OpenReplica::Extent& end);
  absl::Status PreallocateFor(uint64_t length, uint64_t limit);
  absl::Status WriteChecksums(uint64_t offset, std::span<const uint32_t> crcs);
  absl::Status WriteData(uint64_t offset, const absl::Cord& bytes);
  absl::Status SyncOne(File& file);
  absl::Status SyncSlot(const OpenReplica::Extent& end, uint32_t sequence);
  absl::StatusOr<OpenReplica::Extent> FindEnd(uint64_t length);
  absl::Status CutFiles(const OpenReplica::Extent& end);

  const std::unique_ptr<File> data_;
  const std::unique_ptr<File> checksums_;
  const std::shared_ptr<OpenReplica> open_;
  const std::unique_ptr<DataWriter> writer_;  // to data_
  DiskMeter* const meter_;                    // may be null
  uint64_t preallocated_ = 0;
  uint64_t appended_ = 0;  // by this object
  bool torn_ = false;      // the files may go further than open_ says: a write failed
  bool unsynced_ = true;
  bool lost_ = false;
};

}  // namespace cairn::datanode
