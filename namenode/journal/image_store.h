// Images on disk: fsimage_<txid> files, bytes only, in every data directory.
//
// An image is written as fsimage_<txid>.tmp, synced, renamed, and its directory synced: a name
// without .tmp is a whole image. A trailer holds length and CRC32C of everything before it, checked
// before the first byte is handed out; what the bytes say is the codec's affair. Used by the start
// and the checkpoint; the store is thread-safe (it keeps no state but its directories), sinks and
// sources are not.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "common/ids.h"
#include "common/status.h"

namespace cairn::namenode {

// Takes an image's bytes from the codec.
class ImageSink {
 public:
  virtual ~ImageSink() = default;  // without Finish: removes what was written
  virtual absl::Status Append(std::string_view bytes) = 0;
  // Makes the image durable and visible. Nothing may follow.
  virtual absl::Status Finish() = 0;
};

// Gives an image's bytes to the codec.
class ImageSource {
 public:
  virtual ~ImageSource() = default;
  // Fills `out` from where the last call ended and returns the bytes; fewer only at the end, then
  // 0.
  virtual absl::StatusOr<size_t> Read(std::span<char> out) = 0;
  virtual uint64_t size() const = 0;  // bytes in all
};

class ImageStore {
 public:
  static constexpr size_t kKept = 2;  // images that RemoveOld leaves

  // `dirs`: the current/ folder of each data directory.
  ImageStore(Env* env, std::vector<std::string> dirs);

  // Once at a start, with the directories' locks held: removes *.tmp leftovers, and copies the
  // newest intact image to directories that lack it or hold a damaged one of that txid.
  absl::Status Recover();

  // The txids of all images, the newest first.
  absl::StatusOr<std::vector<TxId>> List() const;

  // Opens the image of `txid` from the first directory whose copy is intact; damaged copies are
  // logged. NOT_FOUND without a copy; DATA_LOSS, with file and way out, when all are damaged.
  absl::StatusOr<std::unique_ptr<ImageSource>> Open(TxId txid) const;

  // A new image, written to all directories; replaces one of the same txid when finished.
  absl::StatusOr<std::unique_ptr<ImageSink>> Create(TxId txid);

  // Removes all but the kKept newest images.
  absl::Status RemoveOld();

  // The txid in fsimage_<txid>; nullopt for any other name.
  static std::optional<TxId> ParseName(std::string_view name);
  static constexpr size_t kTrailerBytes = 32;  // of a file; what stands before them is the image
  // Opens one image file, wherever it is (offline tools).
  static absl::StatusOr<std::unique_ptr<ImageSource>> OpenFile(Env* env, const std::string& path);

 private:
  absl::Status CopyToAll(TxId txid);

  Env* const env_;
  const std::vector<std::string> dirs_;
};

}  // namespace cairn::namenode
