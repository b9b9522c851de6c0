// One file of a NameNode's data directory, checked by itself.
//
// Why apart from verify.cc: what a file says of itself is one thing, how files of several
// directories fit together another. Functions, without a state; they change nothing, and also work
// beside a running NameNode, where a file may be gone before it is opened.
#pragma once

#include <optional>
#include <string>

#include "common/data_dir.h"
#include "common/env.h"
#include "common/offset_status.h"
#include "namenode/codec/image.h"

namespace cairn::namenode {

enum class FileKind { kVersion, kImage, kSegment, kOther };
enum class FileVerdict { kOk, kDamaged, kBehind, kUnknown };

struct FileCheck {
  std::string path;
  size_t dir = 0;  // which --data-dir it belongs to
  FileKind kind = FileKind::kOther;
  FileVerdict verdict = FileVerdict::kOk;
  std::string reason;  // of all but kOk
  std::optional<uint64_t> offset;
  bool gone = false;          // before it could be opened
  bool blocks_start = false;  // a NameNode does not start while this file is here, as it is

  // A VERSION.
  std::optional<DataDirVersion> version;
  // An image. One that loads may still not be what the edits give.
  TxId txid = 0;
  bool loads = false;
  Digest digest;
  // A segment. `last` is that of the last intact record, first - 1 when there is none.
  TxId first = 0;
  TxId last = 0;
  TxId named_last = 0;  // of a closed one, by its name
  bool closed = false;
  bool torn = false;  // ends in a batch that was not wholly written
  std::string segment_id;

  bool ok() const { return verdict == FileVerdict::kOk; }
  void Damage(const absl::Status& status, bool blocks) {
    verdict = FileVerdict::kDamaged;
    blocks_start = blocks_start || blocks;
    reason = std::string(MessageOf(status));
    offset = OffsetOf(status);
  }
};

// DIR/VERSION. A directory without one, and without files, is an empty one: kBehind.
FileCheck CheckVersion(Env* env, const std::string& dir);
// DIR/current/NAME, whatever it is. `cluster_id` may be empty: unknown.
FileCheck CheckFile(Env* env, const std::string& dir, const std::string& name,
                    const std::string& cluster_id);

// The state that an image holds.
absl::StatusOr<LoadedImage> LoadImageFile(Env* env, const std::string& path);

}  // namespace cairn::namenode
