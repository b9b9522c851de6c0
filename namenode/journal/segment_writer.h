// Writes one segment, the same bytes to every data directory. Not thread-safe; used by the
// journal's writer thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn::namenode {

class SegmentWriter {
 public:
  // Begins edits_inprogress_<first> in all `dirs`, durably: the header is there before the name is.
  // Disk space is reserved in steps of `preallocate_bytes`.
  static absl::StatusOr<std::unique_ptr<SegmentWriter>> Create(Env* env,
                                                               const std::vector<std::string>& dirs,
                                                               TxId first,
                                                               uint64_t preallocate_bytes);

  // Appends the batch [first, last] and syncs all directories: durable when it returns OK. After a
  // failure the segment must not be written any more. A marker has last == first - 1.
  absl::Status Append(TxId first, TxId last, std::string_view records);

  // Cuts the file to its used size, syncs it and renames it to edits_<first>-<last>; a segment
  // without records is removed.
  absl::Status Close();

  TxId first() const { return first_; }
  TxId last() const { return last_; }  // first - 1: no record yet
  uint64_t bytes() const { return end_; }

 private:
  struct Copy {
    std::string dir;
    std::string path;
    std::unique_ptr<File> file;
  };

  SegmentWriter(Env* env, TxId first, uint64_t preallocate_bytes);
  absl::Status CreateCopy(const std::string& dir, std::string_view header);
  absl::Status Reserve(uint64_t bytes);

  Env* const env_;
  const TxId first_;
  const uint64_t preallocate_bytes_;
  std::vector<Copy> copies_;
  uint32_t crc_seed_ = 0;
  TxId last_;
  uint64_t end_ = 0;       // where the next frame goes
  uint64_t reserved_ = 0;  // bytes preallocated
};

}  // namespace cairn::namenode
