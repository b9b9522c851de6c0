#include "tests/unit/namenode/namesystem/crash_history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

#include "common/status.h"
#include "namenode/codec/edit_codec.h"

namespace cairn::namenode {
namespace {

constexpr int kAwaited = 6;  // calls that wait for the journal at once: they share batches

ClientId IdOf(size_t client) {
  ClientId id{};
  id.fill(static_cast<uint8_t>(client + 1));
  return id;
}

}  // namespace

// The journal, and beside it everything that it was given. When the power goes, what still waits
// for it is let go, so that the namesystem can stop; nobody hears those answers.
class CrashHistory::RecordingJournal final : public Journal {
 public:
  explicit RecordingJournal(CrashHistory* history) : history_(history) {
    FileJournalOptions options;
    options.dirs = history->dirs_;
    options.preallocate_bytes = 4096;
    options.marker_after_ms = 1;
    options.fatal = [this](const absl::Status&) { LetGo(); };
    journal_ = std::make_unique<FileJournal>(history->env_.get(), options);
  }

  void OnDurable(std::function<void(TxId)> callback) override {
    on_durable_ = callback;
    journal_->OnDurable(std::move(callback));
  }
  absl::Status Start(TxId next) override { return journal_->Start(next); }
  TxId Append(absl::FunctionRef<void(std::string* out)> encode) override {
    std::string bytes;
    encode(&bytes);
    const TxId txid = journal_->Append([&](std::string* out) { out->append(bytes); });
    EXPECT_EQ(txid, history_->records_.size() + 1);
    history_->records_.push_back(std::move(bytes));
    return txid;
  }
  TxId last() const override { return journal_->last(); }
  TxId durable() const override { return journal_->durable(); }
  uint64_t pending_bytes() const override { return journal_->pending_bytes(); }
  absl::StatusOr<TxId> Roll() override { return journal_->Roll(); }
  absl::Status DropBefore(TxId txid) override { return journal_->DropBefore(txid); }
  void Stop() override { journal_->Stop(); }

 private:
  void LetGo() {
    {
      MutexLock lock(history_->mu_);
      history_->dead_ = true;
      history_->answered_cv_.SignalAll();
    }
    on_durable_(UINT64_MAX);
  }

  CrashHistory* const history_;
  std::function<void(TxId)> on_durable_;
  std::unique_ptr<FileJournal> journal_;
};

class CrashHistory::Life {
 public:
  Life(CrashHistory* history, LoadedState loaded)
      : journal(history),
        blocks(
            {}, &history->clock_, [this] { return journal.durable(); }, 1),
        namesystem(std::move(loaded.state), &journal, &blocks, &history->clock_, &metrics) {
    blocks.FinishLoading();
  }

