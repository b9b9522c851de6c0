// A daemon's data directory: its VERSION file and its in_use.lock.
//
// Why: a directory of another cluster, of the other kind of daemon, of a newer layout or of a
// daemon that still runs must be refused before anything is touched. VERSION is JSON:
// {"layout":1,"type":"datanode","cluster_id":"...", "node_id":"...","storage_id":"..."}. Opening
// takes the lock, which is held as long as the DataDir lives. Not thread-safe. Used by both daemons
// at their start, and by the offline tools.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/env.h"
#include "common/status.h"

namespace cairn {

// Raised when the files under current/ change incompatibly.
inline constexpr int kDataDirLayout = 1;
// That of a DataNode's directory while its small-replica log may hold replicas: a program that does
// not know the log would lose them.
inline constexpr int kDataDirLayoutWithLog = 2;

enum class DataDirType { kNameNode, kDataNode };
std::string_view ToString(DataDirType type);  // "namenode", "datanode"

struct DataDirVersion {
  int layout = kDataDirLayout;
  DataDirType type = DataDirType::kNameNode;
  std::string cluster_id;
  std::string node_id;     // the same in all directories of a daemon
  std::string storage_id;  // of this directory alone

  bool operator==(const DataDirVersion&) const = default;
};

// Reads PATH/VERSION; nullopt when there is none. Fails on damage, a newer or unknown layout, or
// another type.
absl::StatusOr<std::optional<DataDirVersion>> ReadDataDirVersion(Env& env, const std::string& path,
                                                                 DataDirType type);

class DataDir {
 public:
  // Creates the directory if needed, locks it and reads VERSION. Refuses (FAILED_PRECONDITION
  // unless said otherwise) what a running daemon uses, another type, another layout, a damaged
  // VERSION (DATA_LOSS), and a directory that has current/ but no VERSION (DATA_LOSS): that one
  // lost its VERSION and is not to be formatted.
  static absl::StatusOr<std::unique_ptr<DataDir>> Open(Env* env, std::string path,
                                                       DataDirType type);

  const std::string& path() const { return path_; }
  std::string current_path() const { return path_ + "/current"; }
  bool formatted() const { return version_.has_value(); }
  const DataDirVersion& version() const { return *version_; }  // when formatted

  // Writes VERSION, then makes current/. Only for a directory that is not formatted.
  absl::Status Format(DataDirVersion version);
  // Writes VERSION anew with another layout, durably. Only for a formatted directory.
  absl::Status SetLayout(int layout);
  // Refuses a directory of another cluster. Only for a formatted one.
  absl::Status CheckCluster(std::string_view cluster_id) const;

 private:
  DataDir(Env* env, std::string path, DataDirType type, std::unique_ptr<FileLock> lock)
      : env_(env), path_(std::move(path)), type_(type), lock_(std::move(lock)) {}

  Env* const env_;
  const std::string path_;
  const DataDirType type_;
  const std::unique_ptr<FileLock> lock_;
  std::optional<DataDirVersion> version_;
};

}  // namespace cairn
