// The bytes of an image as records, in order and checked (docs/formats/image.md). This room only.
//
// Pieces unpack by themselves, so that a thread of their own may do it while another one builds the
// state. What is damaged is named with its place. Not thread-safe: one thread at a time.
#pragma once

#include <fmt/format.h>
#include <google/protobuf/arena.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "namenode/codec/image.h"
#include "proto/storage.pb.h"

namespace cairn::namenode {

template <typename... Args>
absl::Status DamagedImage(fmt::format_string<Args...> format, Args&&... args) {
  return absl::DataLossError("the image is damaged: " +
                             fmt::format(format, std::forward<Args>(args)...));
}

// The records of one piece, the trailer left out.
struct ImagePiece {
  std::unique_ptr<google::protobuf::Arena> arena;  // of the records
  std::vector<v1::ImageRecord*> records;
};

class ImageInput {
 public:
  explicit ImageInput(const ImageReadFn& read) : read_(read) {}

  // First of all.
  absl::StatusOr<ImageHeader> ReadHeader();
  // The next piece; nullopt behind the last one, once the trailer was right.
  absl::StatusOr<std::optional<ImagePiece>> NextPiece();

 private:
  // Exactly `size` bytes; true in `*at_end` tells a clean end before the first of them.
  absl::Status ReadExactly(size_t size, std::string* bytes, bool* at_end = nullptr);
  // Into raw_; false at the end.
  absl::StatusOr<bool> Unpack();
  absl::Status Parse(uint64_t at, ImagePiece* piece);

  const ImageReadFn& read_;
  uint64_t offset_ = 0;
  uint64_t records_ = 0;
  int last_kind_ = 0;
  bool ended_ = false;  // the trailer was read
  std::string stored_;
  std::string raw_;
};

}  // namespace cairn::namenode
