// Small replicas that only a log has made durable, through crashes, deletions, appends, recoveries,
// damage and full disks.
#include <gmock/gmock.h>

#include <cerrno>
#include <optional>

#include "common/data_dir.h"
#include "datanode/store/small_log_format.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kSegment[] = "/d0/current/small_log/segment_0";

class SmallReplicaTest : public StoreTest {
 protected:
  static ReplicaStore::Options LogOptions() {
    ReplicaStore::Options options = OptionsFor({"/d0"});
    options.small_replica_max_bytes = 64 << 10;
    options.small_log_segment_bytes = 256 << 10;
    options.small_log_segments = 3;
    return options;
  }
  void Start(std::optional<ReplicaStore::Options> options = std::nullopt) {
    auto store = TryOpen(options.value_or(LogOptions()));
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  // Loses power, then starts again; with a seed, a part of what was not synced survives.
  void Crash(std::optional<uint32_t> seed = std::nullopt) {
    env_.CutPowerAfter(0);
    store_.reset();
    env_.Crash(seed);
    observer_.Take();
    Start();
  }
  SmallLogStats Stats() { return store_->SmallLogs().at(0).stats; }
  int Layout() { return (*ReadDataDirVersion(env_, "/d0", DataDirType::kDataNode))->layout; }
  void ExpectWhole(BlockId id, GenerationStamp generation, uint64_t length) {
    const auto replica = store_->GetReplica({id, 0, 0});
    ASSERT_TRUE(replica.ok()) << replica.status();
    EXPECT_FALSE(replica->open);
    EXPECT_EQ(replica->block, (Block{id, generation, length}));
    EXPECT_TRUE(Same(Get(*store_, replica->block), BytesOf(id, length)));
  }
  absl::Status PutOne(BlockId id, uint64_t length, GenerationStamp generation = 1) {
    return Put(*store_, {id, generation, 1 << 20}, BytesOf(id, length));
  }

  std::unique_ptr<ReplicaStore> store_;
};

TEST_F(SmallReplicaTest, ARecordIsEnough) {
  Start();
  ASSERT_TRUE(PutOne(1, 20'000).ok());
  ASSERT_TRUE(PutOne(2, 1).ok());
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1/1", "received 2/1"));
  EXPECT_EQ(Stats().records, 2u);
  EXPECT_EQ(store_->Replicas(0).at(0).state, ReplicaState::kFinalized);
  ExpectWhole(1, 1, 20'000);
  for (const auto seed : {std::optional<uint32_t>(), std::optional<uint32_t>(3)}) {
    Crash(seed);
    ExpectWhole(1, 1, 20'000);
    ExpectWhole(2, 1, 1);
  }
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
}

TEST_F(SmallReplicaTest, ALongReplicaIsSyncedByItself) {
  Start();
  ASSERT_TRUE(PutOne(1, 70'000).ok());
  EXPECT_EQ(Stats().records, 0u);
  EXPECT_EQ(Layout(), kDataDirLayout);
  Crash();
  ExpectWhole(1, 1, 70'000);
}

TEST_F(SmallReplicaTest, WhatWasSyncedBeforeGoesOnThatWay) {
  Start();
  {
    const auto writer = *store_->Create({1, 1, 1 << 20});
    ASSERT_TRUE(AppendAll(*writer, BytesOf(1, 8'192), 4'096).ok());
    ASSERT_TRUE(writer->Sync().ok());
    ASSERT_TRUE(writer->Finalize().ok());
  }
  EXPECT_EQ(Stats().records, 0u);
  Crash();
  ExpectWhole(1, 1, 8'192);
}

// A program that knows nothing of the log must not run on a directory that has one.
TEST_F(SmallReplicaTest, TheLayoutSaysWhetherThereIsALog) {
  Start();
  EXPECT_EQ(Layout(), kDataDirLayout);
  ASSERT_TRUE(PutOne(1, 5'000).ok());
  EXPECT_EQ(Layout(), kDataDirLayoutWithLog);
  store_.reset();
  EXPECT_EQ(Layout(), kDataDirLayout);
  EXPECT_THAT(*env_.List("/d0/current/small_log"), IsEmpty());
  // And all is durable.
  env_.Crash();
  Start(OptionsFor({"/d0"}));
  ExpectWhole(1, 1, 5'000);
}

TEST_F(SmallReplicaTest, TheLogIsReadByAStartWithoutOne) {
  Start();
  ASSERT_TRUE(PutOne(1, 5'000).ok());
  env_.CutPowerAfter(0);
  store_.reset();
  env_.Crash();
  EXPECT_EQ(Layout(), kDataDirLayoutWithLog);
  Start(OptionsFor({"/d0"}));
  EXPECT_EQ(Layout(), kDataDirLayout);
  EXPECT_THAT(store_->SmallLogs(), IsEmpty());
  ExpectWhole(1, 1, 5'000);
}

TEST_F(SmallReplicaTest, FilesFollow) {
  Start();
  for (BlockId id = 1; id <= 20; ++id) ASSERT_TRUE(PutOne(id, 30'000).ok()) << id;
  for (int i = 0; i < 5; ++i) store_->SyncPending();
  EXPECT_EQ(Stats().pending, 0u);
  for (BlockId id = 1; id <= 20; ++id) {
    EXPECT_TRUE(*env_.Exists("/d0/current/finalized/subdir0/subdir0/blk_" + std::to_string(id) +
                             "_1.meta"));
  }
  Crash();
  EXPECT_EQ(store_->SmallLogs().at(0).replayed, 0u);
  for (BlockId id = 1; id <= 20; ++id) ExpectWhole(id, 1, 30'000);
}

TEST_F(SmallReplicaTest, WhatIsDeletedDoesNotComeBack) {
  Start();
  ASSERT_TRUE(PutOne(1, 5'000).ok());
  ASSERT_TRUE(PutOne(2, 5'000).ok());
  ASSERT_TRUE(store_->Delete({1, 1, 0}).ok());
  ASSERT_TRUE(env_.SyncDir("/d0/current/finalized/subdir0/subdir0").ok());
  Crash();
  EXPECT_TRUE(absl::IsNotFound(store_->GetReplica({1, 0, 0}).status()));
  ExpectWhole(2, 1, 5'000);
}

TEST_F(SmallReplicaTest, WhatWentOnStaysAsItIs) {
  Start();
  for (BlockId id = 1; id <= 3; ++id) ASSERT_TRUE(PutOne(id, 9'000).ok());
  // Appended to, cut, stamped.
  {
    const auto writer = *store_->Reopen({1, 2, 1 << 20}, 1, 0);
    ASSERT_TRUE(GrowTo(*writer, BytesOf(1, 12'000), 12'000).ok());
    ASSERT_TRUE(writer->Finalize().ok());
  }
  ASSERT_TRUE(store_->StartRecovery({2, 1, 0}, 5).ok());
  ASSERT_TRUE(store_->FinishRecovery({2, 1, 4'000}, 5).ok());
  ASSERT_TRUE(store_->StartRecovery({3, 1, 0}, 6).ok());
  ASSERT_TRUE(store_->FinishRecovery({3, 1, 9'000}, 6).ok());
  EXPECT_EQ(Stats().pending, 3u);
  Crash();
  ExpectWhole(1, 2, 12'000);
  ExpectWhole(2, 5, 4'000);
  ExpectWhole(3, 6, 9'000);
}

// Its record speaks of what it was before.
TEST_F(SmallReplicaTest, WhatGoesOnAndIsSyncedLaterIsNotDurableBefore) {
  Start();
  ASSERT_TRUE(PutOne(1, 4'096).ok());
  {
    const auto writer = *store_->Reopen({1, 2, 1 << 20}, 1, 0);
    ASSERT_TRUE(GrowTo(*writer, BytesOf(1, 9'000), 9'000).ok());
    ASSERT_TRUE(writer->Finalize(Durability::kLater).ok());
  }
  EXPECT_EQ(store_->Replicas(0).at(0).state, ReplicaState::kOpen);
  store_->SyncPending();
  EXPECT_EQ(store_->Replicas(0).at(0).state, ReplicaState::kFinalized);
  Crash();
  ExpectWhole(1, 2, 9'000);
}

TEST_F(SmallReplicaTest, WhatWasFoundBadStaysBad) {
  Start();
  ASSERT_TRUE(PutOne(1, 9'000).ok());
  env_.Flip("/d0/current/finalized/subdir0/subdir0/blk_1", 5'000, 1);
  EXPECT_FALSE(*store_->Verify({1, 1, 0}));
  Crash();
  ASSERT_EQ(store_->BadReplicas().size(), 1u);
  ASSERT_TRUE(store_->Delete({1, 1, 0}).ok());
}

// The one before it is bad and has a live record.
TEST_F(SmallReplicaTest, ACopyTakesThePlaceOfABadOne) {
  Start();
  ASSERT_TRUE(PutOne(1, 9'000).ok());
  env_.Flip("/d0/current/finalized/subdir0/subdir0/blk_1", 5'000, 1);
  EXPECT_FALSE(*store_->Verify({1, 1, 0}));
  {
    const auto writer = *store_->CreateCopy({1, 1, 9'000});
    ASSERT_TRUE(AppendAll(*writer, BytesOf(1, 9'000), 4'096).ok());
    ASSERT_TRUE(writer->Finalize().ok());
  }
  ExpectWhole(1, 1, 9'000);
  Crash();
  ExpectWhole(1, 1, 9'000);
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
}

TEST_F(SmallReplicaTest, ADamagedRecordHurtsNoOther) {
  Start();
  for (BlockId id = 1; id <= 3; ++id) ASSERT_TRUE(PutOne(id, 3'000).ok());
  env_.CutPowerAfter(0);
  store_.reset();
  env_.Crash();
  env_.Flip(kSegment, 2 * kSmallLogAlignment + 500, 1);
  Start();
  ExpectWhole(1, 1, 3'000);
  EXPECT_FALSE(Get(*store_, {2, 1, 0}).ok());
  ExpectWhole(3, 1, 3'000);
}

TEST_F(SmallReplicaTest, ADiskWithLittleRoomHasNoLog) {
  ReplicaStore::Options options = LogOptions();
  options.capacity_bytes = 2 << 20;
  Start(options);
  ASSERT_TRUE(PutOne(1, 5'000).ok());
  EXPECT_EQ(Stats().records, 0u);
  options.capacity_bytes = 100 << 20;
  store_.reset();
  Start(options);
  const uint64_t before = store_->Volumes()[0].remaining_bytes;
  ASSERT_TRUE(PutOne(2, 5'000).ok());
  EXPECT_EQ(Stats().records, 1u);
  EXPECT_LE(store_->Volumes()[0].remaining_bytes + (256 << 10), before);
}

TEST_F(SmallReplicaTest, AnErrorOfTheLogIsOneOfTheDisk) {
  Start();
  ASSERT_TRUE(PutOne(1, 5'000).ok());
  env_.SetHook([](FaultOp op, const std::string& path) {
    const bool log = path.find("small_log") != std::string::npos;
    return log && op == FaultOp::kSync ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  EXPECT_FALSE(PutOne(2, 5'000).ok());
  EXPECT_TRUE(store_->Volumes()[0].failed);
  env_.SetHook({});
}

// The power goes at every change of a start that replays, and it is done again.
TEST_F(SmallReplicaTest, AReplayMayBeCut) {
  for (uint32_t seed = 0; seed < 4; ++seed) {
    bool finished = false;
    for (uint64_t cut = 0; !finished; ++cut) {
      ASSERT_LT(cut, 1'000u);
      FaultEnv env;
      ReplicaStore::Options options = LogOptions();
      auto store = *ReplicaStore::Open(&env, options);
      ASSERT_TRUE(store->AdoptCluster(kCluster).ok());
      for (BlockId id = 1; id <= 3; ++id) {
        ASSERT_TRUE(Put(*store, {id, 1, 1 << 20}, BytesOf(id, 6'000 * id)).ok());
      }
      env.CutPowerAfter(0);
      store.reset();
      env.Crash(seed);
      env.CutPowerAfter(cut);
      const auto cut_short = ReplicaStore::Open(&env, options);
      finished = env.List("/").ok();
      env.Crash(seed * 1'000 + static_cast<uint32_t>(cut));
      auto again = ReplicaStore::Open(&env, options);
      ASSERT_TRUE(again.ok()) << again.status() << " after " << cut;
      for (BlockId id = 1; id <= 3; ++id) {
        EXPECT_TRUE(Same(Get(**again, {id, 1, 0}), BytesOf(id, 6'000 * id))) << "after " << cut;
        EXPECT_FALSE((*again)->GetReplica({id, 0, 0})->open) << "after " << cut;
      }
    }
  }
}

}  // namespace
}  // namespace cairn::datanode
