// The client's view of a cluster: files by path. The CLI and every program of users start here.
//
//     ASSIGN_OR_RETURN(auto fs, FileSystem::Connect({.namenodes = {"127.0.0.1:8020"}}));
//     ASSIGN_OR_RETURN(auto out, fs->Create("/logs/today", {}));
//     RETURN_IF_ERROR(out->Write("hello\n"));
//     RETURN_IF_ERROR(out->Close());
//
// Errors: one line a user can act on, strerror's words for path errors, without the path. Calls
// that change something are safe to retry and are retried inside (P5): a lost answer or a restarted
// NameNode shows only as time, up to `timeout_ms`, then as ErrorKind::kClusterUnreachable or
// kSafeMode. Thread-safe, all of it. Paths are absolute.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/input_stream.h"
#include "client/output_stream.h"
#include "client/types.h"
#include "common/consistency.h"

namespace cairn {

class ClientCore;

// How bytes move between a client and DataNodes. The defaults suit gigabit networks and up.
struct TransferOptions {
  // Of a write packet; a multiple of 4 KiB. 64 KiB costs half of the speed of 1 MiB.
  uint64_t packet_bytes = 1 << 20;
  uint32_t window_packets = 16;  // packets sent and not acknowledged, at most
  // Blocks that WriteFrom has under way at once, those that are synced included, 1 to 3: a file may
  // have four that are not finished, and the last one fills beside them.
  uint32_t blocks_at_once = 3;
  // A DataNode that owes an answer and says nothing this long has failed. At work, it says so every
  // 500 ms.
  int64_t stall_ms = 2'000;
  int64_t max_progress_ms = 30'000;  // so has one that gets nowhere this long, whatever it says
  int64_t missing_ms = 6'000;        // for nodes of a block to return that the NameNode misses
  int64_t connect_ms = 1'500;        // to connect to a DataNode
  int64_t local_ms = 1'000;          // for a DataNode on this host to pass a replica's files
  int64_t heartbeat_ms = 5'000;      // after which an idle pipeline gets an empty packet
  // A pipeline that moves less than this, in bytes a second, may have a slow DataNode, which is
  // then left out. 0: never.
  uint64_t slow_bytes_per_s = 8 << 20;
  int64_t slow_window_ms = 2'000;  // judged by what it did for so long
  int write_attempts = 5;        // without a byte acknowledged, each with other nodes if there are
  int64_t retry_pause_ms = 500;  // before failed nodes get another chance; doubles with every try
  // A DataNode that sends nothing for longer than 99 of 100 times it did, and no less than
  // `hedge_min_ms`, gets company: another replica is read too, and the first to answer is read on.
  // At most this share of reads, and ten at once, are hedged so. 0: none is.
  double hedge_share = 0.05;
  int64_t hedge_min_ms = 10;
};

struct ClientOptions {
  std::vector<std::string> namenodes;  // host:port, tried in turn; at least one
  std::string user;                    // empty: the login of this process
  std::string rack;                    // "/region/rack"; empty: unknown
  std::string host;                    // empty: the host name of this machine
  int64_t timeout_ms = 30'000;         // how long a call waits for a NameNode
  // Replicas on this host are read out of their files, where their DataNodes pass these.
  bool short_circuit = true;
  TransferOptions transfer;
};

struct CreateOptions {
  std::optional<uint32_t> mode;  // exactly these permission bits; else 0666 less the umask
  uint32_t replication = 0;      // 0: the NameNode's default
  uint64_t block_size = 0;       // 0: the NameNode's default
  bool overwrite = false;        // replace a file (never a directory), atomically with `publish`
  // Writes under a temporary name beside the destination, NAME._COPYING_.<id>, and gives the file
  // its name when it is closed, in one step: nobody sees half a file. What `put` does.
  bool publish = false;
  int64_t mtime_ms = 0;  // of the closed file; 0: when it is closed
  int64_t atime_ms = 0;
  std::optional<uint64_t> expected_length;  // a hint; 0 saves asking for a block
  Consistency consistency = Consistency::kStrong;
};

struct AppendOptions {
  Consistency consistency = Consistency::kStrong;  // of what is added
};

struct ListPage {
  std::vector<FileStatus> entries;  // by name, in byte order
  bool has_more = false;            // ask again after the last entry's name
};

class FileSystem {
 public:
  // Checks the options; connects when the first call needs it.
  static absl::StatusOr<std::unique_ptr<FileSystem>> Connect(ClientOptions options);
  ~FileSystem();
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  // Needs an existing parent. ALREADY_EXISTS "File exists" without overwrite, at once and, with
  // `publish`, again at Close.
  absl::StatusOr<std::unique_ptr<OutputStream>> Create(std::string_view path,
                                                       const CreateOptions& options);
  // A closed file, to be written on from its end. A file whose writer fell silent is taken from it
  // first, which can take seconds. kBeingWritten, at once, while another client writes it.
  absl::StatusOr<std::unique_ptr<OutputStream>> Append(std::string_view path,
                                                       const AppendOptions& options);
  // Of a file that is being written: what was flushed by now, at least.
  absl::StatusOr<std::unique_ptr<InputStream>> Open(std::string_view path);
  // Cuts a closed file to `length` bytes, at most its own, and waits until that is done.
  absl::Status Truncate(std::string_view path, uint64_t length);
  // Takes the file from its writer, whoever that is, and has it closed with what its DataNodes
  // hold, all flushed bytes at least. True once it is closed; ask again.
  absl::StatusOr<bool> RecoverLease(std::string_view path);
  // Put together from the checksums that DataNodes keep: no bytes travel.
  absl::StatusOr<FileChecksum> Checksum(std::string_view path);

