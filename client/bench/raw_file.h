// A local file of the baselines: preallocated and without a name.
//
// Why: a file without a name is gone with its process, however that ends. `direct` ones bypass the
// page cache (O_DIRECT) where their file system can, which is how disks are fastest here: twice as
// fast as buffered writes at half of the CPU. Not thread-safe.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "client/bench/content.h"
#include "client/bench/measure.h"
#include "common/fd.h"
#include "common/status.h"

namespace cairn::bench {

inline constexpr uint64_t kDiskAlignment = 4096;

// Memory that direct writes and reads can use, touched.
class AlignedBuffer {
 public:
  explicit AlignedBuffer(size_t bytes);  // a multiple of kDiskAlignment
  std::span<char> span() const { return {data_.get(), bytes_}; }
  std::string_view first(size_t bytes) const { return {data_.get(), bytes}; }

 private:
  struct Free {
    void operator()(char* data) const { std::free(data); }
  };
  const size_t bytes_;
  const std::unique_ptr<char, Free> data_;
};

class RawFile {
 public:
  // In `dir`, which must exist, with room for `bytes`.
  static absl::StatusOr<std::unique_ptr<RawFile>> Create(const std::string& dir, uint64_t bytes,
                                                         bool direct);

  // The first bytes of `buffer`, at a multiple of kDiskAlignment. What lies behind them in the
  // buffer may be written too, up to such a multiple.
  absl::Status Write(uint64_t offset, const AlignedBuffer& buffer, size_t bytes);
  absl::Status Sync();  // fdatasync
  // Fills the buffer; OUT_OF_RANGE where the file ends before.
  absl::Status Read(uint64_t offset, const AlignedBuffer& buffer) const;
  // Writes the first `bytes` of the content, and syncs.
  absl::Status Fill(const Content& content, uint64_t file, uint64_t bytes, const Stopped& stopped);
  // DATA_LOSS unless it begins with these `bytes` of the content.
  absl::Status Verify(const Content& content, uint64_t file, uint64_t bytes,
                      const Stopped& stopped);
  int fd() const { return fd_.get(); }

 private:
  explicit RawFile(Fd fd) : fd_(std::move(fd)) {}

  const Fd fd_;
};

}  // namespace cairn::bench
