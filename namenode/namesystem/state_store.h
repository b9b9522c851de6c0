// The journaled state from disk and back: the newest image, and the edits after it.
//
// Why here: images are codec's, files the journal's, and replay is Apply; this puts the three
// together, in one way for the start and for the checkpoint's child. Not thread-safe. The data
// directories' locks are held by the NameNode; the child only reads closed segments and adds an
// image.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/env.h"
#include "namenode/namespace/fs_state.h"

namespace cairn::namenode {

struct LoadedState {
  std::unique_ptr<FsState> state;
  TxId image_txid = 0;
  TxId last_txid = 0;  // of the journal
};

class StateStore {
 public:
  // `dirs`: the current/ folder of each data directory.
  StateStore(Env* env, std::vector<std::string> dirs, std::string cluster_id)
      : env_(env), dirs_(std::move(dirs)), cluster_id_(std::move(cluster_id)) {}

  // Writes the first image, an empty root that belongs to `owner` and `group`.
  absl::Status Format(const std::string& owner, const std::string& group, int64_t now_ms);
  // For the start: puts the directories in order after a crash, then loads and replays everything.
  absl::StatusOr<LoadedState> Recover();
  // For the checkpoint's child: loads and replays up to `through` and writes that as an image. The
  // digests in the journal are checked on the way.
  absl::Status WriteCheckpoint(TxId through);

  // Removes all images but the newest two; returns the txid of the oldest that is kept.
  absl::StatusOr<TxId> RemoveOldImages();
  // RESOURCE_EXHAUSTED when a directory has less than `reserved_bytes` free.
  absl::Status CheckSpace(uint64_t reserved_bytes) const;

 private:
  // The newest readable image at or below `through`; an older one stands in for a damaged one.
  absl::StatusOr<LoadedState> LoadImageUpTo(TxId through);
  absl::Status Replay(LoadedState* loaded, TxId through);
  absl::Status SaveImage(const FsState& state);

  Env* const env_;
  const std::vector<std::string> dirs_;
  const std::string cluster_id_;
};

}  // namespace cairn::namenode
