#include "tests/support/history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

#include "tests/support/history_log.h"

namespace cairn::testing {
namespace {

constexpr std::array<const char*, 13> kNames = {"mkdir", "publish", "create",   "append", "flush",
                                                "close", "abandon", "truncate", "rename", "delete",
                                                "stat",  "list",    "read"};
constexpr std::array<const char*, 3> kOutcomes = {"ok", "refused", "unknown"};
constexpr size_t kPiecesShown = 6;

std::string PiecesText(const Operation& op) {
  std::string text;
  for (size_t i = 0; i < op.pieces.size() && i < kPiecesShown; ++i) {
    const Piece& piece = op.pieces[i];
    text += fmt::format("{}[{}, {})", text.empty() ? "" : " ", piece.offset, piece.end());
    text += piece.version == 0 ? std::string(" of none") : fmt::format(" of v{}", piece.version);
  }
  if (op.pieces.size() > kPiecesShown) text += " ...";
  if (op.pieces.empty()) text = "nothing";
  return text + (op.to_end ? ", the end" : "");
}

// What was asked, and what was answered.
std::string Details(const Operation& op) {
  switch (op.action) {
    case Action::kMkdir:
      return op.path;
    case Action::kPublish:
      return fmt::format("{} as v{}, {} bytes{}", op.path, op.version, op.length,
                         op.overwrite ? ", replacing" : "");
    case Action::kCreate:
      return fmt::format("{} as v{}{}", op.path, op.version, op.overwrite ? ", replacing" : "");
    case Action::kAppend:
      return fmt::format("{} as v{}, from {}", op.path, op.version, op.length);
    case Action::kFlush:
    case Action::kClose:
      return fmt::format("{} of v{}, up to {}", op.path, op.version, op.length);
    case Action::kAbandon:
      return fmt::format("{} of v{}", op.path, op.version);
    case Action::kTruncate:
      return fmt::format("{} to {}", op.path, op.length);
    case Action::kRename:
      return op.path + " -> " + op.to;
    case Action::kDelete:
      return op.path + (op.recursive ? ", and all below" : "");
    case Action::kStat:
      if (op.outcome != Outcome::kOk) return op.path;
      return op.path + (op.is_directory ? ": a directory" : fmt::format(": {} bytes", op.length));
    case Action::kList:
      if (op.outcome != Outcome::kOk) return op.path;
      return fmt::format("{}: {}", op.path, fmt::join(op.names, " "));
    case Action::kRead:
      return op.outcome == Outcome::kOk ? op.path + ": " + PiecesText(op) : op.path;
  }
  return "";
}

}  // namespace

std::string ToString(const Operation& op) {
  const std::string end =
      op.end_us == kNever ? std::string("?") : fmt::format("{:.6f}", op.end_us / 1e6);
  std::string text = fmt::format("#{} client {} [{:.6f} .. {}] {} {}: {}", op.id, op.client,
                                 op.start_us / 1e6, end, kNames[static_cast<size_t>(op.action)],
                                 Details(op), kOutcomes[static_cast<size_t>(op.outcome)]);
  if (!op.error.empty()) text += fmt::format(" ({})", op.error);
  return text;
}

uint64_t Written::EndBefore(int64_t time_us) const {
  uint64_t end = base;
  for (const auto& [from_us, handed_end] : handed) {
    if (from_us <= time_us) end = std::max(end, handed_end);
  }
  return end;
}

int64_t History::NowUs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::microseconds>(now).count();
}

History::History(Version last_version, const std::string& log) : last_version_(last_version) {
  MutexLock lock(mu_);
  if (!log.empty()) log_ = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

History::~History() {
  MutexLock lock(mu_);
  if (log_ >= 0) close(log_);
}

void History::Log(const std::string& line) {
  if (log_ < 0) return;
  // In one piece, so that a SIGKILL leaves whole lines.
  if (write(log_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::abort();
}

Version History::NewVersion() {
  MutexLock lock(mu_);
  return ++last_version_;
}

void History::Begin(Operation& operation) {
  MutexLock lock(mu_);
  operation.id = record_.operations.size();
  operation.start_us = NowUs();
  operation.end_us = kNever;
  operation.outcome = Outcome::kUnknown;
  record_.operations.push_back(operation);
  Log(HistoryLine(operation));
}

void History::End(Operation& operation) {
  const int64_t now_us = NowUs();
  MutexLock lock(mu_);
  operation.end_us = now_us;
  record_.operations[operation.id] = operation;
  Log(HistoryLine(operation));
}

void History::Hand(Version version, uint64_t base, uint64_t end) {
  MutexLock lock(mu_);
  Written& written = record_.writes[version];
  written.base = base;
  written.handed.emplace_back(NowUs(), end);
  Log(HistoryLine(version, base, written.handed.back()));
}

Record History::Load(const std::vector<std::string>& logs) {
  Record record;
  for (const std::string& log : logs) AddHistoryLines(log, &record);
  return record;
}

Record History::record() const {
  MutexLock lock(mu_);
  return record_;
}

}  // namespace cairn::testing
