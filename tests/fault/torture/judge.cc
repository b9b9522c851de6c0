#include "tests/fault/torture/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

#include "tests/support/files.h"

namespace cairn::testing {
namespace {

constexpr std::array<const char*, 13> kActions = {
    "mkdir",    "put",    "create", "append", "flush", "close", "abandon",
    "truncate", "rename", "delete", "stat",   "list",  "read"};

std::string TargetName(TargetKind target) {
  switch (target) {
    case TargetKind::kNameNode:
      return "NameNode";
    case TargetKind::kDataNode:
      return "DataNode";
    case TargetKind::kAllDataNodes:
      return "all DataNodes";
    case TargetKind::kClient:
      return "client";
  }
  return "";
}

std::string KindText(const Fault& fault) {
  return fmt::format("{} {}", NameOf(fault.kind), TargetName(fault.target));
}

// Those of clients begin at 1, and one life follows the other in steps of `clients`.
int SlotOf(int client, int clients) { return (client - 1) % clients; }

bool Overlap(const Operation& op, const FaultTime& time) {
  const bool begun = op.end_us >= time.start_us;
  return begun && (time.end_us == 0 || op.start_us <= time.end_us);
}

}  // namespace

Record LoadRecord(const std::string& dir) {
  return History::Load(
      FilesBelow(dir, [](std::string_view name) { return name.ends_with(".history"); }));
}

Judgement Judge(const Record& record) {
  Judgement judgement;
  const CheckResult result = CheckHistory(record);
  judgement.states = result.states;
  for (const Violation& violation : result.violations) judgement.broken.push_back(violation.what);
  for (const std::string& doubt : result.undecided) {
    judgement.broken.push_back("undecided: " + doubt);
  }
  for (const Operation& op : record.operations) {
    if (op.client != kLastClient || op.outcome == Outcome::kOk) continue;
    judgement.broken.push_back("a healed cluster does not give what it has: " + ToString(op));
  }
  return judgement;
}

std::string CountsText(const Record& record) {
  std::array<std::array<size_t, 3>, kActions.size()> counts = {};
  uint64_t bytes = 0;
  for (const Operation& op : record.operations) {
    ++counts[static_cast<size_t>(op.action)][static_cast<size_t>(op.outcome)];
    for (const Piece& piece : op.pieces) bytes += piece.length;
  }
  std::string text = fmt::format("{} operations:\n  {:<10}{:>8}{:>9}{:>9}\n",
                                 record.operations.size(), "", "ok", "refused", "unknown");
  for (size_t i = 0; i < counts.size(); ++i) {
    text += fmt::format("  {:<10}{:>8}{:>9}{:>9}\n", kActions[i], counts[i][0], counts[i][1],
                        counts[i][2]);
  }
  return text + fmt::format("  {} MiB read\n", bytes >> 20);
}

std::string CountsText(const std::vector<FaultTime>& times) {
  std::map<std::string, size_t> counts;
  for (const FaultTime& time : times) ++counts[KindText(time.fault)];
  std::string text = fmt::format("{} faults:\n", times.size());
  for (const auto& [what, count] : counts) text += fmt::format("  {:<22}{:>5}\n", what, count);
  return text;
}

std::string StallsText(const Record& record, const std::vector<FaultTime>& times, int clients) {
  struct Longest {
    const Operation* alone = nullptr;  // beside no fault of another kind
    const Operation* any = nullptr;
  };
  std::map<std::string, Longest> longest;
  const auto seconds = [](const Operation* op) {
    return op == nullptr ? 0 : static_cast<double>(op->end_us - op->start_us) / 1e6;
  };
  const auto note = [&](const Operation& op, const Operation*& most) {
    if (most == nullptr || seconds(&op) > seconds(most)) most = &op;
  };
  for (const Operation& op : record.operations) {
    if (op.client == kLastClient || op.end_us == kNever) continue;
    std::set<std::string> beside;
    bool own = false;
    for (const FaultTime& time : times) {
      if (!Overlap(op, time)) continue;
      beside.insert(KindText(time.fault));
      own = own || (time.fault.target == TargetKind::kClient &&
                    time.fault.index == SlotOf(op.client, clients));
    }
    if (own) continue;
    if (beside.empty()) beside.insert("none");
    for (const std::string& what : beside) {
      note(op, longest[what].any);
      if (beside.size() == 1) note(op, longest[what].alone);
    }
  }
  std::string text = fmt::format("the longest operation beside a fault:\n  {:<22}{:>10}{:>14}\n",
                                 "", "alone", "with others");
  for (const auto& [what, most] : longest) {
    text += fmt::format("  {:<22}{:>8.2f} s{:>12.2f} s  {} {}\n", what, seconds(most.alone),
                        seconds(most.any), kActions[static_cast<size_t>(most.any->action)],
                        most.any->path);
  }
  return text;
}

}  // namespace cairn::testing
