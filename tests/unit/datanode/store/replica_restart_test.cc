// What a start makes of open replicas: what was proven is kept, damage is told, cut moves are
// settled.
#include <gmock/gmock.h>

#include "datanode/store/checksum_file.h"
#include "datanode/store/replica_names.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr Block kBlock{.id = 1001, .generation = 5, .length = 1 << 20};
const std::string kRbw = "/d0/current/rbw";
const std::string kFinal = "/d0/current/finalized/subdir0/subdir3";
const std::string kData = kRbw + "/blk_1001";
const std::string kMeta = kRbw + "/blk_1001_5.meta";

class RestartTest : public StoreTest {
 protected:
  // An open replica of the first `length` bytes, of which `synced` were; the process was killed.
  void Leave(uint64_t length, uint64_t synced = 0) {
    store_.reset();
    store_ = Open();
    auto writer = *store_->Create(kBlock);
    if (synced > 0) {
      ASSERT_TRUE(GrowTo(*writer, bytes_, synced).ok());
      ASSERT_TRUE(writer->Sync().ok());
    }
    ASSERT_TRUE(GrowTo(*writer, bytes_, length).ok());
    writer.reset();
    store_.reset();
  }
  void Truncate(const std::string& path, uint64_t bytes) {
    ASSERT_TRUE((*env_.Open(path, OpenMode::kReadWrite))->Truncate(bytes).ok());
  }
  // How much is kept of the replica, which must be open; 0: it is gone.
  uint64_t Kept() {
    store_.reset();
    store_ = Open();
    const std::vector<ReplicaInfo> found = store_->Replicas(0);
    EXPECT_THAT(store_->BadReplicas(), IsEmpty());
    if (found.empty()) {
      store_.reset();
      return 0;
    }
    const uint64_t length = found[0].block.length;
    EXPECT_EQ(found[0].block, (Block{1001, 5, length}));
    EXPECT_TRUE(found[0].waiting);
    EXPECT_TRUE(Same(GetAs(*store_, {1001, 5, length}, ReadAs::kExact), bytes_.substr(0, length)));
    EXPECT_EQ(*(*env_.Open(kData, OpenMode::kRead))->Size(), length);
    EXPECT_EQ(*(*env_.Open(kMeta, OpenMode::kRead))->Size(), ChecksumFileBytes(length));
    store_.reset();
    return length;
  }
  bool IsBad() {
    store_.reset();
    store_ = Open();
    EXPECT_THAT(store_->Replicas(0), IsEmpty());
    return store_->BadReplicas().size() == 1;
  }

