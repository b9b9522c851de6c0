#include "tests/support/checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "tests/support/linearize.h"
#include "tests/support/namespace_model.h"

namespace cairn::testing {
namespace {

constexpr size_t kLastShown = 8;

// Things that belong together.
class UnionFind {
 public:
  size_t Find(const std::string& name) {
    const auto [it, added] = numbers_.emplace(name, parents_.size());
    if (added) parents_.push_back(parents_.size());
    return Root(it->second);
  }
  void Join(size_t a, size_t b) { parents_[Root(a)] = Root(b); }
  void Join(const std::string& a, const std::string& b) {
    const size_t first = Find(a);
    Join(first, Find(b));
  }

 private:
  size_t Root(size_t i) {
    while (parents_[i] != i) i = parents_[i] = parents_[parents_[i]];
    return i;
  }

  std::map<std::string, size_t> numbers_;
  std::vector<size_t> parents_;
};

std::string TopOf(const std::string& path) { return path.substr(0, path.find('/', 1)); }

std::string SessionName(Version version) { return fmt::format("v{}", version); }

bool IsOk(const Operation& op) { return op.outcome == Outcome::kOk; }

bool Changes(Action action) {
  return action != Action::kStat && action != Action::kList && action != Action::kRead;
}

class Checker {
 public:
  Checker(const Record& record, const CheckOptions& options) : record_(record), options_(options) {}

  CheckResult Run() {
    FindTruncations();
    for (const Operation& op : record_.operations) {
      if (op.action == Action::kRead && IsOk(op)) CheckBytes(op);
    }
    for (const auto& operations : Partitions()) CheckOrder(operations);
    return std::move(result_);
  }

 private:
  void CheckBytes(const Operation& read);
  std::optional<uint64_t> FirstOfNobody(uint64_t offset, std::string_view bytes,
                                        const Operation& read) const;
  bool OthersByChance(const Piece& piece, uint64_t begin, uint64_t end,
                      const Operation& read) const;
  std::optional<std::string> WhatIsWrong(const Piece& piece, const Operation& read) const;
  void FindTruncations();
  size_t FileOf(const std::string& path);
  bool OverlapsTruncation(const Operation& read);
  bool IsJudged(const Operation& op);
  std::vector<std::vector<const Operation*>> Partitions();
  static std::string NamedAlike(const Operation& op,
                                const std::vector<const Operation*>& operations);
  void CheckOrder(const std::vector<const Operation*>& operations);

