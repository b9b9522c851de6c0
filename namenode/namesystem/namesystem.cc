#include "namenode/namesystem/namesystem.h"

#include <algorithm>
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
constexpr size_t kCompletionQueue = 4096;  // tasks; each releases all that one sync made durable
// A hold of the lock ends after so many calls, or after so long.
constexpr size_t kCallsPerHold = 64;
constexpr int64_t kHoldUs = 500;
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
    case BlockEffect::Kind::kAdminState:
      change.kind = BlockChange::Kind::kAdminState;
      change.node = effect.node;
      change.admin = effect.admin;
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
                                       "How long changes held the namespace lock")),
      waiting_(
          metrics->AddGauge("cairn_namenode_answers_waiting", "Answers that wait for the journal")),
      state_(std::move(state)),
      pool_("nn-release", kCompletionThreads, kCompletionQueue) {
  journal_->OnDurable([this](TxId durable) { OnDurable(durable); });
}

Namesystem::~Namesystem() { Stop(); }

TxId Namesystem::Durable() const { return journal_->durable(); }

void Namesystem::Enter(std::unique_ptr<DoorCall> call) {
  HoldOnce({&call, 1});
  ReleaseOrKeep({&call, 1}, nullptr);
}

void Namesystem::CommitBatch(DoorBatch calls, const std::function<void()>& released) {
  absl::Span<std::unique_ptr<DoorCall>> left = absl::MakeSpan(calls);
  while (!left.empty()) {
    const size_t done = HoldOnce(left);
    ReleaseOrKeep(left.first(done), released);
    left.remove_prefix(done);
  }
}

size_t Namesystem::HoldOnce(Calls calls) {
  if (calls.size() > kCallsPerHold) calls = calls.first(kCallsPerHold);
  const bool changes =
      std::any_of(calls.begin(), calls.end(), [](const auto& call) { return call->changes(); });
  if (!changes) {
    ReaderLock lock(fs_mu_);
    return LookAll(calls);
  }
  size_t done = 0;
  bool reclaim = false;
  {
    WriterLock lock(fs_mu_);
    journal_->BeginGroup();
    done = DecideAll(calls);
    journal_->EndGroup();
    reclaim = state_->HasReclaimWork();
  }
  if (reclaim && wake_reclaim_) wake_reclaim_();
  return done;
}

size_t Namesystem::LookAll(Calls calls) {
  const int64_t began_us = clock_->SteadyUs();
  int64_t now_us = began_us;
  size_t done = 0;
  while (done < calls.size() && now_us - began_us < kHoldUs) {
    auto& query = static_cast<DoorQuery&>(*calls[done++]);
    if (!Expired(query, now_us)) query.observed_ = query.Look(*state_);
    now_us = clock_->SteadyUs();
  }
  return done;
}

size_t Namesystem::DecideAll(Calls calls) {
  const int64_t began_us = clock_->SteadyUs();
  int64_t now_us = began_us;
  size_t done = 0;
  while (done < calls.size() && now_us - began_us < kHoldUs) {
    DoorCall& call = *calls[done++];
    if (Expired(call, now_us)) {
      // It was refused: its caller is gone.
    } else if (call.changes()) {
      Decide(static_cast<DoorChange&>(call));
    } else {
      auto& query = static_cast<DoorQuery&>(call);
      query.observed_ = query.Look(*state_);
    }
    now_us = clock_->SteadyUs();
  }
  lock_held_->Observe(static_cast<double>(now_us - began_us) / 1e6);
  return done;
}

bool Namesystem::Expired(DoorCall& call, int64_t now_us) {
  if (call.expires_us_ == 0 || now_us < call.expires_us_) return false;
  call.Refuse(absl::DeadlineExceededError("the call's time was over before it was carried out"));
  return true;
}

void Namesystem::Decide(DoorChange& call) {
  if (stopped_) {
    return call.Refuse(
        WithKind(absl::UnavailableError("the NameNode is stopping"), ErrorKind::kNotActive));
  }
  if (call.key_.has_value()) {
    if (call.key_->call_id == 0) {
      return call.Refuse(
          absl::InvalidArgumentError("a call that changes something needs a call id above 0"));
    }
    if (std::optional<RetryHit> hit = state_->FindRetry(*call.key_)) {
      retry_hits_->Increment();
      call.outcome_ = std::move(hit->answer);
      call.observed_ = hit->txid;
      return;
    }
  }
  if (call.origin_ == Origin::kClient && blocks_->InSafeMode()) {
    call.safe_mode_ = true;  // the reason is asked for without the lock
    return;
  }
  Planned planned = call.Plan(std::as_const(*state_));
  call.observed_ = planned.observed;
  if (!planned.status.ok()) return call.Refuse(std::move(planned.status));
  if (planned.edit.has_value()) {
    EditRecord record{clock_->WallMs(), call.key_, *std::move(planned.edit),
                      std::move(planned.answer)};
    call.observed_ = Carry(record);
    call.outcome_ = std::move(record.answer);
  } else {
    call.outcome_ = std::move(planned.answer);
  }
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
  Commit(origin, key, std::cref(plan), [waiter](absl::StatusOr<Answer> answer) {
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

void Namesystem::ReleaseOrKeep(absl::Span<std::unique_ptr<DoorCall>> calls,
                               const std::function<void()>& released) {
  const TxId durable = Durable();
  TxId last = 0;
  Waiting waiting;
  for (std::unique_ptr<DoorCall>& call : calls) {
    if (call->safe_mode_) call->Refuse(SafeModeRefusal(blocks_->SafeModeNow().reason));
    if (call->observed_ <= durable) {
      call->Release();
    } else {
      last = std::max(last, call->observed_);
      waiting.calls.push_back(std::move(call));
    }
  }
  if (released && waiting.calls.size() < calls.size()) released();
  if (waiting.calls.empty()) return;
  waiting.released = released;
  if (KeepUntil(last, waiting)) return;
  for (const std::unique_ptr<DoorCall>& call : waiting.calls) call->Release();
  if (released) released();
}

bool Namesystem::KeepUntil(TxId observed, Waiting& waiting) {
  MutexLock lock(release_mu_);
  if (observed <= released_) return false;
  release_.emplace(observed, std::move(waiting));
  waiting_->Set(static_cast<double>(release_.size()));
  return true;
}

void Namesystem::Release(const std::vector<Waiting>& ready) {
  for (const Waiting& waiting : ready) {
    for (const std::unique_ptr<DoorCall>& call : waiting.calls) call->Release();
  }
  for (const Waiting& waiting : ready) {
    if (waiting.released) waiting.released();
  }
}

void Namesystem::OnDurable(TxId durable) {
  auto ready = std::make_shared<std::vector<Waiting>>();
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
  const auto run = [ready] { Release(*ready); };
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
