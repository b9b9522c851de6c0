// What the clients of a random test did, and what they were told: when each operation began and
// ended, and how.
//
// Why: faults come at random, so no test can say beforehand what it will see. It writes everything
// down, and checker.h decides afterwards whether a file system that keeps its promises can have
// given these answers. Operations whose outcome is not known (a time-out, a client that died)
// may have taken effect at any time after they began, or never.
//
// History is thread-safe; times are of the machine's steady clock, so that histories of several
// processes fit together. One with a log loses nothing when its process is killed: each event is
// in the file before the call goes on. Records are plain values: tests of the checker make them by
// hand.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "tests/support/pattern.h"

namespace cairn::testing {

enum class Action {
  kMkdir,     // path, whose parent must be there
  kPublish,   // path, version, length, overwrite: a whole file under its name in one step
  kCreate,    // path, version, overwrite: an empty file, which `version` goes on to write
  kAppend,    // path, version; gives the length that it found: `version` goes on from there
  kFlush,     // version, length: of the file that it writes, up to what was flushed
  kClose,     // version, length: of the whole file
  kAbandon,   // version: its file goes, if it still writes it; never tells
  kTruncate,  // path, length
  kRename,    // path, to
  kDelete,    // path, recursive
  kStat,      // path; gives is_directory, length
  kList,      // path; gives names
  kRead,      // path, length: where it began; gives pieces, to_end
};

enum class Outcome {
  kOk,
  kRefused,  // for sure nothing was done, see `refusal`
  kUnknown,
};

enum class Refusal {
  kOther,     // tells nothing
  kNotFound,  // the path, or the parent of what was to be made, is not there
  kExists,    // what was to be made is there already
};

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

struct Operation {
  size_t id = 0;
  int client = 0;
  Action action = Action::kStat;
  std::string path;  // absolute; of kFlush and kClose: what the writer opened
  std::string to;
  Version version = 0;
  uint64_t length = 0;
  bool overwrite = false;
  bool recursive = false;

  int64_t start_us = 0;
  int64_t end_us = kNever;  // when the outcome was known
  Outcome outcome = Outcome::kUnknown;
  Refusal refusal = Refusal::kOther;
  std::string error;

  bool is_directory = false;
  std::vector<std::string> names;  // sorted
  std::vector<Piece> pieces;       // what was read, without a gap
  bool to_end = false;             // and the file ended there
};

// One line: "#7 client 2 [0.120031 .. 0.130000] read /a: bytes 0-99 of v3, end: ok".
std::string ToString(const Operation& operation);

// What the writer of a version handed over.
struct Written {
  uint64_t base = 0;                                 // where it began
  std::vector<std::pair<int64_t, uint64_t>> handed;  // from this time on: up to this offset

  // The end of what was handed over before `time_us`.
  uint64_t EndBefore(int64_t time_us) const;
};

struct Record {
  std::vector<Operation> operations;  // [id]
  std::map<Version, Written> writes;
};

class History {
 public:
  // Versions begin above `last_version`. With a log, every event is appended to that file.
  explicit History(Version last_version = 0, const std::string& log = "");
  ~History();
  History(const History&) = delete;
  History& operator=(const History&) = delete;

  // Of the steady clock, in microseconds.
  static int64_t NowUs();
  // Of several logs, as one.
  static Record Load(const std::vector<std::string>& logs);

  Version NewVersion();
  // Just before the call: `operation` with what was asked. It gets its id and time.
  void Begin(Operation& operation);
  // Just after it: with what was answered.
  void End(Operation& operation);
  // Just before bytes [.., end) of `version`, which began at `base`, are handed over.
  void Hand(Version version, uint64_t base, uint64_t end);

  Record record() const;

 private:
  void Log(const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  Record record_ ABSL_GUARDED_BY(mu_);
  Version last_version_ ABSL_GUARDED_BY(mu_);
  int log_ ABSL_GUARDED_BY(mu_) = -1;
};

}  // namespace cairn::testing
