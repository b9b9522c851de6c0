#include "namenode/namesystem/namesystem.h"

#include <cstdlib>
#include <vector>

#include "common/clock.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/codec/edit_codec.h"
#include "namenode/journal/journal.h"

namespace cairn::namenode {
namespace {

constexpr int kCompletionThreads = 2;
constexpr size_t kCompletionQueue = 4096;   // tasks; each releases all that one sync made durable
constexpr uint32_t kReclaimInodes = 1'000;  // a slice of a deleted tree: what one lock hold frees

absl::Status SafeModeRefusal(const std::string& reason) {
  return WithKind(absl::UnavailableError(reason), ErrorKind::kSafeMode);
}

BlockChange ToChange(const BlockEffect& effect) {
  BlockChange change;
  switch (effect.kind) {
    case BlockEffect::Kind::kOpened:
      change.kind = BlockChange::Kind::kOpened;
      break;
    case BlockEffect::Kind::kFinished:
      change.kind = BlockChange::Kind::kFinished;
      break;
    case BlockEffect::Kind::kFileClosed:
      change.kind = BlockChange::Kind::kFileClosed;
      break;
    case BlockEffect::Kind::kRemoved:
      change.kind = BlockChange::Kind::kRemoved;
      break;
    case BlockEffect::Kind::kReplication:
      change.kind = BlockChange::Kind::kReplication;
      break;
  }
  change.block = effect.info.block;
  change.inode = effect.info.inode;
  change.replication = effect.info.replication;
  change.block_size = effect.info.block_size;
  change.pipeline.assign(effect.info.pipeline.begin(), effect.info.pipeline.end());
  change.storages.assign(effect.storages.begin(), effect.storages.end());
  return change;
}

}  // namespace

Namesystem::Namesystem(std::unique_ptr<FsState> state, Journal* journal, BlockManager* blocks,
                       Clock* clock, Metrics* metrics)
    : journal_(journal),
      blocks_(blocks),
      clock_(clock),
      edits_(metrics->AddCounter("cairn_namenode_edits_total", "Edits journaled")),
      retry_hits_(metrics->AddCounter("cairn_namenode_retry_hits_total",
                                      "Calls answered from the retry cache")),
      lock_held_(metrics->AddHistogram("cairn_namenode_lock_held_seconds",
                                       "How long a commit held the namespace lock")),
      waiting_(
          metrics->AddGauge("cairn_namenode_answers_waiting", "Answers that wait for the journal")),
      state_(std::move(state)),
      pool_("nn-release", kCompletionThreads, kCompletionQueue) {
  journal_->OnDurable([this](TxId durable) { OnDurable(durable); });
}

Namesystem::~Namesystem() { Stop(); }

TxId Namesystem::Durable() const { return journal_->durable(); }

void Namesystem::Commit(Origin origin, const std::optional<RetryKey>& key, const PlanFn& plan,
                        Done done) {
  Outcome outcome;
  bool reclaim = false;
  {
    WriterLock lock(fs_mu_);
    outcome = Decide(origin, key, plan);
    reclaim = state_->HasReclaimWork();
  }
  if (reclaim && wake_reclaim_) wake_reclaim_();
  if (!outcome.answer.ok() && KindOf(outcome.answer.status()) == ErrorKind::kSafeMode) {
    outcome.answer = SafeModeRefusal(blocks_->SafeModeReason());
  }
  if (outcome.observed <= Durable()) return done(std::move(outcome.answer));
  auto held = std::make_shared<absl::StatusOr<Answer>>(std::move(outcome.answer));
  ReleaseAt(outcome.observed, [held, done = std::move(done)] { done(std::move(*held)); });
}

Namesystem::Outcome Namesystem::Decide(Origin origin, const std::optional<RetryKey>& key,
                                       const PlanFn& plan) {
  if (stopped_) {
    return {WithKind(absl::UnavailableError("the NameNode is stopping"), ErrorKind::kNotActive), 0};
  }
  if (key.has_value()) {
    if (key->call_id == 0) {
      return {absl::InvalidArgumentError("a call that changes something needs a call id above 0"),
              0};
    }
    if (std::optional<RetryHit> hit = state_->FindRetry(*key)) {
      retry_hits_->Increment();
      return {std::move(hit->answer), hit->txid};
    }
  }
  if (origin == Origin::kClient && blocks_->InSafeMode()) return {SafeModeRefusal(""), 0};

  const int64_t began_us = clock_->SteadyUs();
  Planned planned = plan(std::as_const(*state_));
  if (!planned.status.ok()) return {std::move(planned.status), planned.observed};
  if (!planned.edit.has_value()) return {std::move(planned.answer), planned.observed};
  EditRecord record{clock_->WallMs(), key, *std::move(planned.edit), std::move(planned.answer)};
  Answer answer = record.answer;
  const TxId txid = Carry(record);
  lock_held_->Observe(static_cast<double>(clock_->SteadyUs() - began_us) / 1e6);
  return {std::move(answer), txid};
}

TxId Namesystem::Carry(const EditRecord& record) {
  const TxId txid = journal_->Append([&](std::string* out) { EncodeEdit(record, out); });
  absl::StatusOr<Effects> effects = Apply(*state_, txid, record);
  if (!effects.ok()) {
    // The edit is on its way to disk and the state did not take it: going on would serve a
    // namespace that no replay can reproduce.
    LogError("edit {} was planned but cannot be applied: {}", txid, MessageOf(effects.status()));
    FlushLog();
    std::abort();
  }
  edits_->Increment();
  PushEffects(txid, *effects);
  return txid;
}

void Namesystem::PushEffects(TxId txid, const Effects& effects) {
  if (effects.empty()) return;
  std::vector<BlockChange> changes;
  changes.reserve(effects.size());
  for (const BlockEffect& effect : effects) changes.push_back(ToChange(effect));
  blocks_->PushChanges(txid, std::move(changes));
}

absl::StatusOr<Answer> Namesystem::CommitAndWait(Origin origin, const std::optional<RetryKey>& key,
                                                 const PlanFn& plan) {
  struct Waiter {
    Mutex mu;
    CondVar cv;
    std::optional<absl::StatusOr<Answer>> answer ABSL_GUARDED_BY(mu);
  };
  auto waiter = std::make_shared<Waiter>();
  Commit(origin, key, plan, [waiter](absl::StatusOr<Answer> answer) {
    MutexLock lock(waiter->mu);
    waiter->answer = std::move(answer);
    waiter->cv.SignalAll();
  });
  // Ends for sure: the journal either makes the edit durable or ends the process.
  MutexLock lock(waiter->mu);
  while (!waiter->answer.has_value()) waiter->cv.Wait(waiter->mu);
  return *std::move(waiter->answer);
}

void Namesystem::Peek(absl::FunctionRef<void(const FsState&)> look) const {
  ReaderLock lock(fs_mu_);
  look(*state_);
}

absl::StatusOr<TxId> Namesystem::Roll() {
  RETURN_IF_ERROR(CommitAndWait(Origin::kInternal, std::nullopt, [](const FsState& s) {
                    return PlanDigest(s);
                  }).status());
  return journal_->Roll();
}

absl::Status Namesystem::DropEditsBefore(TxId txid) { return journal_->DropBefore(txid); }

void Namesystem::RenewLease(const ClientId& holder) { leases_.Renew(holder, clock_->SteadyMs()); }

bool Namesystem::LeaseExpired(const ClientId& holder, int64_t limit_ms) {
  return holder != kNameNodeHolder && leases_.Expired(holder, clock_->SteadyMs(), limit_ms);
}

std::vector<Lease> Namesystem::ExpiredLeases(int64_t limit_ms) {
  std::vector<Lease> expired;
  Peek([&](const FsState& state) {
    state.ForEachLease([&](const Lease& lease) {
      if (LeaseExpired(lease.holder, limit_ms)) expired.push_back(lease);
    });
  });
  leases_.DropOlderThan(clock_->SteadyMs(), 2 * limit_ms);
  return expired;
}

absl::Status Namesystem::Reclaim(int max_slices) {
  for (int i = 0; i < max_slices; ++i) {
    bool waiting = false;
    Peek([&](const FsState& state) { waiting = state.HasReclaimWork(); });
    if (!waiting) break;
    RETURN_IF_ERROR(CommitAndWait(Origin::kInternal, std::nullopt, [](const FsState& s) {
                      return PlanReclaim(s, kReclaimInodes);
                    }).status());
  }
  return absl::OkStatus();
}

void Namesystem::ReleaseAt(TxId observed, std::function<void()> release) {
  {
    MutexLock lock(release_mu_);
    if (observed > released_) {
      release_.emplace(observed, std::move(release));
      waiting_->Set(static_cast<double>(release_.size()));
      return;
    }
  }
  release();
}

void Namesystem::OnDurable(TxId durable) {
  auto ready = std::make_shared<std::vector<std::function<void()>>>();
  {
    MutexLock lock(release_mu_);
    released_ = durable;
    const auto end = release_.upper_bound(durable);
    for (auto it = release_.begin(); it != end; ++it) ready->push_back(std::move(it->second));
    release_.erase(release_.begin(), end);
    waiting_->Set(static_cast<double>(release_.size()));
    if (release_.empty()) all_released_.SignalAll();
  }
  if (ready->empty()) return;
  const auto run = [ready] {
    for (auto& release : *ready) release();
  };
  // A full pool makes the journal's thread do the work: the slowest then sets the pace.
  if (!pool_.Submit(run)) run();
}

void Namesystem::Stop() {
  {
    WriterLock lock(fs_mu_);
    stopped_ = true;
  }
  {
    MutexLock lock(release_mu_);
    while (!release_.empty()) all_released_.Wait(release_mu_);
  }
  pool_.Stop();
}

}  // namespace cairn::namenode
