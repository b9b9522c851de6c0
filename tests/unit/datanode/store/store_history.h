// A random history of operations on a store, and what may be left of it after a crash.
//
// For each block the model has the states that its replica may be in: one after an operation that
// succeeded, several after one that was cut short or failed. What a restart finds must be one of
// them, with at least what was promised. Deterministic by seed. Of one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {

// A state that a replica may be in.
struct Promise {
  bool here = false;
  GenerationStamp generation = 0;
  std::string content;
  uint64_t durable = 0;        // bytes of it that a power cut leaves
  bool finalized = false;      // may be found finalized, then whole
  bool must_finalize = false;  // durably so: is not found open
};

// What a store says of a block.
struct Found {
  enum State { kNone, kOpen, kFinalized, kBad } state = kNone;
  GenerationStamp generation = 0;
  std::string content;
};

class StoreHistory {
 public:
  // From this seed on the store has a log of small replicas.
  static constexpr uint32_t kWithLog = 10'000;
  StoreHistory(FaultEnv* env, uint32_t seed, DiskWrites disk_writes = DiskWrites::kAuto,
               std::vector<std::string> dirs = {"/d0"});
  ~StoreHistory();

  void Open();
  // Runs one random operation. Its error, if it should have succeeded.
  absl::Status Step();
  // The power goes, or only the process; then a new start. `what` is for messages.
  void PowerCut(std::optional<uint32_t> seed, const std::string& what);
  void Kill(const std::string& what);
  // Looks at all replicas and takes what is there for the truth, after checking that it may be
  // after a loss of that kind.
  enum class Loss {
    kNothing,   // every operation succeeded, the process was killed
    kFailed,    // what the last operation was about
    kUnsynced,  // whatever was not durable
  };
  void Settle(Loss loss, const std::string& what);
  // A sync may have failed: replicas may be bad.
  void AllowBad() { may_be_bad_ = true; }
  void LeaveAll();

  ReplicaStore& store() { return *store_; }
  bool store_works() { return store_ != nullptr && !store_->Volumes()[0].failed; }

 private:
  struct BlockState {
    std::vector<Promise> may_be = {{}};  // the last one: the latest
    std::unique_ptr<ReplicaWriter> writer;
    bool restarted = false;
    bool unsynced = false;  // finalized for later

    Promise& now() { return may_be.back(); }
  };

  uint32_t Random(uint32_t below) { return static_cast<uint32_t>(random_() % below); }
  absl::Status Create(BlockId id, BlockState& block);
  absl::Status Copy(BlockId id, BlockState& block, bool join);
  absl::Status Append(BlockState& block);
  absl::Status Sync(BlockState& block);
  absl::Status Finalize(BlockId id, BlockState& block, Durability durability);
  absl::Status Reopen(BlockId id, BlockState& block);
  absl::Status Recover(BlockId id, BlockState& block);
  absl::Status Delete(BlockId id, BlockState& block);
  absl::Status SyncPending();
  absl::Status StepOn(BlockId id, BlockState& block);
  // The operation may have had this effect, or not; after success it had.
  absl::Status Became(BlockState& block, absl::Status status, Promise next);
  Found Look(BlockId id);
  // How much of what was found is durable.
  uint64_t CheckFound(BlockId id, BlockState& block, const Found& found, bool alive,
                      const std::string& what);
  void Restart(Loss loss, const std::string& what);

  static constexpr uint64_t kBlockBytes = 40'000;
  static constexpr int kBlocks = 4;

  FaultEnv* const env_;
  const DiskWrites disk_writes_;
  const std::vector<std::string> dirs_;
  const bool small_log_;
  std::mt19937 random_;
  GenerationStamp stamp_ = 1;
  uint64_t bytes_seed_ = 0;
  bool may_be_bad_ = false;
  std::unique_ptr<ReplicaStore> store_;
  std::map<BlockId, BlockState> blocks_;
};

}  // namespace cairn::datanode