  Metrics metrics;
  RecordingJournal journal;
  BlockManager blocks;
  Namesystem namesystem;
};

CrashHistory::CrashHistory(std::vector<std::string> dirs, uint32_t seed)
    : dirs_(std::move(dirs)), plans_(seed), shadow_(FsState::Format("root", "supergroup", 0)) {
  for (const std::string& dir : dirs_) EXPECT_TRUE(env_->CreateDirs(dir).ok());
}

TxId CrashHistory::answered() const {
  MutexLock lock(mu_);
  return answered_;
}

void CrashHistory::Crash(std::optional<uint32_t> keep_some_by_seed) {
  env_->Crash(keep_some_by_seed);
}

Facts CrashHistory::FactsNow() {
  Facts facts;
  facts.now_ms = clock_.WallMs();
  facts.targets = {1, 2, 3};
  return facts;
}

// --- A start, and what it must find
// -----------------------------------------------------------------

std::unique_ptr<CrashHistory::Life> CrashHistory::Start() {
  {
    MutexLock lock(mu_);
    dead_ = false;
    awaited_ = 0;
  }
  StateStore store(env_.get(), dirs_, kCluster);
  if (!formatted_) {
    if (!store.Format("root", "supergroup", 0).ok()) return nullptr;
    formatted_ = true;
  }
  absl::StatusOr<LoadedState> loaded = store.Recover();
  if (!loaded.ok()) {
    EXPECT_FALSE(env_->SyncDir(dirs_.front()).ok()) << "with power: " << loaded.status();
    return nullptr;
  }
  CheckLoaded(*loaded);
  if (::testing::Test::HasFailure()) return nullptr;
  auto life = std::make_unique<Life>(this, *std::move(loaded));
  if (!life->journal.Start(shadow_.applied_txid() + 1).ok()) return nullptr;
  return life;
}

void CrashHistory::CheckLoaded(const LoadedState& loaded) {
  const TxId last = loaded.last_txid;
  ASSERT_GE(last, answered()) << "an answer told of more";
  ASSERT_GE(last, shadow_.applied_txid()) << "an earlier start found more";
  ASSERT_LE(last, records_.size());
  for (ClientState& client : clients_) ForgetLost(client, last);
  records_.resize(last);
  while (shadow_.applied_txid() < last) {
    const TxId txid = shadow_.applied_txid() + 1;
    const auto record = DecodeEdit(records_[txid - 1]);
    ASSERT_TRUE(record.ok()) << record.status();
    const auto applied = Apply(shadow_, txid, *record);
    ASSERT_TRUE(applied.ok()) << applied.status();
  }
  ASSERT_EQ(loaded.state->applied_txid(), last);
  ASSERT_EQ(loaded.state->digest(), shadow_.digest());
  ASSERT_EQ(loaded.state->digest(), loaded.state->RecomputeDigest());
  CheckCounters(*loaded.state);
}

void CrashHistory::CheckCounters(const FsState& state) {
  MutexLock lock(mu_);
  EXPECT_GE(state.epoch(), told_.epoch);
  EXPECT_GT(state.next_inode(), told_.inode) << "an inode would return";
  EXPECT_GT(state.next_block(), told_.block) << "a block would return";
  EXPECT_GT(state.next_generation(), told_.generation) << "a stamp would return";
}

void CrashHistory::Saw(const Answer& answer) {
  const NewBlock* block = nullptr;
  GenerationStamp generation = 0;
  if (const auto* created = std::get_if<CreatedAnswer>(&answer)) {
    told_.inode = std::max(told_.inode, created->inode);
    if (created->block) block = &*created->block;
  } else if (const auto* added = std::get_if<NewBlockAnswer>(&answer)) {
    block = &added->block;
  } else if (const auto* stamp = std::get_if<NewStampAnswer>(&answer)) {
    generation = stamp->generation;
  }
  if (block != nullptr) {
    told_.block = std::max(told_.block, block->id);
    generation = block->generation;
  }
  told_.generation = std::max(told_.generation, generation);
}

// --- Retries
// ----------------------------------------------------------------------------------------

// Calls that changed nothing that lasted. Their clients heard nothing of them, and would call
// again, as if for the first time.
void CrashHistory::ForgetLost(ClientState& client, TxId last) {
  for (auto it = client.calls.begin(); it != client.calls.end();) {
    const Call& call = *it->second;
    const bool lost = call.txid > last;
    EXPECT_FALSE(lost && call.answered) << "call " << call.key.call_id << " is gone";
    lost_ += lost;
    it = lost || call.txid == 0 ? client.calls.erase(it) : std::next(it);
  }
}

void CrashHistory::CheckRetries(Life& life) {
  for (ClientState& client : clients_) {
    const auto calls = client.calls;
    for (const auto& [id, call] : calls) CheckRetry(life, call);
    Forget(client);
  }
}

void CrashHistory::CheckRetry(Life& life, const std::shared_ptr<Call>& call) {
  const ClientState& client = clients_[call->key.client[0] - 1u];
  bool planned_again = false;
  const auto answer =
      life.namesystem.CommitAndWait(Origin::kInternal, call->key, [&](const FsState&) -> Planned {
        planned_again = true;
        return {};
      });
  EXPECT_FALSE(planned_again) << "call " << call->key.call_id << " would be carried out twice";
  const bool may_be_forgotten = call->key.call_id < client.done_below ||
                                clock_.WallMs() - call->time_ms > RetryCache::kWindowMs;
  if (answer.ok()) {
    EXPECT_EQ(*answer, call->answer) << "call " << call->key.call_id;
    ++hits_;
  } else if (may_be_forgotten) {
    EXPECT_EQ(KindOf(answer.status()), ErrorKind::kOutcomeUnknown) << answer.status();
  } else {
    MutexLock lock(mu_);
    EXPECT_TRUE(dead_) << "call " << call->key.call_id << ": " << answer.status();
  }
  call->answered = true;
}

// The client has its answers up to here, and says so in its next call.
void CrashHistory::Forget(ClientState& client) {
  MutexLock lock(mu_);
  client.done_below = client.next_call;
  for (const auto& [id, call] : client.calls) {
    if (!call->answered) {
      client.done_below = id;
      break;
    }
  }
  constexpr uint64_t kRemembered = 20;  // calls; older ones are not tried again here
  while (!client.calls.empty() && client.calls.begin()->second->answered &&
         client.calls.begin()->first + kRemembered < client.done_below) {
    client.calls.erase(client.calls.begin());
  }
}

// --- A life
// -----------------------------------------------------------------------------------------

void CrashHistory::Issue(Life& life, const std::shared_ptr<Call>& call, const ClientId& client) {
  const auto plan = [&](const FsState& state) {
    Planned planned = plans_.Client(state, client, FactsNow());
    if (planned.status.ok() && planned.edit) {
      call->txid = state.applied_txid() + 1;
      ++kinds_[planned.edit->index()];
    }
    call->observed = planned.observed;
    call->answer = planned.answer;
    return planned;
  };
  const auto done = [this, call, &journal = life.journal](absl::StatusOr<Answer> answer) {
    MutexLock lock(mu_);
    --awaited_;
    answered_cv_.SignalAll();
    if (dead_) return;
    const TxId reveals = std::max(call->txid, call->observed);
    EXPECT_GE(journal.durable(), reveals) << "told before it was durable";
    answered_ = std::max(answered_, reveals);
    call->answered = true;
    if (answer.ok()) Saw(*answer);
  };
  {
    MutexLock lock(mu_);
    ++awaited_;
  }
  life.namesystem.Commit(Origin::kInternal, call->key, plan, done);
  MutexLock lock(mu_);
  while (awaited_ >= kAwaited && !dead_) {
    if (!answered_cv_.WaitFor(mu_, std::chrono::seconds(30))) {
      ADD_FAILURE() << "no answer within 30 s";
      return;
    }
  }
}

void CrashHistory::RandomCall(Life& life) {
  const size_t index = plans_.Pick(static_cast<uint32_t>(clients_.size()));
  ClientState& client = clients_[index];
  Forget(client);
  auto call = std::make_shared<Call>();
  call->key = {IdOf(index), client.next_call++, client.done_below};
  call->time_ms = clock_.WallMs();
  client.calls[call->key.call_id] = call;
  Issue(life, call, IdOf(index));
}

void CrashHistory::Housekeeping(Life& life) {
  clock_.AdvanceMs(plans_.Pick(200) == 0 ? 700'000 : plans_.Pick(1000));
  if (plans_.Pick(4) == 0) {
    (void)life.namesystem.CommitAndWait(Origin::kInternal, std::nullopt, [&](const FsState& state) {
      Planned planned = plans_.Own(state);
      if (planned.edit) ++kinds_[planned.edit->index()];
      return planned;
    });
  }
  if (plans_.Pick(40) == 0) Checkpoint(life);
}

// As the checkpoint's child makes it, and the end of what it covers.
void CrashHistory::Checkpoint(Life& life) {
  const absl::StatusOr<TxId> rolled = life.namesystem.Roll();
  if (!rolled.ok() || !checkpoints_) return;
  StateStore store(env_.get(), dirs_, kCluster);
  if (!store.WriteCheckpoint(*rolled).ok()) return;
  const absl::StatusOr<TxId> oldest = store.RemoveOldImages();
  if (oldest.ok()) (void)life.namesystem.DropEditsBefore(*oldest + 1);
}

bool CrashHistory::Live(int calls, bool graceful) {
  const std::unique_ptr<Life> life = Start();
  if (life == nullptr) return false;
  const auto commit = [&](const Namesystem::PlanFn& plan) {
    const auto answer = life->namesystem.CommitAndWait(Origin::kInternal, std::nullopt, plan);
    MutexLock lock(mu_);
    return answer.ok() && !dead_;
  };
  bool alive = commit([](const FsState& state) { return PlanStart(state); });
  if (alive) {
    uint64_t epoch = 0;
    life->namesystem.Peek([&](const FsState& state) { epoch = state.epoch(); });
    MutexLock lock(mu_);
    EXPECT_GT(epoch, told_.epoch);
    told_.epoch = epoch;
  }
  for (const char* id : {"node-1", "node-2", "node-3"}) {
    const RegisterNodeRequest node{id, "/r", {std::string(id) + "-a", std::string(id) + "-b"}};
    alive = alive && commit([&](const FsState& state) { return PlanRegisterNode(state, node); });
  }
  if (alive) CheckRetries(*life);
  for (int i = 0; i < calls && alive && !::testing::Test::HasFailure(); ++i) {
    RandomCall(*life);
    Housekeeping(*life);
    MutexLock lock(mu_);
    alive = !dead_;
  }
  if (!graceful) env_->CutPowerAfter(0);
  life->namesystem.Stop();
  life->journal.Stop();
  MutexLock lock(mu_);
  return !dead_;
}

void CrashHistory::Check() {
  EXPECT_TRUE(Live(0, /*graceful=*/true) || ::testing::Test::HasFailure());
}

}  // namespace cairn::namenode
