// The power goes at every single change that a write makes: afterwards each replica is whole, open
// with a part of its bytes, or absent; and whole if its writer was told so (P3).
#include <optional>
#include <string>

#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

constexpr Block kOld{.id = 1, .generation = 1, .length = 1 << 20};
constexpr Block kNew{.id = 2, .generation = 1, .length = 1 << 20};

class ReplicaCrashTest : public StoreTest, public testing::WithParamInterface<uint32_t> {
 protected:
  // 0: all that is not synced is lost; else a part survives.
  std::optional<uint32_t> Seed(uint64_t cut) const {
    if (GetParam() == 0) return std::nullopt;
    return GetParam() * 1000 + static_cast<uint32_t>(cut);
  }
};

TEST_P(ReplicaCrashTest, ACutWriteIsWholeOpenOrAbsent) {
  // Odd seeds write directly, even ones through the page cache.
  const DiskWrites writes = GetParam() % 2 == 1 ? DiskWrites::kDirect : DiskWrites::kBuffered;
  const std::string old_bytes = BytesOf(1, 20'000);
  const std::string new_bytes = BytesOf(2, 150'000);
  bool finished = false;
  for (uint64_t cut = 0; !finished; ++cut) {
    ASSERT_LT(cut, 1'000u);
    FaultEnv env;
    auto store = *ReplicaStore::Open(&env, OptionsFor({"/d0"}, writes));
    ASSERT_TRUE(store->AdoptCluster(kCluster).ok());
    ASSERT_TRUE(Put(*store, kOld, old_bytes).ok());
    env.CutPowerAfter(cut);
    const bool told = Put(*store, kNew, new_bytes).ok();
    // The power is still there: the write took fewer changes.
    finished = env.List("/").ok();
    env.Crash(Seed(cut));
    store.reset();

    auto again = ReplicaStore::Open(&env, OptionsFor({"/d0"}, writes));
    ASSERT_TRUE(again.ok()) << again.status() << " after " << cut;
    EXPECT_TRUE(*Get(**again, kOld) == old_bytes) << "after " << cut;
    const auto bytes = Get(**again, kNew);
    if (!bytes.ok()) EXPECT_TRUE(absl::IsNotFound(bytes.status())) << bytes.status();
    const bool open = bytes.ok() && (*again)->GetReplica({2, 1, 0}).status().code() ==
                                        absl::StatusCode::kUnavailable;
    if (told) EXPECT_TRUE(bytes.ok() && !open) << "acknowledged, lost after " << cut;
    if (bytes.ok() && !open) EXPECT_TRUE(*bytes == new_bytes) << "after " << cut;
    EXPECT_TRUE((*again)->BadReplicas().empty()) << "after " << cut;
    EXPECT_TRUE(bytes.ok() || Put(**again, kNew, new_bytes).ok()) << "after " << cut;
  }
}

TEST_P(ReplicaCrashTest, ACutDeletionIsDoneOrNot) {
  const std::string bytes = BytesOf(1, 20'000);
  bool finished = false;
  for (uint64_t cut = 0; !finished; ++cut) {
    ASSERT_LT(cut, 100u);
    FaultEnv env;
    auto store = *ReplicaStore::Open(&env, OptionsFor({"/d0"}));
    ASSERT_TRUE(store->AdoptCluster(kCluster).ok());
    ASSERT_TRUE(Put(*store, kOld, bytes).ok());
    env.CutPowerAfter(cut);
    store->Delete(kOld).IgnoreError();
    finished = env.List("/").ok();
    env.Crash(Seed(cut));
    store.reset();

    auto again = ReplicaStore::Open(&env, OptionsFor({"/d0"}));
    ASSERT_TRUE(again.ok()) << again.status() << " after " << cut;
    const auto left = Get(**again, kOld);
    if (left.ok()) EXPECT_TRUE(*left == bytes);
    if (!left.ok()) EXPECT_TRUE(absl::IsNotFound(left.status())) << left.status();
    EXPECT_TRUE((*again)->BadReplicas().empty()) << "after " << cut;
  }
}

// Formatting may be cut, too: the next start goes on with it.
TEST_P(ReplicaCrashTest, ACutFormatIsDoneAgain) {
  bool finished = false;
  for (uint64_t cut = 0; !finished; ++cut) {
    ASSERT_LT(cut, 100u);
    FaultEnv env;
    env.CutPowerAfter(cut);
    {
      auto store = ReplicaStore::Open(&env, OptionsFor({"/d0"}));
      if (store.ok()) (*store)->AdoptCluster(kCluster).IgnoreError();
    }
    finished = env.List("/").ok();
    env.Crash(Seed(cut));
    auto again = ReplicaStore::Open(&env, OptionsFor({"/d0"}));
    ASSERT_TRUE(again.ok()) << again.status() << " after " << cut;
    ASSERT_TRUE((*again)->AdoptCluster(kCluster).ok()) << "after " << cut;
    EXPECT_TRUE(Put(**again, kNew, "x").ok());
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReplicaCrashTest, testing::Range(0u, 8u));

}  // namespace
}  // namespace cairn::datanode
