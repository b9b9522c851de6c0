// The image: the whole journaled state at one txid as a stream of bytes (docs/formats/image.md).
//
// A header names layout, cluster, txid and digest; sections of compressed, checksummed pieces
// follow; a trailer proves the end. Loading verifies every checksum and at last the digest. Used by
// the namesystem, the checkpoint and dump-image. Thread-compatible: functions over a state that
// nobody changes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "namenode/namespace/digest.h"
#include "namenode/namespace/fs_state.h"

namespace cairn::namenode {

// Takes the next bytes of the image.
using ImageWriteFn = std::function<absl::Status(std::string_view bytes)>;
// Fills up to `size` bytes of `buffer`; returns how many, 0 at the end.
using ImageReadFn = std::function<absl::StatusOr<size_t>(char* buffer, size_t size)>;

struct ImageHeader {
  TxId txid = 0;
  std::string cluster_id;
  Digest digest;
};

absl::Status SaveImage(const FsState& state, std::string_view cluster_id,
                       const ImageWriteFn& write);

struct LoadedImage {
  ImageHeader header;
  FsState state;
};
// DATA_LOSS, with the offset where one is known, when the bytes are damaged or cut;
// FAILED_PRECONDITION for an unknown layout.
absl::StatusOr<LoadedImage> LoadImage(const ImageReadFn& read);

// Reads no further than the header.
absl::StatusOr<ImageHeader> ReadImageHeader(const ImageReadFn& read);

// Calls `line` with one JSON object per entity, in the order of the image, for dump-image.
absl::Status DumpImage(const ImageReadFn& read,
                       const std::function<absl::Status(std::string_view json)>& line);

}  // namespace cairn::namenode
