#include "client/replica_race.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "client/block_locations.h"
#include "client/client_core.h"
#include "client/connect.h"
#include "common/status.h"
#include "common/units.h"

namespace cairn {

ReplicaRace::ReplicaRace(ClientCore* core, BlockLocations* locations, v1::LocatedBlock block,
                         uint64_t offset, uint64_t length, const Options& options)
    : core_(core),
      locations_(locations),
      block_(std::move(block)),
      position_(offset),
      end_(offset + length),
      options_(options),
      last_failure_(absl::UnavailableError("its DataNodes are not live")) {
  core_->hedging().CountRead();
}

absl::StatusOr<size_t> ReplicaRace::Read(std::span<char> out) {
  waited_ = false;
  while (true) {
    const uint64_t seen = wakeup_->count();
    if (Settle()) {
      const size_t count = runners_.front().reader->Read(out);
      if (count == 0) continue;  // it goes on elsewhere
      position_ += count;
      asked_again_ = false;
      return count;
    }
    if (runners_.empty()) {
      const std::optional<v1::NodeAddress> next = Next();
      if (!next) return last_failure_;
      Start(*next, /*is_hedge=*/false);
      continue;
    }
    const int64_t now_us = core_->clock().SteadyUs();
    if (!std::exchange(waited_, true)) BeginWait(now_us);
    GiveUpStalled(now_us);
    HedgeIfLate(now_us);
    if (!runners_.empty()) wakeup_->WaitPast(seen, NextStepUs() - now_us);
  }
}

bool ReplicaRace::Seek(uint64_t offset) {
  if (runners_.size() != 1 || !runners_.front().reader->Seek(offset)) return false;
  position_ = offset;
  return true;
}

bool ReplicaRace::Extend(uint64_t end) {
  if (runners_.size() != 1 || !runners_.front().reader->Extend(end)) return false;
  end_ = end;
  return true;
}

std::optional<v1::NodeAddress> ReplicaRace::Next() const {
  for (v1::NodeAddress& node : locations_->Candidates(block_, options_.turn)) {
    const auto is_it = [&](const Runner& runner) {
      return runner.reader->node().number() == node.number();
    };
    if (std::none_of(runners_.begin(), runners_.end(), is_it)) return std::move(node);
  }
  return std::nullopt;
}

void ReplicaRace::Start(const v1::NodeAddress& node, bool is_hedge) {
  const int64_t now_us = core_->clock().SteadyUs();
  runners_.push_back({.reader = std::make_unique<LocalFirstReader>(core_, block_, node, position_,
                                                                   bytes_left(), wakeup_),
                      .waits_since_us = now_us,
                      .wait = Hedging::Wait::kFirst,
                      .is_hedge = is_hedge});
  hedge_at_us_ = now_us + core_->hedging().PatienceUs(node.number(), Hedging::Wait::kFirst);
  const absl::Status status = runners_.back().reader->Open();
  if (!status.ok()) Failed(runners_.size() - 1, status);
}

bool ReplicaRace::Settle() {
  for (size_t i = 0; i < runners_.size();) {
    const absl::StatusOr<bool> has_bytes = runners_[i].reader->Poll();
    if (!has_bytes.ok()) {
      Failed(i, has_bytes.status());
    } else if (*has_bytes) {
      Win(i);
      return true;
    } else {
      ++i;
    }
  }
  return false;
}

// A stream that was read from before is waited for from now on, not since its reader came last.
void ReplicaRace::BeginWait(int64_t now_us) {
  Runner& runner = runners_.front();
  if (runner.wait == Hedging::Wait::kFirst) return;
  runner.waits_since_us = now_us;
  hedge_at_us_ = now_us + core_->hedging().PatienceUs(runner.reader->node().number(), runner.wait);
}

void ReplicaRace::GiveUpStalled(int64_t now_us) {
  for (size_t i = 0; i < runners_.size();) {
    const Runner& runner = runners_[i];
    const int64_t waited_us = now_us - runner.waits_since_us;
    if (waited_us < options_.stall_ms * 1000) {
      ++i;
      continue;
    }
    const v1::NodeAddress& node = runner.reader->node();
    core_->hedging().Overtaken(node.number(), runner.wait, waited_us, now_us);
    Failed(i, absl::DeadlineExceededError(fmt::format("no answer for {} from DataNode {}",
                                                      FormatDurationMs(options_.stall_ms),
                                                      NameOf(node))));
  }
}

void ReplicaRace::HedgeIfLate(int64_t now_us) {
  if (runners_.empty() || now_us < hedge_at_us_) return;
  const std::optional<v1::NodeAddress> next = Next();
  if (next && core_->hedging().TryHedge()) {
    Start(*next, /*is_hedge=*/true);
    return;
  }
  // Later there may be room in the budget again.
  const Runner& last = runners_.back();
  hedge_at_us_ = now_us + core_->hedging().PatienceUs(last.reader->node().number(), last.wait);
}

int64_t ReplicaRace::NextStepUs() const {
  int64_t next_us = hedge_at_us_;
  for (const Runner& runner : runners_) {
    next_us = std::min(next_us, runner.waits_since_us + options_.stall_ms * 1000);
  }
  return next_us;
}

void ReplicaRace::Win(size_t index) {
  Runner winner = std::move(runners_[index]);
  if (waited_ || winner.wait == Hedging::Wait::kFirst) {
    Hedging& hedging = core_->hedging();
    const int64_t now_us = core_->clock().SteadyUs();
    hedging.Answered(winner.reader->node().number(), winner.wait, now_us - winner.waits_since_us);
    // Those that began later were not given the time.
    for (size_t i = 0; i < index; ++i) {
      const Runner& late = runners_[i];
      hedging.Overtaken(late.reader->node().number(), late.wait, now_us - late.waits_since_us,
                        now_us);
    }
    if (winner.is_hedge) hedging.CountWon();
  }
  winner.wait = Hedging::Wait::kNext;
  winner.is_hedge = false;
  runners_.clear();
  runners_.push_back(std::move(winner));
}

void ReplicaRace::Failed(size_t index, const absl::Status& status) {
  const std::unique_ptr<LocalFirstReader> reader = std::move(runners_[index].reader);
  runners_.erase(runners_.begin() + static_cast<std::ptrdiff_t>(index));
  // One that will have a stream to spare is something to wait for.
  if (KindOf(last_failure_) != ErrorKind::kBusy) last_failure_ = status;
  if (KindOf(status) == ErrorKind::kIdleStream && !std::exchange(asked_again_, true)) return;
  core_->hedging().CountFailure();
  locations_->Failed(block_, reader->node().number(), status);
  if (KindOf(status) == ErrorKind::kChecksum) reader->AskToVerify();
}

}  // namespace cairn
