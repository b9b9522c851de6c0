// Going on with a replica: pipeline recovery, append, nodes that join, finalizing for later.
#include <gmock/gmock.h>

#include <cerrno>

#include "datanode/store/checksum_file.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Block kBlock{.id = 1001, .generation = 5, .length = 1 << 20};
const std::string kRbw = "/d0/current/rbw";
const std::string kFinal = "/d0/current/finalized/subdir0/subdir3";

class ReopenTest : public StoreTest {
 protected:
  void SetUp() override { store_ = Open(); }
  // An open replica of the first `length` bytes, without a writer.
  void Leave(uint64_t length) {
    auto writer = *store_->Create(kBlock);
    ASSERT_TRUE(GrowTo(*writer, bytes_, length).ok());
  }
  void Restart() {
    env_.Crash();
    store_.reset();
    store_ = Open();
  }
  ErrorKind ReopenKind(GenerationStamp to, GenerationStamp from, uint64_t min_length) {
    return KindOf(store_->Reopen({1001, to, 1 << 20}, from, min_length).status());
  }

  const std::string bytes_ = BytesOf(1, 100'000);
  std::unique_ptr<ReplicaStore> store_;
};

TEST_F(ReopenTest, AnOpenReplicaGoesOnUnderItsNewStamp) {
  Leave(30'000);
  auto writer = store_->Reopen({1001, 7, 1 << 20}, 5, 20'000);
  ASSERT_TRUE(writer.ok()) << writer.status();
  EXPECT_EQ((*writer)->length(), 30'000u);
  EXPECT_EQ((*writer)->block(), (Block{1001, 7, 1 << 20}));
  EXPECT_TRUE(Same(Get(*store_, {1001, 7, 0}), bytes_.substr(0, 20'000)));
  EXPECT_THAT(*env_.List(kRbw), ElementsAre("blk_1001", "blk_1001_7.meta"));
  // All that was not acknowledged comes again.
  ASSERT_TRUE((*writer)
                  ->Append(16'384, absl::Cord(bytes_.substr(16'384, 40'000)),
                           CrcsOf(bytes_.substr(16'384, 40'000)))
                  .ok());
  ASSERT_TRUE((*writer)->Finalize().ok());
  EXPECT_TRUE(Same(Get(*store_, {1001, 7, 0}), bytes_.substr(0, 56'384)));
  EXPECT_THAT(observer_.Take(), ElementsAre("waiting 1001/5", "received 1001/7"));
}

TEST_F(ReopenTest, TheNewStampOutlivesAPowerCut) {
  Leave(30'000);
  {
    auto writer = *store_->Reopen({1001, 7, 1 << 20}, 5, 0);
    ASSERT_TRUE(writer->Sync().ok());
  }
  auto again = *store_->Reopen({1001, 8, 1 << 20}, 5, 30'000);
  env_.Crash();
  again.reset();
  store_.reset();
  store_ = Open();
  ASSERT_EQ(store_->Replicas(0).size(), 1u);
  EXPECT_EQ(store_->Replicas(0)[0].block, (Block{1001, 8, 30'000}));
}

TEST_F(ReopenTest, AFinalizedReplicaIsOpenAgain) {
  ASSERT_TRUE(Put(*store_, kBlock, bytes_.substr(0, 30'000)).ok());
  EXPECT_EQ(store_->Volumes()[0].blocks, 1u);
  auto writer = *store_->Reopen({1001, 7, 1 << 20}, 5, 30'000);
  EXPECT_EQ(store_->Volumes()[0].blocks, 0u);
  EXPECT_THAT(*env_.List(kFinal), IsEmpty());
  EXPECT_TRUE(Same(Get(*store_, {1001, 5, 30'000}), bytes_.substr(0, 30'000)));
  ASSERT_TRUE(GrowTo(*writer, bytes_, 31'000).ok());
  EXPECT_TRUE(Same(Get(*store_, {1001, 5, 30'000}), bytes_.substr(0, 30'000)));
  writer->SetVisible(31'000);
  EXPECT_TRUE(Same(Get(*store_, {1001, 5, 30'000}), bytes_.substr(0, 31'000)));
  // What was durable is durable still, whatever becomes of what was appended.
  env_.Crash();
  writer.reset();
  store_.reset();
  store_ = Open();
  EXPECT_EQ(store_->Replicas(0)[0].block, (Block{1001, 7, 30'000}));
  EXPECT_TRUE(Same(GetAs(*store_, {1001, 5, 30'000}, ReadAs::kVisible), bytes_.substr(0, 30'000)));
}

TEST_F(ReopenTest, RefusesWhatDoesNotFit) {
  Leave(30'000);
  EXPECT_EQ(ReopenKind(7, 6, 0), ErrorKind::kStaleReplica);       // older than the survivors
  EXPECT_EQ(ReopenKind(5, 5, 0), ErrorKind::kStaleReplica);       // not newer
  EXPECT_EQ(ReopenKind(4, 3, 0), ErrorKind::kStaleReplica);       // older than it is
  EXPECT_EQ(ReopenKind(7, 5, 30'001), ErrorKind::kStaleReplica);  // too short
  EXPECT_TRUE(absl::IsInvalidArgument(store_->Reopen({1001, 7, 29'999}, 5, 0).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Reopen({1002, 7, 1 << 20}, 5, 0).status()));
  ASSERT_EQ(store_->StartRecovery({1001, 5, 0}, 9)->state, RecoveryAnswer::kOpen);
  EXPECT_EQ(ReopenKind(8, 5, 0), ErrorKind::kStaleReplica);  // a recovery came after it
  EXPECT_EQ(ReopenKind(9, 5, 0), ErrorKind::kStaleReplica);
  auto writer = store_->Reopen({1001, 10, 1 << 20}, 5, 0);
  ASSERT_TRUE(writer.ok());
  EXPECT_TRUE(absl::IsUnavailable(store_->Reopen({1001, 11, 1 << 20}, 5, 0).status()));
}

TEST_F(ReopenTest, AFullDiskLeavesItAsItWas) {
  ASSERT_TRUE(Put(*store_, kBlock, bytes_.substr(0, 30'000)).ok());
  for (const FaultOp failing : {FaultOp::kRename, FaultOp::kSyncDir, FaultOp::kOpen}) {
    int left = 1;
    env_.SetHook([&](FaultOp op, const std::string& path) {
      return op == failing && left-- == 0 ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
    });
    EXPECT_EQ(ReopenKind(7, 5, 0), ErrorKind::kNoSpace);
    env_.SetHook({});
    EXPECT_FALSE(store_->Volumes()[0].failed);
    EXPECT_TRUE(
        Same(GetAs(*store_, {1001, 5, 30'000}, ReadAs::kVisible), bytes_.substr(0, 30'000)));
    EXPECT_EQ(store_->Volumes()[0].used_bytes, 30'000 + ChecksumFileBytes(30'000));
  }
  EXPECT_TRUE(store_->Reopen({1001, 8, 1 << 20}, 5, 30'000).ok());
}

// --- a node that joins ---------------------------------------------------------------------------

TEST_F(ReopenTest, AJoinedReplicaIsOpenAndDurable) {
  {
    auto writer = *store_->CreateJoin({1001, 5, 30'000});
    EXPECT_TRUE(absl::IsNotFound(store_->GetReplica({1001, 5, 0}).status()));
    ASSERT_TRUE(AppendAll(*writer, bytes_.substr(0, 20'480), 4096).ok());
    EXPECT_TRUE(absl::IsFailedPrecondition(writer->Seal()));
    ASSERT_TRUE(GrowTo(*writer, bytes_, 30'000).ok());
    EXPECT_TRUE(writer->Seal().ok());
  }
  EXPECT_THAT(observer_.Take(), ElementsAre("waiting 1001/5"));
  EXPECT_TRUE(Same(Get(*store_, {1001, 5, 30'000}), bytes_.substr(0, 30'000)));
  EXPECT_TRUE(store_->GetReplica({1001, 5, 0})->open);
  Restart();
  EXPECT_EQ(store_->Replicas(0)[0].block, (Block{1001, 5, 30'000}));
  EXPECT_TRUE(store_->Reopen({1001, 7, 1 << 20}, 5, 30'000).ok());
}

TEST_F(ReopenTest, ACopyThatIsNotWholeLeavesNothing) {
  for (const bool join : {false, true}) {
    auto writer =
        join ? store_->CreateJoin({1001, 5, 30'000}) : store_->CreateCopy({1001, 5, 30'000});
    ASSERT_TRUE(GrowTo(**writer, bytes_, 20'000).ok());
    ASSERT_TRUE((*writer)->Sync().ok());
    EXPECT_TRUE(absl::IsFailedPrecondition((*writer)->Finalize()));
    EXPECT_EQ(store_->Replicas(0).size(), 1u);
    writer->reset();
    EXPECT_THAT(store_->Replicas(0), IsEmpty());
    EXPECT_THAT(*env_.List("/d0/current/tmp"), IsEmpty());
    EXPECT_THAT(observer_.Take(), IsEmpty());
  }
}

TEST_F(ReopenTest, ANewerCopyTakesThePlaceOfAnOlderReplica) {
  Leave(30'000);
  EXPECT_TRUE(absl::IsAlreadyExists(store_->CreateCopy({1001, 5, 30'000}).status()));
  EXPECT_TRUE(absl::IsAlreadyExists(store_->CreateCopy({1001, 4, 30'000}).status()));
  { auto abandoned = *store_->CreateCopy({1001, 6, 40'000}); }
  EXPECT_EQ(store_->Replicas(0)[0].block, (Block{1001, 5, 30'000}));  // it is back
  observer_.Take();
  auto writer = *store_->CreateCopy({1001, 6, 40'000});
  ASSERT_TRUE(GrowTo(*writer, bytes_, 40'000).ok());
  ASSERT_TRUE(writer->Finalize().ok());
  EXPECT_THAT(observer_.Take(), ElementsAre("deleted 1001/5", "received 1001/6"));
  EXPECT_THAT(*env_.List(kRbw), IsEmpty());
  EXPECT_EQ(store_->Volumes()[0].used_bytes, 40'000 + ChecksumFileBytes(40'000));
  writer = *store_->CreateCopy({1001, 7, 50'000});  // of a finalized one, too
  ASSERT_TRUE(GrowTo(*writer, bytes_, 50'000).ok());
  ASSERT_TRUE(writer->Finalize().ok());
  EXPECT_EQ(store_->Volumes()[0].blocks, 1u);
  EXPECT_TRUE(Same(Get(*store_, {1001, 7, 50'000}), bytes_.substr(0, 50'000)));
}

TEST_F(ReopenTest, ANodeThatWasLeftOutMayJoinAgain) {
  Leave(30'000);
  ASSERT_TRUE(absl::IsAlreadyExists(store_->CreateJoin({1001, 4, 20'000}).status()));
  {
    auto writer = *store_->CreateJoin({1001, 5, 20'000});  // what it had more was not acknowledged
    ASSERT_TRUE(GrowTo(*writer, bytes_, 20'000).ok());
    ASSERT_TRUE(writer->Seal().ok());
  }
  EXPECT_EQ(store_->Replicas(0)[0].block, (Block{1001, 5, 20'000}));
  ASSERT_EQ(store_->StartRecovery({1001, 5, 0}, 9)->state, RecoveryAnswer::kOpen);
  EXPECT_TRUE(absl::IsAlreadyExists(store_->CreateJoin({1001, 6, 20'000}).status()));
}

// --- finalized for later -------------------------------------------------------------------------

class FinalizeLaterTest : public ReopenTest {
 protected:
  void PutLater(const Block& block, std::string_view bytes) {
    auto writer = *store_->Create(block);
    ASSERT_TRUE(AppendAll(*writer, bytes, 8192).ok());
    ASSERT_TRUE(writer->Finalize(Durability::kLater).ok());
  }
  uint64_t CountSyncs(const std::function<void()>& run) {
    uint64_t syncs = 0;
    env_.SetHook([&](FaultOp op, const std::string&) {
      syncs += op == FaultOp::kSync ? 1 : 0;
      return absl::OkStatus();
    });
    run();
    env_.SetHook({});
    return syncs;
  }
};

TEST_F(FinalizeLaterTest, IsReadAtOnceAndReportedWhenItIsDurable) {
  EXPECT_EQ(CountSyncs([&] { PutLater(kBlock, bytes_); }), 0u);
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_));
  EXPECT_FALSE(store_->GetReplica({1001, 5, 0})->open);
  EXPECT_TRUE(*store_->Verify({1001, 5, 0}));
  EXPECT_THAT(observer_.Take(), IsEmpty());
  ASSERT_EQ(store_->Replicas(0).size(), 1u);
  EXPECT_EQ(store_->Replicas(0)[0].state, ReplicaState::kOpen);
  EXPECT_FALSE(store_->Replicas(0)[0].waiting);
  EXPECT_THAT(*env_.List(kFinal), ElementsAre("blk_1001", "blk_1001_5_100000.unsynced"));
  store_->SyncPending();
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/5"));
  EXPECT_EQ(store_->Replicas(0)[0].state, ReplicaState::kFinalized);
  EXPECT_EQ(CountSyncs([&] { store_->SyncPending(); }), 0u);
  Restart();
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_));
  EXPECT_EQ(store_->Replicas(0)[0].state, ReplicaState::kFinalized);
}

TEST_F(FinalizeLaterTest, AKilledProcessLosesNothing) {
  PutLater(kBlock, bytes_);
  store_.reset();
  env_.Kill();
  store_ = Open();
  EXPECT_EQ(store_->Replicas(0)[0].state, ReplicaState::kFinalized);
  Restart();  // the start made it durable
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_));
}

TEST_F(FinalizeLaterTest, APowerCutLeavesWhatWasSynced) {
  auto writer = *store_->Create(kBlock);
  ASSERT_TRUE(GrowTo(*writer, bytes_, 10'000).ok());
  ASSERT_TRUE(writer->Sync().ok());
  ASSERT_TRUE(GrowTo(*writer, bytes_, 50'000).ok());
  ASSERT_TRUE(writer->Finalize(Durability::kLater).ok());
  ASSERT_TRUE(env_.SyncDir(kFinal).ok());  // by another replica
  Restart();
  ASSERT_EQ(store_->Replicas(0).size(), 1u);
  EXPECT_EQ(store_->Replicas(0)[0].block, (Block{1001, 5, 10'000}));
  EXPECT_TRUE(store_->Replicas(0)[0].waiting);
  EXPECT_EQ(store_->StartRecovery({1001, 5, 0}, 9)->state, RecoveryAnswer::kRestarted);
  EXPECT_THAT(*env_.List(kRbw), ElementsAre("blk_1001", "blk_1001_5.meta"));
}

TEST_F(FinalizeLaterTest, MayBeDeletedReopenedOrSettledBeforeItIsSynced) {
  PutLater(kBlock, bytes_);
  ASSERT_TRUE(store_->Delete({1001, 5, 0}).ok());
  store_->SyncPending();
  EXPECT_THAT(observer_.Take(), ElementsAre("deleted 1001/5"));
  EXPECT_THAT(*env_.List(kFinal), IsEmpty());

  PutLater(kBlock, bytes_.substr(0, 50'000));
  auto writer = *store_->Reopen({1001, 6, 1 << 20}, 5, 50'000);
  store_->SyncPending();
  ASSERT_TRUE(GrowTo(*writer, bytes_, 60'000).ok());
  ASSERT_TRUE(writer->Finalize(Durability::kLater).ok());
  EXPECT_EQ(store_->StartRecovery({1001, 6, 0}, 9)->state, RecoveryAnswer::kFinalized);
  EXPECT_TRUE(store_->FinishRecovery({1001, 6, 60'000}, 9).ok());
  store_->SyncPending();
  EXPECT_THAT(observer_.Take(),
              ElementsAre("received 1001/5", "received 1001/6", "received 1001/9"));
  Restart();
  EXPECT_TRUE(Same(Get(*store_, {1001, 9, 60'000}), bytes_.substr(0, 60'000)));
}

TEST_F(FinalizeLaterTest, AMarkTakenBack) {
  PutLater(kBlock, bytes_);
  EXPECT_EQ(store_->MarkDeleting({{1001, 5, 0}}).size(), 1u);
  store_->SyncPending();  // nothing to do for it
  store_->UnmarkDeleting({{1001, 5, 0}});
  EXPECT_THAT(observer_.Take(), IsEmpty());
  store_->SyncPending();
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/5"));
}

TEST_F(FinalizeLaterTest, IsTriedAgainAfterAnErrorThatLosesNothing) {
  PutLater(kBlock, bytes_);
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kOpen ? ErrnoStatus(path, EMFILE) : absl::OkStatus();
  });
  store_->SyncPending();
  env_.SetHook({});
  EXPECT_THAT(observer_.Take(), IsEmpty());
  store_->SyncPending();
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/5"));
}

TEST_F(FinalizeLaterTest, IsBadWhenTheSyncLosesSomething) {
  PutLater(kBlock, bytes_);
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kSync ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  store_->SyncPending();
  env_.SetHook({});
  store_->SyncPending();
  EXPECT_THAT(observer_.Take(), ElementsAre("bad 1001/5"));
  EXPECT_EQ(store_->Volumes()[0].blocks, 0u);
}

TEST_F(FinalizeLaterTest, TooManyOfThemWaitForTheDisk) {
  uint64_t synced_at_once = 0;
  for (BlockId id = 1; id <= 300; ++id) {
    synced_at_once += CountSyncs([&] { PutLater({id, 1, 8192}, "x"); }) > 0 ? 1 : 0;
  }
  EXPECT_EQ(synced_at_once, 44u);
  store_->SyncPending();
  EXPECT_EQ(observer_.Take().size(), 300u);
}

}  // namespace
}  // namespace cairn::datanode
