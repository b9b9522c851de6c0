// Reads edits: one segment file, or the chain of segments over the data directories.
//
// Nothing that fails its checksum, its place or its order is ever returned: reading ends with an
// error (DATA_LOSS, with its offset) that names the file, the byte and the way out. Only an
// in-progress segment may end in a torn tail, and only if no batch follows the damage
// (docs/formats/journal.md). Reading changes nothing, so it also works beside a running NameNode.
// Used by the start's replay, the checkpoint's child and the offline tools. Not thread-safe.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn::namenode {

struct JournalRecord {
  TxId txid = 0;
  std::string_view bytes;  // until the next call of Next
  uint64_t offset = 0;     // of these bytes in the segment's file
};

// One segment file; closed if its name is edits_<first>-<last>, else in progress.
class SegmentReader {
 public:
  static absl::StatusOr<std::unique_ptr<SegmentReader>> Open(Env* env, const std::string& path);
  ~SegmentReader();

  // The next record; false at the end.
  absl::StatusOr<bool> Next(JournalRecord* record);

  const std::string& path() const { return path_; }
  const std::string& id() const { return id_; }  // 16 random bytes, the same in all directories
  TxId first() const { return first_; }
  TxId last() const { return next_ - 1; }  // of the batches read so far; first - 1: none
  // Where the batches read so far end; at the end, the bytes of the file that count.
  uint64_t valid_bytes() const { return offset_; }
  // At the end of an in-progress segment: bytes other than zero follow valid_bytes().
  bool torn() const { return torn_; }

 private:
  class Window;

  SegmentReader(std::string path, std::unique_ptr<File> file);
  absl::Status ReadHeader();
  // Loads the batch at offset_; false at the end.
  absl::StatusOr<bool> NextBatch();
  absl::StatusOr<bool> LoadBatch(std::string* why);
  absl::StatusOr<bool> EndOfInProgress();
  absl::StatusOr<uint64_t> FindBatchAfter(uint64_t offset);
  absl::Status DamageAt(uint64_t offset, const std::string& what) const;

  const std::string path_;
  const std::unique_ptr<File> file_;
  std::unique_ptr<Window> window_;
  bool closed_ = false;
  TxId closed_last_ = 0;  // by the name of a closed segment
  std::string id_;
  uint32_t crc_seed_ = 0;
  TxId first_ = 0;

  uint64_t offset_ = 0;  // of the next batch
  TxId next_ = 0;        // the first txid of the next batch
  bool torn_ = false;
  std::string_view records_;  // what is left of the batch, in the window
  TxId record_txid_ = 0;
};

// Every record from `from` to `to`, over all segments. `dirs` are current/ folders that hold the
// same journal.
class JournalReader {
 public:
  static constexpr TxId kAll = std::numeric_limits<TxId>::max();

  // NOT_FOUND when `from` lies below the oldest segment; DATA_LOSS when segments are missing
  // between others. With a `to` other than kAll, an end before `to` is an error too.
  static absl::StatusOr<std::unique_ptr<JournalReader>> Open(Env* env,
                                                             const std::vector<std::string>& dirs,
                                                             TxId from, TxId to = kAll);
  ~JournalReader();

  // The next record; false at the end.
  absl::StatusOr<bool> Next(JournalRecord* record);
  TxId last() const { return next_ - 1; }  // the last record returned; from - 1: none yet

 private:
  JournalReader(Env* env, std::vector<std::string> paths, TxId from, TxId to);

  Env* const env_;
  const std::vector<std::string> paths_;  // in the order of their txids
  const TxId to_;
  size_t next_path_ = 0;
  std::unique_ptr<SegmentReader> segment_;
  TxId next_;
};

}  // namespace cairn::namenode
