// A namesystem over a journal whose progress the test decides.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/metrics.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/journal/journal.h"
#include "namenode/namesystem/client_operations.h"
#include "namenode/namesystem/load_blocks.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn::namenode {

// Keeps records in memory; they become durable when the test says so: one thread syncs.
class HeldJournal final : public Journal {
 public:
  void OnDurable(std::function<void(TxId)> callback) override { on_durable_ = std::move(callback); }
  absl::Status Start(TxId next) override {
    last_ = next - 1;
    durable_ = last_.load();
    return absl::OkStatus();
  }
  TxId Append(absl::FunctionRef<void(std::string* out)> encode) override {
    encode(&records_.emplace_back());
    ++last_;
    if (flowing_) Sync();
    return last_;
  }
  TxId last() const override { return last_; }
  TxId durable() const override { return durable_; }
  uint64_t pending_bytes() const override { return 0; }
  absl::StatusOr<TxId> Roll() override { return last_; }
  absl::Status DropBefore(TxId) override { return absl::OkStatus(); }
  void Stop() override {}

  void Sync() {
    durable_ = last_.load();
    on_durable_(durable_);
  }
  // Every record is durable at once from now on.
  void Flow() {
    flowing_ = true;
    Sync();
  }
  // From now on the test says again when records become durable.
  void Hold() { flowing_ = false; }
  const std::vector<std::string>& records() const { return records_; }

 private:
  std::function<void(TxId)> on_durable_;
  std::vector<std::string> records_;
  std::atomic<TxId> last_ = 0;
  std::atomic<TxId> durable_ = 0;
  std::atomic<bool> flowing_ = false;
};

// The door with an empty namespace behind it, or one that was loaded; out of safe mode unless that
// has blocks.
struct Door {
  explicit Door(FsState state = FsState::Format("root", "supergroup", 0))
      : blocks(
            {}, &clock, [this] { return journal.durable(); }, 1),
        first_txid(state.applied_txid() + 1),
        namesystem(Loaded(std::move(state), &blocks), &journal, &blocks, &clock, &metrics),
        operations(&namesystem, &blocks, &clock, {}) {
    (void)journal.Start(first_txid);
    blocks.FinishLoading();
  }
  ~Door() { journal.Flow(); }  // nothing may wait when the namesystem stops

  CallContext Call(uint64_t call_id, const std::string& user = "root") {
    CallContext call;
    call.caller.user = user;
    call.caller.superuser = user == "root";
    call.key.client[0] = 7;
    call.key.call_id = call_id;
    return call;
  }

  static std::unique_ptr<FsState> Loaded(FsState state, BlockManager* blocks) {
    LoadBlocks(state, blocks);
    return std::make_unique<FsState>(std::move(state));
  }

  ManualClock clock;
  Metrics metrics;
  HeldJournal journal;
  BlockManager blocks;
  const TxId first_txid;
  Namesystem namesystem;
  ClientOperations operations;
};

// An answer that came, or has not come yet.
template <typename T>
class Slot {
 public:
  Slot() : state_(std::make_shared<State>()) {}
  std::function<void(T)> Reply() {
    return [state = state_](T value) {
      MutexLock lock(state->mu);
      state->value = std::move(value);
      state->cv.SignalAll();
    };
  }
  bool came() const {
    MutexLock lock(state_->mu);
    return state_->value.has_value();
  }
  // Waits for it; nullopt when none comes within 60 s.
  std::optional<T> Await() {
    MutexLock lock(state_->mu);
    while (!state_->value.has_value()) {
      if (!state_->cv.WaitFor(state_->mu, std::chrono::seconds(60))) break;
    }
    return state_->value;
  }

 private:
  struct State {
    Mutex mu;
    CondVar cv;
    std::optional<T> value ABSL_GUARDED_BY(mu);
  };
  std::shared_ptr<State> state_;
};

}  // namespace cairn::namenode
