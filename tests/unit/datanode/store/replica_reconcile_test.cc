// Files that somebody has removed, put there or cut beside the store.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Block kBlock{.id = 1001, .generation = 5, .length = 10'000};
constexpr char kFolder[] = "/d0/current/finalized/subdir0/subdir3";
constexpr char kData[] = "/d0/current/finalized/subdir0/subdir3/blk_1001";
constexpr char kChecksums[] = "/d0/current/finalized/subdir0/subdir3/blk_1001_5.meta";

class ReplicaReconcileTest : public StoreTest {
 protected:
  void SetUp() override {
    store_ = Open();
    ASSERT_TRUE(Put(*store_, kBlock, bytes_).ok());
    ASSERT_TRUE(Put(*store_, {1002, 5, 5'000}, BytesOf(2, 5'000)).ok());
    observer_.Take();
    data_ = *env_.ReadFile(kData);
    checksums_ = *env_.ReadFile(kChecksums);
  }
  // The block's replica is gone; what it was can be put back by hand.
  void DeleteIt() {
    ASSERT_TRUE(store_->Delete(kBlock).ok());
    observer_.Take();
  }
  std::vector<Block> Known() {
    std::vector<Block> known;
    store_->ForEachFinalized(0, [&](const Block& block) {
      if (FinalizedFolderOf(block.id) == 3) known.push_back(block);
    });
    return known;
  }
  FolderDifferences Compare() {
    const auto differences = store_->CompareFolder(0, 3, Known());
    EXPECT_TRUE(differences.ok()) << differences.status();
    return differences.value_or(FolderDifferences{});
  }
  // Nothing that would lead to a change.
  void ExpectNoDifference() {
    const FolderDifferences differences = Compare();
    EXPECT_THAT(differences.vanished, IsEmpty());
    EXPECT_THAT(differences.damaged, IsEmpty());
    EXPECT_THAT(differences.found, IsEmpty());
    EXPECT_THAT(differences.left_alone, IsEmpty());
  }

  const std::string bytes_ = BytesOf(1, 10'000);
  std::string data_;
  std::string checksums_;
  std::unique_ptr<ReplicaStore> store_;
};

TEST_F(ReplicaReconcileTest, FoldersAndMemoryAgree) {
  EXPECT_TRUE(store_->InUse(0));
  EXPECT_FALSE(store_->InUse(1));
  EXPECT_EQ(Compare().blocks, 2u);
  ExpectNoDifference();
}

TEST_F(ReplicaReconcileTest, ARemovedFileIsForgottenAndTold) {
  ASSERT_TRUE(env_.Remove(kData).ok());
  EXPECT_THAT(Compare().vanished, ElementsAre(kBlock));
  const uint64_t used = store_->Volumes()[0].used_bytes;
  EXPECT_TRUE(*store_->DropVanished(kBlock));
  EXPECT_THAT(observer_.Take(), ElementsAre("deleted 1001/5"));
  EXPECT_LT(store_->Volumes()[0].used_bytes, used - 10'000);
  EXPECT_EQ(store_->Volumes()[0].blocks, 1u);
  EXPECT_FALSE(*env_.Exists(kChecksums));
  EXPECT_TRUE(absl::IsNotFound(store_->DropVanished(kBlock).status()));
  ExpectNoDifference();
  EXPECT_TRUE(Put(*store_, kBlock, bytes_).ok());  // there is room for a new one
}

TEST_F(ReplicaReconcileTest, OnlyWhatIsReallyGoneIsForgotten) {
  EXPECT_FALSE(*store_->DropVanished(kBlock));
  EXPECT_TRUE(absl::IsNotFound(store_->DropVanished({1001, 4, 0}).status()));
  EXPECT_TRUE(absl::IsNotFound(store_->DropVanished({1003, 5, 0}).status()));
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_));
  EXPECT_THAT(observer_.Take(), IsEmpty());
}

TEST_F(ReplicaReconcileTest, ADiskThatIsNotMountedHasLostNothing) {
  for (const char* path : {kData, kChecksums, "/d0/VERSION"}) ASSERT_TRUE(env_.Remove(path).ok());
  EXPECT_THAT(Compare().vanished, ElementsAre(kBlock));
  EXPECT_TRUE(absl::IsUnavailable(store_->DropVanished(kBlock).status()));
  EXPECT_TRUE(store_->Volumes()[0].failed);
  EXPECT_FALSE(store_->InUse(0));
  EXPECT_THAT(observer_.Take(), IsEmpty());
  EXPECT_TRUE(absl::IsUnavailable(store_->CompareFolder(0, 3, {}).status()));
}

TEST_F(ReplicaReconcileTest, AFolderThatCannotBeListedIsAFailedDisk) {
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kList ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  EXPECT_TRUE(absl::IsInternal(store_->CompareFolder(0, 3, Known()).status()));
  EXPECT_TRUE(store_->Volumes()[0].failed);
}

TEST_F(ReplicaReconcileTest, AnotherLengthIsDamageAndVerifyMarksIt) {
  WriteByHand(env_, kData, std::string_view(data_).substr(0, 4096));
  EXPECT_THAT(Compare().damaged, ElementsAre(kBlock));
  EXPECT_FALSE(*store_->Verify({1001, 5, 0}));
  EXPECT_THAT(observer_.Take(), ElementsAre("bad 1001/5"));
  ExpectNoDifference();  // the bad one is known
}