  const Record& record_;
  const CheckOptions& options_;
  CheckResult result_;
  std::set<size_t> wrong_;       // reads that were found wrong by themselves
  UnionFind paths_;              // that may be of one file
  std::set<std::string> mixed_;  // directories of "/" in which any two paths may be
  std::multimap<size_t, const Operation*> truncations_;  // by FileOf(path)
};

// The first of these bytes that nobody had written there by then.
std::optional<uint64_t> Checker::FirstOfNobody(uint64_t offset, std::string_view bytes,
                                               const Operation& read) const {
  std::vector<bool> explained(bytes.size());
  for (const auto& [version, written] : record_.writes) {
    const uint64_t begin = std::max(offset, written.base);
    const uint64_t end = std::min(offset + bytes.size(), written.EndBefore(read.end_us));
    if (begin >= end) continue;
    const std::string theirs = PatternBytes(version, begin, end - begin);
    for (uint64_t at = begin; at < end; ++at) {
      if (theirs[at - begin] == bytes[at - offset]) explained[at - offset] = true;
    }
  }
  const auto wrong = std::find(explained.begin(), explained.end(), false);
  if (wrong == explained.end()) return std::nullopt;
  return offset + static_cast<uint64_t>(wrong - explained.begin());
}

// Of the cells in which a piece begins and ends, bytes of the ones before and behind it may be the
// same by chance. Whether [begin, end) of the piece is nothing or can be such bytes.
bool Checker::OthersByChance(const Piece& piece, uint64_t begin, uint64_t end,
                             const Operation& read) const {
  if (begin >= end) return true;
  if (end - begin >= kCellBytes || end - begin >= piece.length) return false;
  return !FirstOfNobody(begin, PatternBytes(piece.version, begin, end - begin), read);
}

std::optional<std::string> Checker::WhatIsWrong(const Piece& piece, const Operation& read) const {
  if (piece.version != 0) {
    const auto it = record_.writes.find(piece.version);
    if (it == record_.writes.end()) return fmt::format("v{}, which nobody wrote", piece.version);
    const uint64_t base = it->second.base;
    const uint64_t handed = it->second.EndBefore(read.end_us);
    if (piece.offset >= base && piece.end() <= handed) return std::nullopt;
    if (handed > base && OthersByChance(piece, piece.offset, base, read) &&
        OthersByChance(piece, handed, piece.end(), read)) {
      return std::nullopt;
    }
    return fmt::format("v{}, whose writer had handed over [{}, {})", piece.version, base, handed);
  }
  // Less than a cell does not tell; but every byte must be someone's.
  const std::optional<uint64_t> wrong = FirstOfNobody(piece.offset, piece.raw, read);
  if (!wrong) return std::nullopt;
  return fmt::format("no write (byte {} first)", *wrong);
}

void Checker::CheckBytes(const Operation& read) {
  for (const Piece& piece : read.pieces) {
    const auto wrong = WhatIsWrong(piece, read);
    if (!wrong) continue;
    wrong_.insert(read.id);
    result_.violations.push_back(
        {fmt::format("bytes that were never written there: [{}, {}) are of {}\n  {}", piece.offset,
                     piece.end(), *wrong, ToString(read)),
         {read.id}});
    return;
  }
}

// One name for all paths that one file may have had.
size_t Checker::FileOf(const std::string& path) {
  return paths_.Find(mixed_.contains(TopOf(path)) ? TopOf(path) : path);
}

void Checker::FindTruncations() {
  std::set<std::string> parents;
  for (const Operation& op : record_.operations) {
    for (size_t slash = 1; (slash = op.path.find('/', slash)) != std::string::npos; ++slash) {
      parents.insert(op.path.substr(0, slash));
    }
  }
  const auto moved = [](const Operation& op) {
    return op.action == Action::kRename && op.outcome != Outcome::kRefused;
  };
  // A directory that moves takes its files along.
  for (const Operation& op : record_.operations) {
    if (!moved(op) || !(parents.contains(op.path) || parents.contains(op.to))) continue;
    mixed_.insert({TopOf(op.path), TopOf(op.to)});
    paths_.Join(TopOf(op.path), TopOf(op.to));
  }
  for (const Operation& op : record_.operations) {
    if (moved(op)) paths_.Join(FileOf(op.path), FileOf(op.to));
  }
  for (const Operation& op : record_.operations) {
    if (op.action != Action::kTruncate || op.outcome == Outcome::kRefused) continue;
    truncations_.emplace(FileOf(op.path), &op);
  }
}

bool Checker::OverlapsTruncation(const Operation& read) {
  const auto [begin, end] = truncations_.equal_range(FileOf(read.path));
  return std::any_of(begin, end, [&](const auto& entry) {
    const Operation& truncation = *entry.second;
    return truncation.start_us <= read.end_us &&
           (!IsOk(truncation) || read.start_us <= truncation.end_us);
  });
}

// Whether the operation says anything about the order.
bool Checker::IsJudged(const Operation& op) {
  if (op.outcome == Outcome::kRefused) return op.refusal != Refusal::kOther;
  if (IsOk(op)) {
    if (op.action != Action::kRead) return true;
    return !wrong_.contains(op.id) && !OverlapsTruncation(op);
  }
  // Of unknown outcome. What a writer may have done shows in what its file grew to; a session that
  // may have begun wrote nothing.
  return Changes(op.action) && op.action != Action::kFlush && op.action != Action::kClose &&
         op.action != Action::kAppend;
}

std::vector<std::vector<const Operation*>> Checker::Partitions() {
  UnionFind parts;
  const auto name_of = [](const Operation& op) { return TopOf(op.path); };
  for (const Operation& op : record_.operations) {
    if (!op.to.empty()) parts.Join(TopOf(op.path), TopOf(op.to));
    if (op.version != 0) parts.Join(SessionName(op.version), TopOf(op.path));
    if (op.path != "/") continue;
    for (const Operation& other : record_.operations) parts.Join("/", name_of(other));
  }
  std::map<size_t, std::vector<const Operation*>> by_part;
  for (const Operation& op : record_.operations) {
    if (IsJudged(op)) by_part[parts.Find(name_of(op))].push_back(&op);
  }
  std::vector<std::vector<const Operation*>> result;
  for (auto& [part, operations] : by_part) result.push_back(std::move(operations));
  return result;
}

// What else was done to the files of `op` around that time.
std::string Checker::NamedAlike(const Operation& op,
                                const std::vector<const Operation*>& operations) {
  constexpr int64_t kAroundUs = 20'000'000;
  std::string text = fmt::format("what names the same as #{}, around it:\n", op.id);
  std::set<Version> writers;
  for (const Piece& piece : op.pieces) writers.insert(piece.version);
  writers.erase(0);
  for (const Operation* other : operations) {
    const bool before =
        other->outcome != Outcome::kUnknown && other->end_us < op.start_us - kAroundUs;
    if (before || other->start_us > op.end_us + kAroundUs) continue;
    const bool alike = other->path == op.path || other->to == op.path ||
                       (!op.to.empty() && (other->path == op.to || other->to == op.to));
    if (alike && other->version != 0) writers.insert(other->version);
    if (alike || writers.contains(other->version)) text += "  " + ToString(*other) + "\n";
  }
  return text;
}

void Checker::CheckOrder(const std::vector<const Operation*>& operations) {
  const NamespaceModel model(&record_, operations);
  std::vector<Interval> intervals;
  for (const Operation* op : operations) {
    intervals.push_back({op->start_us, op->end_us, op->outcome == Outcome::kUnknown});
  }
  Linearizer<NamespaceModel> linearizer(&model, std::move(intervals), options_.max_states);
  const auto outcome = linearizer.Run({});
  result_.states += outcome.states;
  if (outcome.verdict == Verdict::kYes) return;

  Violation violation;
  violation.what = fmt::format(
      "no order of the operations gives these answers. After {} of {} none of these fits:\n",
      outcome.order.size(), operations.size());
  for (const size_t op : outcome.stuck) {
    violation.operations.push_back(model.operation(op).id);
    violation.what += fmt::format("  {}\n    where {}\n", ToString(model.operation(op)),
                                  model.Describe(outcome.state, model.operation(op)));
  }
  violation.what += "the last ones that fitted:\n";
  const size_t shown = std::min(kLastShown, outcome.order.size());
  for (size_t i = outcome.order.size() - shown; i < outcome.order.size(); ++i) {
    violation.what += "  " + ToString(model.operation(outcome.order[i])) + "\n";
  }
  for (const size_t op : outcome.stuck) {
    violation.what += NamedAlike(model.operation(op), operations);
  }
  if (outcome.verdict == Verdict::kUndecided) {
    result_.undecided.push_back("found none, and gave up: " + violation.what);
  } else {
    result_.violations.push_back(std::move(violation));
  }
}

}  // namespace

std::string CheckResult::ToString() const {
  std::string text;
  for (const Violation& violation : violations) text += violation.what + "\n";
  for (const std::string& doubt : undecided) text += doubt + "\n";
  return text + fmt::format("{} violations, {} undecided, {} states\n", violations.size(),
                            undecided.size(), states);
}

CheckResult CheckHistory(const Record& record, const CheckOptions& options) {
  return Checker(record, options).Run();
}

}  // namespace cairn::testing