  const std::string bytes_ = BytesOf(1, 100'000);
  std::unique_ptr<ReplicaStore> store_;
};

TEST_F(RestartTest, AKilledProcessLosesNothing) {
  for (const uint64_t length : {1, 4'095, 4'096, 4'097, 30'000}) {
    Leave(length);
    EXPECT_EQ(Kept(), length);
    store_ = Open();
    ASSERT_TRUE(store_->Delete({1001, 5, 0}).ok());
  }
}

TEST_F(RestartTest, TheLongestProvenPrefixIsKept) {
  Leave(30'000);
  Truncate(kData, 29'000);  // within the last chunk, whose checksum is for more
  EXPECT_EQ(Kept(), 28'672u);
}

TEST_F(RestartTest, AChecksumOfAPartOfTheLastChunk) {
  Leave(10'000);
  const std::string meta = *env_.ReadFile(kMeta);
  store_ = Open();
  {
    auto writer = *store_->Reopen({1001, 6, 1 << 20}, 5, 0);
    ASSERT_TRUE(GrowTo(*writer, bytes_, 11'000).ok());
  }
  store_.reset();
  // The data reached the disk, the new checksum did not.
  ASSERT_TRUE(env_.Rename(kRbw + "/blk_1001_6.meta", kMeta).ok());
  ASSERT_TRUE((*env_.Open(kMeta, OpenMode::kTruncate))->WriteAt(0, meta).ok());
  EXPECT_EQ(Kept(), 10'000u);
}

TEST_F(RestartTest, AHoleEndsWhatIsKept) {
  Leave(30'000);
  env_.Flip(kData, 13'000, 0xFF);
  EXPECT_EQ(Kept(), 12'288u);
}

TEST_F(RestartTest, MissingChecksumsEndWhatIsKept) {
  Leave(30'000);
  Truncate(kMeta, ChecksumFileBytes(12'288) + 3);
  EXPECT_EQ(Kept(), 12'288u);
}

TEST_F(RestartTest, ASlotProvesWhatItsChecksumDoesNotAnyMore) {
  Leave(/*length=*/15'000, /*synced=*/13'000);
  // The checksum of the chunk that grew reached the disk, its data did not.
  Truncate(kData, 13'000);
  EXPECT_EQ(Kept(), 13'000u);
  EXPECT_EQ(Kept(), 13'000u);  // its checksum fits again
}

TEST_F(RestartTest, WhatContradictsASlotIsDamage) {
  Leave(/*length=*/15'000, /*synced=*/13'000);
  env_.Flip(kData, 12'500, 1);
  EXPECT_TRUE(IsBad());
  EXPECT_EQ(KindOf(store_->OpenReader({1001, 5, 0}).status()), ErrorKind::kChecksum);
  EXPECT_EQ(store_->StartRecovery({1001, 5, 0}, 9)->state, RecoveryAnswer::kNone);
  EXPECT_TRUE(*env_.Exists(kData));
  EXPECT_TRUE(store_->Delete({1001, 5, 0}).ok());
  EXPECT_THAT(*env_.List(kRbw), IsEmpty());
}

TEST_F(RestartTest, DataCutBelowASlotIsDamage) {
  Leave(/*length=*/15'000, /*synced=*/13'000);
  Truncate(kData, 12'999);
  EXPECT_TRUE(IsBad());
}

TEST_F(RestartTest, ADamagedHeaderIsDamage) {
  Leave(15'000);
  env_.Flip(kMeta, 3, 1);
  EXPECT_TRUE(IsBad());
}

TEST_F(RestartTest, AHeaderThatDidNotReachTheDiskProvesNothing) {
  Leave(15'000);
  ASSERT_TRUE((*env_.Open(kMeta, OpenMode::kReadWrite))->WriteAt(0, std::string(128, '\0')).ok());
  EXPECT_EQ(Kept(), 0u);
  EXPECT_THAT(*env_.List(kRbw), IsEmpty());
}

TEST_F(RestartTest, WhatIsCutOffDoesNotComeBack) {
  Leave(30'000);
  env_.Flip(kData, 13'000, 0xFF);
  EXPECT_EQ(Kept(), 12'288u);
  env_.Crash();
  EXPECT_EQ(Kept(), 12'288u);
}

TEST_F(RestartTest, DataWithoutChecksumsIsRemoved) {
  Leave(30'000);
  ASSERT_TRUE(env_.Remove(kMeta).ok());
  EXPECT_EQ(Kept(), 0u);
  EXPECT_THAT(*env_.List(kRbw), IsEmpty());
  Leave(30'000);
  ASSERT_TRUE(env_.Remove(kData).ok());
  EXPECT_EQ(Kept(), 0u);
  EXPECT_THAT(*env_.List(kRbw), IsEmpty());
}

TEST_F(RestartTest, AMoveThatWasCutIsSettled) {
  store_ = Open();
  ASSERT_TRUE(Put(*store_, kBlock, bytes_).ok());
  store_.reset();
  ASSERT_TRUE(env_.Rename(kFinal + "/blk_1001", kData).ok());
  store_ = Open();
  EXPECT_EQ(store_->Replicas(0)[0].state, ReplicaState::kFinalized);
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_));
  store_.reset();
  env_.Crash();
  store_ = Open();
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_));
}

TEST_F(RestartTest, OfSeveralChecksumFilesTheOneThatFitsCounts) {
  const auto put = [&](BlockId id, GenerationStamp generation, uint64_t length) {
    ASSERT_TRUE(Put(*store_, {id, generation, 1 << 20}, bytes_.substr(0, length)).ok());
  };
  store_ = Open();
  put(1001, 5, 30'000);
  put(1002, 7, 20'000);  // as a truncation would leave it
  store_.reset();
  const std::string shorter = *env_.ReadFile(kFinal + "/blk_1002_7.meta");
  std::string of_1001 = EncodeChecksumFile(1001, 20'000, CrcsOf(bytes_.substr(0, 20'000)));
  ASSERT_EQ(of_1001.size(), shorter.size());
  ASSERT_TRUE(env_.WriteFileAtomically(kFinal + "/blk_1001_7.meta", of_1001).ok());
  store_ = Open();
  EXPECT_TRUE(Same(Get(*store_, kBlock), bytes_.substr(0, 30'000)));
  EXPECT_FALSE(*env_.Exists(kFinal + "/blk_1001_7.meta"));
  store_.reset();
  ASSERT_TRUE(env_.WriteFileAtomically(kFinal + "/blk_1001_7.meta", of_1001).ok());
  Truncate(kFinal + "/blk_1001", 20'000);
  store_ = Open();
  EXPECT_TRUE(Same(Get(*store_, {1001, 7, 20'000}), bytes_.substr(0, 20'000)));
  EXPECT_FALSE(*env_.Exists(kFinal + "/blk_1001_5.meta"));
}

TEST_F(RestartTest, FilesOfOthersAreLeftAlone) {
  Open().reset();
  const std::vector<std::string> strangers = {"/notes.txt", "/blk_", "/blk_01", "/blk_5_1.meta.tmp",
                                              "/blk_5_1_2.unsynced"};
  for (const std::string& name : strangers) {
    ASSERT_TRUE(env_.WriteFileAtomically(kRbw + name, "?").ok());
  }
  store_ = Open();
  EXPECT_THAT(store_->Replicas(0), IsEmpty());
  for (const std::string& name : strangers) EXPECT_TRUE(*env_.Exists(kRbw + name)) << name;
}

TEST_F(RestartTest, OnlyPromisedReplicasRaiseTheHighestNumbers) {
  Leave(30'000);
  store_ = Open();
  EXPECT_EQ(store_->highest().block_id, 0u);
  ASSERT_TRUE(store_->Delete({1001, 5, 0}).ok());
  store_.reset();
  Leave(30'000, /*synced=*/1);
  store_ = Open();
  EXPECT_EQ(store_->highest().block_id, 1001u);
  EXPECT_EQ(store_->highest().generation, 5u);
}

TEST(ReplicaNames, AreParsedExactly) {
  const auto parse = [](std::string_view name) { return ParseReplicaFileName(name); };
  EXPECT_EQ(parse("blk_7")->block, (Block{7, 0, 0}));
  EXPECT_EQ(parse("blk_7_3.meta")->kind, ReplicaFileName::kChecksums);
  EXPECT_EQ(parse("blk_7_3.bad")->kind, ReplicaFileName::kBadMark);
  EXPECT_EQ(parse("blk_7_3_500.unsynced")->kind, ReplicaFileName::kUnsynced);
  EXPECT_EQ(parse("blk_7_3_500.unsynced")->block, (Block{7, 3, 500}));
  for (const char* name : {"", "blk_", "blk_x", "blk_07", "blk_7_", "blk_7_3", "blk_7_3.met",
                           "blk_7_3.meta2", "blk_7_3_5.meta", "blk_7_3.unsynced",
                           "blk_7_3_.unsynced", "blk_18446744073709551616", "BLK_7"}) {
    EXPECT_FALSE(parse(name)) << name;
  }
}

}  // namespace
}  // namespace cairn::datanode
