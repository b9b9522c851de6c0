#include <absl/strings/str_split.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tests/fault/torture/plan.h"

namespace cairn::testing {
namespace {

constexpr std::array<const char*, kFaultKinds> kFaultNames = {
    "kill", "stop", "cut", "oneway", "loss", "slow", "flap", "rot", "fill"};
constexpr int64_t kFirstMs = 1'000;  // after which the first one comes
constexpr uint64_t kMostBetweenMs = 1'500;
constexpr uint64_t kLongestMs = 4'000;  // of an ordinary one

// Chooses faults one after the other, and knows who is in trouble.
class Planner {
 public:
  explicit Planner(const FaultPlanOptions& options)
      : options_(options),
        kinds_(options.kinds.begin(), options.kinds.end()),
        random_(options.seed),
        datanodes_(static_cast<size_t>(options.datanodes)),
        clients_(static_cast<size_t>(options.clients)) {}

  std::vector<Fault> Run() {
    int64_t now_ms = kFirstMs;
    while (now_ms < options_.duration_ms && !kinds_.empty()) {
      Add(now_ms);
      now_ms += static_cast<int64_t>(Below(kMostBetweenMs));
    }
    return std::move(faults_);
  }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  static bool IsFree(int64_t busy_until_ms, int64_t now_ms) { return busy_until_ms <= now_ms; }

  void Add(int64_t now_ms) {
    Fault fault{.kind = kinds_[Below(kinds_.size())], .start_ms = now_ms};
    fault.end_ms = std::min(options_.duration_ms, now_ms + Duration());
    fault.variant = Variant(fault.kind);
    const uint64_t who = Below(20);
    // As many dice for every kind, so that a plan is easily compared with another.
    const size_t datanode = Below(datanodes_.size());
    const size_t client = Below(clients_.size());
    const bool of_disks = fault.kind == FaultKind::kRot || fault.kind == FaultKind::kFill;
    if (who < 3 && !of_disks) {
      if (IsFree(namenode_, now_ms)) Take(fault, TargetKind::kNameNode, 0, &namenode_);
    } else if (who == 3 && options_.kinds.contains(FaultKind::kKill)) {
      if (InTrouble(now_ms) == 0) TakeAll(fault);
    } else if (who < 8 && !of_disks) {
      if (IsFree(clients_[client], now_ms)) {
        Take(fault, TargetKind::kClient, client, &clients_[client]);
      }
    } else if (fault.kind == FaultKind::kRot) {
      fault.end_ms = now_ms;
      Take(fault, TargetKind::kDataNode, datanode, nullptr);
    } else if (IsFree(datanodes_[datanode], now_ms) &&
               2 * (InTrouble(now_ms) + 1) < datanodes_.size()) {
      Take(fault, TargetKind::kDataNode, datanode, &datanodes_[datanode]);
    }
  }

  // One in six lasts until the others have taken the process for dead.
  int64_t Duration() {
    const uint64_t dice = Below(6);
    const auto some = static_cast<int64_t>(200 + Below(kLongestMs));
    return dice == 0 ? options_.dead_after_ms + some : some;
  }

  uint64_t Variant(FaultKind kind) {
    const uint64_t dice = Below(1'000'000);
    switch (kind) {
      case FaultKind::kOneWay:
        return dice % 2;
      case FaultKind::kLoss:
        return 5 + dice % 36;
      case FaultKind::kSlow:
        return 1 + dice % 20;
      case FaultKind::kFlap:
        return 100 + dice % 900;
      default:
        return dice;  // rot: which replica
    }
  }

  size_t InTrouble(int64_t now_ms) const {
    return static_cast<size_t>(
        std::count_if(datanodes_.begin(), datanodes_.end(),
                      [&](int64_t busy_until_ms) { return !IsFree(busy_until_ms, now_ms); }));
  }

  void Take(Fault fault, TargetKind target, size_t index, int64_t* busy_until_ms) {
    fault.target = target;
    fault.index = static_cast<int>(index);
    if (busy_until_ms != nullptr) *busy_until_ms = fault.end_ms + 1;
    faults_.push_back(fault);
  }

  void TakeAll(Fault fault) {
    fault.kind = FaultKind::kKill;
    fault.target = TargetKind::kAllDataNodes;
    faults_.push_back(fault);
    for (int64_t& busy_until_ms : datanodes_) busy_until_ms = fault.end_ms + 1;
  }

  const FaultPlanOptions& options_;
  const std::vector<FaultKind> kinds_;
  std::mt19937_64 random_;
  std::vector<Fault> faults_;
  // Until when each has its trouble.
  int64_t namenode_ = 0;
  std::vector<int64_t> datanodes_;
  std::vector<int64_t> clients_;
};

}  // namespace

const char* NameOf(FaultKind kind) { return kFaultNames[static_cast<size_t>(kind)]; }

absl::StatusOr<std::set<FaultKind>> ParseFaults(const std::string& text) {
  std::set<FaultKind> kinds;
  if (text == "none") return kinds;
  for (size_t i = 0; i < kFaultNames.size() && text == "all"; ++i) {
    kinds.insert(static_cast<FaultKind>(i));
  }
  if (text == "all") return kinds;
  for (const std::string& name : std::vector<std::string>(absl::StrSplit(text, ','))) {
    const auto it = std::find(kFaultNames.begin(), kFaultNames.end(), name);
    if (it == kFaultNames.end()) {
      return absl::InvalidArgumentError(
          fmt::format("no fault '{}'; there are: all none {}", name, fmt::join(kFaultNames, " ")));
    }
    kinds.insert(static_cast<FaultKind>(it - kFaultNames.begin()));
  }
  return kinds;
}

bool NeedsHosts(const std::set<FaultKind>& kinds) {
  return std::any_of(kinds.begin(), kinds.end(), [](FaultKind kind) {
    return kind == FaultKind::kCut || kind == FaultKind::kOneWay || kind == FaultKind::kLoss ||
           kind == FaultKind::kSlow || kind == FaultKind::kFlap;
  });
}

std::string ToString(const Fault& fault) {
  std::string target = "the NameNode";
  if (fault.target == TargetKind::kDataNode) target = fmt::format("DataNode {}", fault.index);
  if (fault.target == TargetKind::kAllDataNodes) target = "all DataNodes";
  if (fault.target == TargetKind::kClient) target = fmt::format("client {}", fault.index);
  return fmt::format("[{:.3f} .. {:.3f}] {} {} ({})", fault.start_ms / 1e3, fault.end_ms / 1e3,
                     NameOf(fault.kind), target, fault.variant);
}

std::vector<Fault> PlanFaults(const FaultPlanOptions& options) { return Planner(options).Run(); }

}  // namespace cairn::testing
