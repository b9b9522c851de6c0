// Block recovery and truncation: what is answered, what is settled, what is refused.
#include <gmock/gmock.h>

#include <cerrno>

#include "datanode/store/checksum_file.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Block kBlock{.id = 1001, .generation = 5, .length = 1 << 20};
const std::string kRbw = "/d0/current/rbw";
const std::string kFinal = "/d0/current/finalized/subdir0/subdir3";

class RecoveryTest : public StoreTest {
 protected:
  void SetUp() override { store_ = Open(); }
  // An open replica of the first `length` bytes, without a writer.
  void Leave(uint64_t length, uint64_t synced = 0) {
    auto writer = *store_->Create(kBlock);
    if (synced > 0) {
      ASSERT_TRUE(GrowTo(*writer, bytes_, synced).ok());
      ASSERT_TRUE(writer->Sync().ok());
    }
    ASSERT_TRUE(GrowTo(*writer, bytes_, length).ok());
    writer->SetVisible(length);
  }
  void Restart() {
    env_.Crash();
    store_.reset();
    store_ = Open();
  }
  RecoveryAnswer Start(GenerationStamp recovery, GenerationStamp generation = 5) {
    return *store_->StartRecovery({1001, generation, 0}, recovery);
  }
  ErrorKind FinishKind(const Block& block, GenerationStamp recovery) {
    return KindOf(store_->FinishRecovery(block, recovery).status());
  }
  void ExpectFinalized(GenerationStamp generation, uint64_t length) {
    EXPECT_TRUE(Same(Get(*store_, {1001, generation, length}), bytes_.substr(0, length)));
    EXPECT_TRUE(*store_->Verify({1001, generation, 0}));
    ASSERT_EQ(store_->Replicas(0).size(), 1u);
    EXPECT_EQ(store_->Replicas(0)[0].state, ReplicaState::kFinalized);
    EXPECT_EQ(store_->Replicas(0)[0].block, (Block{1001, generation, length}));
    EXPECT_EQ(store_->Volumes()[0].used_bytes, length + ChecksumFileBytes(length));
    EXPECT_EQ(store_->Volumes()[0].blocks, 1u);
    EXPECT_THAT(*env_.List(kRbw), IsEmpty());
    EXPECT_THAT(*env_.List("/d0/current/tmp"), IsEmpty());
    EXPECT_THAT(*env_.List(kFinal),
                ElementsAre("blk_1001", "blk_1001_" + std::to_string(generation) + ".meta"));
  }