TEST_F(ReplicaReconcileTest, DataWithoutItsChecksumsIsDamage) {
  ASSERT_TRUE(env_.Remove(kChecksums).ok());
  EXPECT_THAT(Compare().damaged, ElementsAre(kBlock));
  EXPECT_FALSE(*store_->Verify({1001, 5, 0}));
  EXPECT_THAT(observer_.Take(), ElementsAre("bad 1001/5"));
}

TEST_F(ReplicaReconcileTest, ALogOfSmallReplicasBringsNothingBack) {
  store_.reset();
  ReplicaStore::Options options = OptionsFor({"/d0"});
  options.small_replica_max_bytes = 1 << 20;
  store_ = *TryOpen(options);
  const Block logged{1010, 5, 3'000};
  ASSERT_TRUE(Put(*store_, logged, BytesOf(3, 3'000)).ok());
  ExpectNoDifference();
  EXPECT_EQ(Known().size(), 3u);
  ASSERT_TRUE(env_.Remove(std::string(kFolder) + "/blk_1010").ok());
  EXPECT_THAT(Compare().vanished, ElementsAre(logged));
  EXPECT_TRUE(*store_->DropVanished(logged));
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1010/5", "deleted 1010/5"));
  store_.reset();
  env_.Crash();
  store_ = *TryOpen(options);
  EXPECT_TRUE(absl::IsNotFound(store_->GetReplica(logged).status()));
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_));
}

TEST_F(ReplicaReconcileTest, AReplicaThatWasPutThereIsTakenInForGood) {
  DeleteIt();
  WriteByHand(env_, kChecksums, checksums_);
  EXPECT_THAT(Compare().left_alone, ElementsAre(kChecksums));
  WriteByHand(env_, kData, data_);
  EXPECT_THAT(Compare().found, ElementsAre(kBlock));
  ASSERT_TRUE(store_->AddFound(0, kBlock).ok());
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/5"));
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_));
  EXPECT_EQ(store_->Volumes()[0].blocks, 2u);
  EXPECT_TRUE(absl::IsAlreadyExists(store_->AddFound(0, kBlock)));
  ExpectNoDifference();
  // It was reported as durable, so it is.
  store_.reset();
  env_.Crash();
  store_ = Open();
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_));
}

TEST_F(ReplicaReconcileTest, OfSeveralChecksumFilesTheOneThatFits) {
  DeleteIt();
  WriteByHand(env_, kData, data_);
  WriteByHand(env_, std::string(kFolder) + "/blk_1001_6.meta", "another");
  WriteByHand(env_, kChecksums, checksums_);
  EXPECT_THAT(Compare().found, ElementsAre(kBlock));
}

TEST_F(ReplicaReconcileTest, WhatIsNotWholeIsNotTakenIn) {
  DeleteIt();
  WriteByHand(env_, kData, data_);
  EXPECT_THAT(Compare().left_alone, ElementsAre(kData));
  EXPECT_THAT(Compare().found, IsEmpty());
  WriteByHand(env_, kChecksums, checksums_);
  env_.Flip(kData, 9'000, 0x10);
  EXPECT_TRUE(absl::IsDataLoss(store_->AddFound(0, kBlock)));
  EXPECT_THAT(observer_.Take(), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(store_->GetReplica(kBlock).status()));
  EXPECT_TRUE(*env_.Exists(kData));
  WriteByHand(env_, kData, std::string_view(data_).substr(0, 9'999));
  EXPECT_THAT(Compare().left_alone, ElementsAre(kData));
}

TEST_F(ReplicaReconcileTest, FilesOfAnotherFolderAreNotLookedAt) {
  DeleteIt();
  WriteByHand(env_, std::string(kFolder) + "/blk_5000", data_);
  WriteByHand(env_, std::string(kFolder) + "/blk_5000_5.meta", checksums_);
  WriteByHand(env_, std::string(kFolder) + "/notes.txt", "x");
  ExpectNoDifference();
}

TEST_F(ReplicaReconcileTest, WhatIsOnItsWayIsNotJudged) {
  const auto open = store_->Create({1003, 5, 1 << 20});
  ASSERT_TRUE(AppendAll(**open, bytes_, 4096).ok());
  const auto copy = store_->CreateCopy({1004, 5, 10'000});
  ASSERT_TRUE(AppendAll(**copy, bytes_, 4096).ok());
  ASSERT_TRUE(Put(*store_, {1005, 5, 1 << 20}, bytes_).ok());
  const auto appended = store_->Reopen({1005, 6, 1 << 20}, 5, 10'000);
  ASSERT_TRUE(appended.ok()) << appended.status();
  const auto later = store_->Create({1006, 5, 1 << 20});
  ASSERT_TRUE(AppendAll(**later, bytes_, 4096).ok());
  ASSERT_TRUE((*later)->Finalize(Durability::kLater).ok());
  ASSERT_TRUE(Put(*store_, {1007, 5, 1 << 20}, bytes_).ok());
  EXPECT_EQ(store_->MarkDeleting({{1007, 5, 0}}).size(), 1u);
  ExpectNoDifference();
  EXPECT_EQ(Known().size(), 2u);

  // Even where files of these names appear: they are their owners' business.
  for (const BlockId id : {1003, 1004}) {
    const std::string path = std::string(kFolder) + "/blk_" + std::to_string(id);
    WriteByHand(env_, path, data_);
    WriteByHand(env_, path + "_5.meta", checksums_);
    EXPECT_FALSE(store_->AddFound(0, {id, 5, 10'000}).ok());
  }
  ExpectNoDifference();
}

}  // namespace
}  // namespace cairn::datanode
