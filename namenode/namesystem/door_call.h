// A call on its way through the door: what it looks at or changes, and whom its outcome goes to.
//
// Why an object of its own: the same call goes through the door by itself (a unary RPC, a monitor)
// or with all others of a Session message (DoorBatch), and then waits for the journal. It takes one
// allocation, which holds the plan, the outcome and the way back. Made by MakeChange and MakeQuery,
// used once. Not thread-safe: it belongs to one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "namenode/namespace/plan.h"

namespace cairn::namenode {

class FsState;

// Who asks for a change: a client's is refused in safe mode, the NameNode's own (registration,
// epoch, digest) is not.
enum class Origin { kClient, kInternal };

class DoorCall {
 public:
  virtual ~DoorCall() = default;
  DoorCall(const DoorCall&) = delete;
  DoorCall& operator=(const DoorCall&) = delete;

  // From this steady time on (us; 0: never) it is refused instead of being carried out.
  void ExpireAt(int64_t steady_us) { expires_us_ = steady_us; }

 protected:
  DoorCall() = default;

 private:
  friend class Namesystem;

  // Whether it needs the lock for itself.
  virtual bool changes() const = 0;
  // The outcome is this refusal.
  virtual void Refuse(absl::Status status) = 0;
  // Hands the outcome over. No lock is held.
  virtual void Release() = 0;

  int64_t expires_us_ = 0;
  TxId observed_ = 0;       // the outcome waits for this one to be durable (P2)
  bool safe_mode_ = false;  // it was refused for safe mode
};

// A read: looks at the state under the shared lock.
class DoorQuery : public DoorCall {
 private:
  friend class Namesystem;
  bool changes() const final { return false; }
  // Keeps what it found; returns what that reveals.
  virtual TxId Look(const FsState& state) = 0;
};

// A mutation: plans, under the lock.
class DoorChange : public DoorCall {
 protected:
  DoorChange(Origin origin, const std::optional<RetryKey>& key) : origin_(origin), key_(key) {}
  absl::StatusOr<Answer> outcome_ = absl::UnknownError("not planned");

 private:
  friend class Namesystem;
  bool changes() const final { return true; }
  void Refuse(absl::Status status) final { outcome_ = std::move(status); }
  virtual Planned Plan(const FsState& state) = 0;

  const Origin origin_;
  const std::optional<RetryKey> key_;  // absent for the NameNode's own edits
};

using DoorBatch = std::vector<std::unique_ptr<DoorCall>>;

// `plan(const FsState&)` gives a Planned; `done(absl::StatusOr<Answer>)` gets the outcome. What the
// plan refers to must live until the call went through the door; `done` runs later.
template <typename PlanFn, typename Done>
std::unique_ptr<DoorCall> MakeChange(Origin origin, const std::optional<RetryKey>& key, PlanFn plan,
                                     Done done) {
  class Call final : public DoorChange {
   public:
    Call(Origin origin, const std::optional<RetryKey>& key, PlanFn plan, Done done)
        : DoorChange(origin, key), plan_(std::move(plan)), done_(std::move(done)) {}

   private:
    Planned Plan(const FsState& state) override { return plan_(state); }
    void Release() override { done_(std::move(outcome_)); }
    PlanFn plan_;
    Done done_;
  };
  return std::make_unique<Call>(origin, key, std::move(plan), std::move(done));
}

// The same for a read: `look(const FsState&)` gives a ReadResult<T>, `done` an absl::StatusOr<T>.
template <typename T, typename LookFn, typename Done>
std::unique_ptr<DoorCall> MakeQuery(LookFn look, Done done) {
  class Call final : public DoorQuery {
   public:
    Call(LookFn look, Done done) : look_(std::move(look)), done_(std::move(done)) {}

   private:
    TxId Look(const FsState& state) override {
      ReadResult<T> result = look_(state);
      found_ = std::move(result.value);
      return result.observed;
    }
    void Refuse(absl::Status status) override { found_ = std::move(status); }
    void Release() override { done_(std::move(found_)); }
    absl::StatusOr<T> found_ = absl::UnknownError("not read");
    LookFn look_;
    Done done_;
  };
  return std::make_unique<Call>(std::move(look), std::move(done));
}

}  // namespace cairn::namenode
