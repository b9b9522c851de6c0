// Small files in a local folder: the baseline of `cairn bench smallfiles`.
//
// A put is what a program does that wants its file whole and on disk: create under another name,
// write, fdatasync, rename. A get opens and reads. The folder is removed with the object.
// Thread-safe for different numbers.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "client/bench/content.h"
#include "common/status.h"

namespace cairn::bench {

class RawFolder {
 public:
  // A new folder in `parent`, which must exist.
  static absl::StatusOr<std::unique_ptr<RawFolder>> Create(const std::string& parent);
  ~RawFolder();
  RawFolder(const RawFolder&) = delete;
  RawFolder& operator=(const RawFolder&) = delete;

  absl::Status Put(const Content& content, uint64_t number, uint64_t bytes);
  // DATA_LOSS unless it has these bytes.
  absl::Status Get(const Content& content, uint64_t number, uint64_t bytes);

 private:
  explicit RawFolder(std::string path) : path_(std::move(path)) {}

  const std::string path_;
};

}  // namespace cairn::bench