  absl::StatusOr<FileStatus> GetFileInfo(std::string_view path);
  // One page: at most `limit` entries (0: 1000, the most) whose names are above `start_after`. A
  // file lists itself.
  absl::StatusOr<ListPage> List(std::string_view path, std::string_view start_after,
                                uint32_t limit = 0);
  // Every entry of a directory, page by page; ends with the callback's first error.
  absl::Status ForEachEntry(std::string_view path,
                            const std::function<absl::Status(const FileStatus&)>& callback);

  // `mode`: exactly these permission bits; else 0777 less the umask. With `create_parents` as
  // mkdir -p: an existing directory is fine.
  absl::Status Mkdirs(std::string_view path, bool create_parents,
                      std::optional<uint32_t> mode = std::nullopt);
  // As rename(2), but never replaces: `to` must not exist.
  absl::Status Rename(std::string_view from, std::string_view to);
  absl::Status Delete(std::string_view path, bool recursive);

  // --- The trash, as HDFS's (file_system_trash.cc): for users whose ServerDefaults have an
  // interval
  std::string TrashRoot() const;  // "/user/NAME/.Trash"
  // Moves a file or a whole directory to TrashRoot()/Current, under its full path, and answers with
  // where it is. A name that is taken there gets the time (ms) behind it. INVALID_ARGUMENT for what
  // is in the trash, or contains it.
  absl::StatusOr<std::string> MoveToTrash(std::string_view path);
  // Deletes this user's checkpoints that are older than the interval, then makes one of what was
  // removed since the last. With `immediate`, all of the trash goes.
  absl::Status ExpungeTrash(bool immediate);
  absl::Status SetReplication(std::string_view path, uint32_t replication);
  // Unset: left as it is.
  absl::Status SetTimes(std::string_view path, std::optional<int64_t> mtime_ms,
                        std::optional<int64_t> atime_ms);
  // Empty: left as it is.
  absl::Status SetOwner(std::string_view path, std::string_view owner, std::string_view group);
  absl::Status SetPermission(std::string_view path, uint32_t mode);

  // Adds the content of closed files to the end of a closed one, in one step: their blocks become
  // its own, and they are gone. All must be in the target's directory, have blocks of its size, and
  // end at the end of a block, but for the last one.
  absl::Status Concat(std::string_view target, const std::vector<std::string>& sources);
  // For superusers. A quota below what is used keeps it from growing. What would exceed a quota
  // fails with kQuotaExceeded.
  absl::Status SetQuota(std::string_view path, const QuotaChange& change);

  absl::StatusOr<ContentSummary> GetContentSummary(std::string_view path);
  // Blocks that overlap [offset, offset + length), by offset; length 0: to the end.
  absl::StatusOr<std::vector<LocatedBlock>> GetBlockLocations(std::string_view path,
                                                              uint64_t offset = 0,
                                                              uint64_t length = 0);
  absl::StatusOr<ServerDefaults> GetServerDefaults();
  // Of everything that was read through this object.
  ReadStatistics GetReadStatistics() const;

 private:
  explicit FileSystem(std::shared_ptr<ClientCore> core);
  absl::Status EnsureTrash();
  absl::StatusOr<std::string> MakeTrashDirs(std::string directory);
  absl::Status CheckpointTrash();
  absl::Status DeleteTrashCheckpoints(int64_t older_than_ms);

  const std::shared_ptr<ClientCore> core_;
};

}  // namespace cairn
