// Operations on names that no thread waits for: thousands under way from one thread.
//
//     ASSIGN_OR_RETURN(auto names, AsyncNamespace::Connect({.namenodes = {"127.0.0.1:8020"}}));
//     for (const std::string& path : paths) {
//       names->Mkdirs(path, {}, [&](absl::Status status) { ... });
//     }
//
// Why: a thread for each call costs several times what the call does, for it must be put to sleep
// and woken up. Here a callback gets the outcome; calls that are made together travel together.
//
// What holds for FileSystem's operations holds for these: same errors, safe to retry and retried
// inside (P5), up to `timeout_ms`. Beyond that:
// - Each callback is called exactly once, on a thread of the library, never from within the call
//   that it belongs to. It may make further calls. It must be short, must not wait for another call
//   (a FileSystem's, say), and must not destroy this object.
// - Calls under way have no order among them, callbacks neither. A call is sent before its function
//   returns, or as soon as those before it leave room: some 1,000 are under way at once.
// - The destructor ends what is under way with CANCELLED: whether such a call was carried out is
//   unknown. It returns when the last callback has; one that makes a call for each that ended must
//   stop at CANCELLED.
// Some 1 KiB of memory a call under way; one thread in all. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/file_system.h"
#include "client/types.h"

namespace cairn {

class AsyncCalls;

// Of a file without content.
struct EmptyFileOptions {
  std::optional<uint32_t> mode;  // exactly these permission bits; else 0666 less the umask
  uint32_t replication = 0;      // 0: the NameNode's default
  uint64_t block_size = 0;       // 0: the NameNode's default
  bool overwrite = false;        // replace a file, never a directory
  int64_t mtime_ms = 0;          // 0: when it is closed
  int64_t atime_ms = 0;
};

struct MkdirsOptions {
  bool create_parents = false;   // as mkdir -p: an existing directory is fine
  std::optional<uint32_t> mode;  // exactly these permission bits; else 0777 less the umask
};

class AsyncNamespace {
 public:
  using Done = absl::AnyInvocable<void(absl::Status)>;
  template <typename T>
  using Got = absl::AnyInvocable<void(absl::StatusOr<T>)>;

  // A client of its own. Checks the options; connects when the first call needs it.
  static absl::StatusOr<std::unique_ptr<AsyncNamespace>> Connect(ClientOptions options);
  ~AsyncNamespace();
  AsyncNamespace(const AsyncNamespace&) = delete;
  AsyncNamespace& operator=(const AsyncNamespace&) = delete;

  void Mkdirs(std::string_view path, const MkdirsOptions& options, Done done);
  // Creates a file and closes it: two durable changes, the second one on the first one's answer.
  // When it cannot be closed, it is given up.
  void CreateEmpty(std::string_view path, const EmptyFileOptions& options, Done done);
  // As rename(2), but never replaces.
  void Rename(std::string_view from, std::string_view to, Done done);
  void Delete(std::string_view path, bool recursive, Done done);
  void SetPermission(std::string_view path, uint32_t mode, Done done);

  void GetFileInfo(std::string_view path, Got<FileStatus> got);
  // One page: at most `limit` entries (0: 1000, the most) whose names are above `start_after`.
  void List(std::string_view path, std::string_view start_after, uint32_t limit, Got<ListPage> got);

 private:
  explicit AsyncNamespace(std::shared_ptr<ClientCore> core);

  const std::shared_ptr<ClientCore> core_;
  const std::unique_ptr<AsyncCalls> calls_;
};

}  // namespace cairn