  const std::string bytes_ = BytesOf(1, 100'000);
  std::unique_ptr<ReplicaStore> store_;
};

TEST_F(RecoveryTest, AnOpenReplicaIsCutStampedAndFinalized) {
  for (const uint64_t length : {1, 4'096, 10'000, 20'480, 29'999, 30'000}) {
    Leave(30'000);
    const RecoveryAnswer answer = Start(9);
    EXPECT_EQ(answer.state, RecoveryAnswer::kOpen);
    EXPECT_EQ(answer.block, (Block{1001, 5, 30'000}));
    observer_.Take();
    EXPECT_EQ(*store_->FinishRecovery({1001, 5, length}, 9), 0u);
    EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/9"));
    ExpectFinalized(9, length);
    Restart();
    ExpectFinalized(9, length);
    ASSERT_TRUE(store_->Delete({1001, 9, 0}).ok());
  }
}

TEST_F(RecoveryTest, ASyncedReplicaMayBeCutBelowWhatWasSynced) {
  Leave(30'000, /*synced=*/20'000);
  Start(9);
  ASSERT_TRUE(store_->FinishRecovery({1001, 5, 10'001}, 9).ok());
  Restart();
  ExpectFinalized(9, 10'001);
}

TEST_F(RecoveryTest, WhatARestartFound) {
  Leave(30'000, /*synced=*/20'000);
  Restart();
  const RecoveryAnswer answer = Start(9);
  EXPECT_EQ(answer.state, RecoveryAnswer::kRestarted);
  EXPECT_EQ(answer.block, (Block{1001, 5, 20'000}));
  ASSERT_TRUE(store_->FinishRecovery(answer.block, 9).ok());
  Restart();
  ExpectFinalized(9, 20'000);
}

TEST_F(RecoveryTest, AFinalizedReplicaIsOnlyStamped) {
  ASSERT_TRUE(Put(*store_, kBlock, bytes_.substr(0, 30'000)).ok());
  const RecoveryAnswer answer = Start(9);
  EXPECT_EQ(answer.state, RecoveryAnswer::kFinalized);
  EXPECT_EQ(answer.block, (Block{1001, 5, 30'000}));
  const uint64_t before = env_.changes();
  ASSERT_TRUE(store_->FinishRecovery(answer.block, 9).ok());
  EXPECT_EQ(env_.changes() - before, 2u);  // a name, a folder
  ExpectFinalized(9, 30'000);
  Restart();
  ExpectFinalized(9, 30'000);
}

TEST_F(RecoveryTest, ATruncationWritesANewFile) {
  for (const uint64_t length : {1, 4'096, 10'000, 20'480, 29'999}) {
    ASSERT_TRUE(Put(*store_, kBlock, bytes_.substr(0, 30'000)).ok());
    const auto before = store_->OpenReader({1001, 5, 30'000});
    Start(9);
    ASSERT_TRUE(store_->FinishRecovery({1001, 5, length}, 9).ok());
    ExpectFinalized(9, length);
    EXPECT_TRUE(Same(ReadAll(**before), bytes_.substr(0, 30'000)));  // who was at it reads on
    Restart();
    ExpectFinalized(9, length);
    ASSERT_TRUE(store_->Delete({1001, 9, 0}).ok());
  }
}

TEST_F(RecoveryTest, ATruncationThatFailsLeavesTheOldReplica) {
  ASSERT_TRUE(Put(*store_, kBlock, bytes_).ok());
  Start(9);
  for (int at = 0; at < 6; ++at) {
    int left = at;
    env_.SetHook([&](FaultOp op, const std::string& path) {
      const bool change = op == FaultOp::kWrite || op == FaultOp::kSync || op == FaultOp::kRename;
      return change && left-- == 0 ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
    });
    EXPECT_EQ(FinishKind({1001, 5, 50'000}, 9), ErrorKind::kNoSpace) << at;
    env_.SetHook({});
    EXPECT_FALSE(store_->Volumes()[0].failed) << at;
    EXPECT_TRUE(Same(Get(*store_, {1001, 5, 100'000}), bytes_)) << at;
    EXPECT_THAT(*env_.List("/d0/current/tmp"), IsEmpty()) << at;
  }
  env_.SetCapacity(130'000);
  EXPECT_EQ(FinishKind({1001, 5, 50'000}, 9), ErrorKind::kNoSpace);
  env_.SetCapacity(1 << 30);
  ASSERT_TRUE(store_->FinishRecovery({1001, 5, 50'000}, 9).ok());
  ExpectFinalized(9, 50'000);
}

TEST_F(RecoveryTest, ATruncationOfABadReplicaIsNotDone) {
  ASSERT_TRUE(Put(*store_, kBlock, bytes_.substr(0, 30'000)).ok());
  Start(9);
  env_.Flip(kFinal + "/blk_1001", 8'000, 1);
  EXPECT_EQ(FinishKind({1001, 5, 10'000}, 9), ErrorKind::kChecksum);
  EXPECT_EQ(store_->BadReplicas().size(), 1u);
  EXPECT_EQ(Start(10).state, RecoveryAnswer::kNone);
}

TEST_F(RecoveryTest, TheChunkThatIsCutIsVerifiedBefore) {
  Leave(30'000);
  Start(9);
  env_.Flip(kRbw + "/blk_1001", 11'000, 1);
  EXPECT_EQ(FinishKind({1001, 5, 10'000}, 9), ErrorKind::kChecksum);
  EXPECT_EQ(store_->BadReplicas().size(), 1u);
  EXPECT_THAT(observer_.Take(), ElementsAre("waiting 1001/5", "bad 1001/5"));
}

TEST_F(RecoveryTest, DoingItAgainIsFine) {
  Leave(30'000);
  Start(9);
  ASSERT_TRUE(store_->FinishRecovery({1001, 5, 10'000}, 9).ok());
  EXPECT_TRUE(store_->FinishRecovery({1001, 5, 10'000}, 9).ok());
  EXPECT_EQ(FinishKind({1001, 5, 9'000}, 9), ErrorKind::kStaleReplica);
  // The NameNode did not hear of it and starts anew.
  EXPECT_EQ(Start(10).state, RecoveryAnswer::kFinalized);
  EXPECT_TRUE(store_->FinishRecovery({1001, 9, 10'000}, 10).ok());
  ExpectFinalized(10, 10'000);
}

TEST_F(RecoveryTest, OnlyTheLatestRecoveryCounts) {
  Leave(30'000);
  Start(9);
  EXPECT_EQ(KindOf(store_->StartRecovery({1001, 5, 0}, 9).status()), ErrorKind::kStaleReplica);
  EXPECT_EQ(KindOf(store_->StartRecovery({1001, 5, 0}, 8).status()), ErrorKind::kStaleReplica);
  Start(12);
  EXPECT_EQ(FinishKind({1001, 5, 30'000}, 9), ErrorKind::kStaleReplica);
  EXPECT_EQ(FinishKind({1001, 4, 30'000}, 12), ErrorKind::kStaleReplica);  // not what is here
  EXPECT_EQ(FinishKind({1001, 5, 30'001}, 12), ErrorKind::kStaleReplica);  // not that long
  EXPECT_TRUE(store_->FinishRecovery({1001, 5, 30'000}, 12).ok());
  EXPECT_EQ(KindOf(store_->StartRecovery({1001, 5, 0}, 11).status()), ErrorKind::kStaleReplica);
}

TEST_F(RecoveryTest, OlderMissingAndDeletedReplicasAreNone) {
  EXPECT_EQ(Start(9).state, RecoveryAnswer::kNone);
  Leave(30'000);
  EXPECT_EQ(Start(9, /*generation=*/6).state, RecoveryAnswer::kNone);
  EXPECT_EQ(store_->MarkDeleting({{1001, 5, 0}}).size(), 1u);
  EXPECT_EQ(Start(9).state, RecoveryAnswer::kNone);
  EXPECT_TRUE(absl::IsNotFound(store_->FinishRecovery({1001, 5, 30'000}, 9).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->FinishRecovery({1002, 5, 30'000}, 9).status()));
}

TEST_F(RecoveryTest, AReplicaWithAWriterIsNotTouched) {
  auto writer = *store_->Create(kBlock);
  ASSERT_TRUE(GrowTo(*writer, bytes_, 30'000).ok());
  EXPECT_TRUE(absl::IsUnavailable(store_->StartRecovery({1001, 5, 0}, 9).status()));
  EXPECT_TRUE(absl::IsUnavailable(store_->FinishRecovery({1001, 5, 30'000}, 9).status()));
  ASSERT_TRUE(writer->Finalize().ok());
  EXPECT_EQ(Start(9).state, RecoveryAnswer::kFinalized);
}

TEST_F(RecoveryTest, ReadersBeyondACutMustStop) {
  Leave(30'000);
  auto beyond = *store_->OpenReader({1001, 5, 30'000});
  auto before = *store_->OpenReader({1001, 5, 9'000}, ReadAs::kExact);
  Start(9);
  ASSERT_TRUE(store_->FinishRecovery({1001, 5, 10'000}, 9).ok());
  EXPECT_EQ(KindOf(ReadAll(*beyond).status()), ErrorKind::kStaleReplica);
  EXPECT_EQ(KindOf(beyond->Checksum().status()), ErrorKind::kStaleReplica);
  EXPECT_TRUE(Same(ReadAll(*before), bytes_.substr(0, 9'000)));
}

TEST_F(RecoveryTest, ACutThatFailsIsNotTheEnd) {
  Leave(30'000);
  Start(9);
  for (const FaultOp failing : {FaultOp::kTruncate, FaultOp::kRename, FaultOp::kSyncDir}) {
    bool failed = false;
    env_.SetHook([&](FaultOp op, const std::string& path) {
      const bool now = op == failing && !std::exchange(failed, failed || op == failing);
      return now ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
    });
    EXPECT_EQ(FinishKind({1001, 5, 10'000}, 9), ErrorKind::kNoSpace);
    env_.SetHook({});
    EXPECT_FALSE(store_->Volumes()[0].failed);
    EXPECT_TRUE(Same(GetAs(*store_, {1001, 5, 10'000}, ReadAs::kExact), bytes_.substr(0, 10'000)));
  }
  ASSERT_TRUE(store_->FinishRecovery({1001, 5, 10'000}, 9).ok());
  Restart();
  ExpectFinalized(9, 10'000);
}

TEST_F(RecoveryTest, TheSpaceOfWhatIsOpenIsCounted) {
  Leave(30'000);
  EXPECT_EQ(store_->Volumes()[0].used_bytes, 30'000 + ChecksumFileBytes(30'000));
  EXPECT_EQ(store_->Volumes()[0].blocks, 0u);
  Restart();
  EXPECT_EQ(store_->Volumes()[0].used_bytes, 0u);
}

}  // namespace
}  // namespace cairn::datanode
