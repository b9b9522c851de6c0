// What a torture does, from its seed: the steps of each client, and the faults with their times.
//
// Why apart from carrying it out: the plan is the same whenever the seed is, whatever the cluster
// answers and however fast it is, so that a run can be repeated. What does not repeat is how steps
// and faults of different processes fall together; that is the operating system's.
// Pure, not thread-safe. Used by torture_client.cc and cairn_torture.cc.
#pragma once

#include <cstdint>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/consistency.h"
#include "common/status.h"

namespace cairn::testing {

// --- Steps of clients

enum class StepKind {
  kPut,       // a whole file under its name in one step; `overwrite` as of put -f
  kWrite,     // a new file: pieces, flushes between them, and the end
  kAppend,    // the same at the end of a file that is there
  kTruncate,  // to `length`
  kRename,    // to `to`
  kDelete,
  kStat,
  kList,  // the directory
  kRead,  // from `length` on
};

// Of a file that is written: so many bytes, and what is asked for behind them.
struct WritePiece {
  enum class Then { kNothing, kFlush, kSync };

  uint64_t bytes = 0;
  Then then = Then::kNothing;

  friend bool operator==(const WritePiece&, const WritePiece&) = default;
};

struct Step {
  StepKind kind = StepKind::kStat;
  std::string path;
  std::string to;
  uint64_t length = 0;
  bool overwrite = false;
  Consistency consistency = Consistency::kStrong;
  std::vector<WritePiece> pieces;

  friend bool operator==(const Step&, const Step&) = default;
};

std::string ToString(const Step& step);

inline constexpr int kNamesPerDirectory = 5;
inline constexpr uint64_t kLargestFile = 200'000;
// A directory for each client that there is at a time; all use all of them.
std::string DirectoryName(int number);

class ClientPlan {
 public:
  // `client` is a number of its own for each life of a client, from 1 on.
  ClientPlan(uint64_t seed, int client, int directories);
  Step Next();

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  std::string AnyPath();
  void AddPieces(Step& step);

  const int directories_;
  std::mt19937_64 random_;
};

// --- Faults

enum class FaultKind {
  kKill,    // SIGKILL; it is started again at the end
  kStop,    // SIGSTOP, and SIGCONT at the end
  kCut,     // of the network: the host's cable
  kOneWay,  // what the host sends, or (`variant` 1) what is sent to it, is lost
  kLoss,    // of `variant` packets in a hundred
  kSlow,    // `variant` megabits a second
  kFlap,    // cut and healed in turn, `variant` ms each
  kRot,     // bytes of a replica change; at once, and it stays
  kFill,    // the disk has no room
};

inline constexpr int kFaultKinds = 9;
const char* NameOf(FaultKind kind);
// "all", "none", or names with commas between them.
absl::StatusOr<std::set<FaultKind>> ParseFaults(const std::string& text);
bool NeedsHosts(const std::set<FaultKind>& kinds);

enum class TargetKind { kNameNode, kDataNode, kAllDataNodes, kClient };

struct Fault {
  FaultKind kind = FaultKind::kKill;
  TargetKind target = TargetKind::kDataNode;
  int index = 0;  // of the DataNode or the client
  int64_t start_ms = 0;
  int64_t end_ms = 0;
  uint64_t variant = 0;

  friend bool operator==(const Fault&, const Fault&) = default;
};

std::string ToString(const Fault& fault);

struct FaultPlanOptions {
  uint64_t seed = 1;
  int64_t duration_ms = 0;
  int64_t dead_after_ms = 0;  // some faults last longer
  int datanodes = 0;
  int clients = 0;
  std::set<FaultKind> kinds;
};

// By start. A process has one trouble at a time, and fewer than half of the DataNodes have one at a
// time, unless all are killed together: else hardly an operation would succeed.
std::vector<Fault> PlanFaults(const FaultPlanOptions& options);

}  // namespace cairn::testing
