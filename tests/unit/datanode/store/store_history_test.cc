// Long random histories of operations on a store, with the power cut at every change, with the
// process killed, and with an error at every operation: nothing that was promised is lost, and
// nothing is found that was never written (P3, P4).
#include "tests/unit/datanode/store/store_history.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace cairn::datanode {
namespace {

// 0: all that is not synced is lost; else a part survives.
std::optional<uint32_t> Keep(uint32_t seed, uint64_t cut) {
  if (seed % 4 == 0) return std::nullopt;
  return seed * 100'000 + static_cast<uint32_t>(cut);
}

// Runs steps until one fails for lack of power. Every other failure is one of the store.
bool RunUntilCut(FaultEnv& env, StoreHistory& history, int steps, const std::string& what) {
  for (int i = 0; i < steps; ++i) {
    const absl::Status status = history.Step();
    if (!env.List("/").ok()) return true;
    if (!status.ok()) ADD_FAILURE() << what << ", step " << i << ": " << status;
  }
  return false;
}

// Odd seeds write directly, even ones through the page cache.
DiskWrites WritesOf(uint32_t seed) {
  return seed % 2 == 1 ? DiskWrites::kDirect : DiskWrites::kBuffered;
}

class StoreHistoryTest : public testing::TestWithParam<uint32_t> {};

TEST_P(StoreHistoryTest, ThePowerGoesAtEveryChange) {
  constexpr int kSteps = 30;
  bool cut_short = true;
  for (uint64_t cut = 0; cut_short && !HasFailure(); ++cut) {
    ASSERT_LT(cut, 5'000u);
    const std::string what = "cut after " + std::to_string(cut);
    FaultEnv env;
    StoreHistory history(&env, GetParam(), WritesOf(GetParam()));
    history.Open();
    env.CutPowerAfter(cut);
    cut_short = RunUntilCut(env, history, kSteps, what);
    history.PowerCut(Keep(GetParam(), cut), what);
    if (HasFatalFailure()) return;
    // What was found is a state like any other.
    RunUntilCut(env, history, 5, what + ", then");
    history.PowerCut(Keep(GetParam(), cut + 50'000), what + ", then again");
  }
}

TEST_P(StoreHistoryTest, ManyCutsAndKills) {
  FaultEnv env;
  StoreHistory history(&env, GetParam() + 1'000, WritesOf(GetParam()));
  history.Open();
  std::minstd_rand random(GetParam());
  for (uint32_t round = 0; round < 300 && !HasFailure(); ++round) {
    const std::string what = "round " + std::to_string(round);
    const bool kill = random() % 3 == 0;
    if (!kill) env.CutPowerAfter(random() % 150);
    RunUntilCut(env, history, static_cast<int>(random() % 25), what);
    kill ? history.Kill(what) : history.PowerCut(Keep(GetParam(), round), what);
  }
}

TEST_P(StoreHistoryTest, TheDiskGetsFull) {
  for (uint64_t capacity = 2'000; capacity < 150'000 && !HasFailure(); capacity += 1'777) {
    const std::string what = "a disk of " + std::to_string(capacity) + " bytes";
    FaultEnv env;
    StoreHistory history(&env, GetParam(), WritesOf(GetParam()));
    history.Open();
    env.SetCapacity(capacity);
    for (int i = 0; i < 40; ++i) {
      if (history.Step().ok()) continue;
      history.LeaveAll();
      history.Settle(StoreHistory::Loss::kFailed, what);
    }
    ASSERT_TRUE(history.store_works()) << what;
    env.SetCapacity(uint64_t{1} << 40);
    history.PowerCut(Keep(GetParam(), capacity), what);
    RunUntilCut(env, history, 5, what + ", then");
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, StoreHistoryTest, testing::Range(0u, 6u));
INSTANTIATE_TEST_SUITE_P(WithLog, StoreHistoryTest,
                         testing::Range(StoreHistory::kWithLog, StoreHistory::kWithLog + 6));

// One operation fails, once.
class StoreErrorTest : public testing::TestWithParam<std::tuple<int, uint32_t>> {
 protected:
  int error() const { return std::get<0>(GetParam()); }
  uint32_t seed() const { return std::get<1>(GetParam()); }
};

TEST_P(StoreErrorTest, AnErrorAtEveryOperation) {
  constexpr int kSteps = 25;
  bool reached = true;
  for (uint64_t at = 0; reached && !HasFailure(); ++at) {
    ASSERT_LT(at, 5'000u);
    const std::string what = "error at operation " + std::to_string(at);
    FaultEnv env;
    StoreHistory history(&env, seed(), WritesOf(seed()));
    history.Open();
    uint64_t left = at;
    FaultOp failed = FaultOp::kRead;
    reached = false;
    env.SetHook([&](FaultOp op, const std::string& path) {
      if (reached || left-- > 0) return absl::OkStatus();
      reached = true;
      failed = op;
      return ErrnoStatus(path, error());
    });
    for (int i = 0; i < kSteps && !reached; ++i) history.Step().IgnoreError();
    env.SetHook({});
    if (failed == FaultOp::kSync) history.AllowBad();
    history.LeaveAll();
    if (history.store_works()) {
      history.Settle(StoreHistory::Loss::kFailed, what);
      RunUntilCut(env, history, 5, what + ", then");
    } else if (failed != FaultOp::kSyncDir && failed != FaultOp::kSyncFileSystem) {
      EXPECT_NE(error(), ENOSPC) << what;
    }
    if (failed == FaultOp::kSync) history.AllowBad();
    history.PowerCut(Keep(seed(), at), what + ", then the power");
  }
}

INSTANTIATE_TEST_SUITE_P(Errors, StoreErrorTest,
                         testing::Combine(testing::Values(EIO, ENOSPC), testing::Range(0u, 6u)));
INSTANTIATE_TEST_SUITE_P(ErrorsWithLog, StoreErrorTest,
                         testing::Combine(testing::Values(EIO, ENOSPC),
                                          testing::Range(StoreHistory::kWithLog,
                                                         StoreHistory::kWithLog + 6)));

}  // namespace
}  // namespace cairn::datanode
