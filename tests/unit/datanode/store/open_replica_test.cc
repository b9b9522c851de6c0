// Open replicas: growing within chunks, hsync, readers beside a writer, what may be read of them.
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
const std::string kRbw = "/d0/current/rbw/blk_1001";

class OpenReplicaTest : public StoreTest {
 protected:
  void SetUp() override {
    store_ = Open();
    writer_ = *store_->Create(kBlock);
  }
  void Restart() {
    env_.Crash();
    writer_.reset();
    store_.reset();
    store_ = Open();
  }
  absl::Status Append(uint64_t offset, std::string_view bytes) {
    return writer_->Append(offset, absl::Cord(ToAbsl(bytes)), CrcsOf(bytes));
  }
  absl::StatusOr<std::string> Visible() { return Get(*store_, {1001, 5, 0}); }

  const std::string bytes_ = BytesOf(1, 100'000);
  std::unique_ptr<ReplicaStore> store_;
  std::unique_ptr<ReplicaWriter> writer_;
};

TEST_F(OpenReplicaTest, GrowsWithinAChunk) {
  for (const uint64_t length : {1, 100, 4095, 4096, 4097, 9'000, 9'001, 16'384, 30'000}) {
    ASSERT_TRUE(GrowTo(*writer_, bytes_, length).ok()) << length;
    EXPECT_EQ(writer_->length(), length);
    writer_->SetVisible(length);
    EXPECT_TRUE(Same(Visible(), bytes_.substr(0, length)));
  }
  ASSERT_TRUE(writer_->Finalize().ok());
  EXPECT_TRUE(Same(Visible(), bytes_.substr(0, 30'000)));
  EXPECT_TRUE(*store_->Verify({1001, 5, 0}));
}

TEST_F(OpenReplicaTest, OnlyNewBytesOfAPacketAreWritten) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  uint64_t data_writes = 0;
  uint64_t checksum_writes = 0;
  env_.SetHook([&](FaultOp op, const std::string& path) {
    if (op == FaultOp::kWrite) ++(path.ends_with(".meta") ? checksum_writes : data_writes);
    return absl::OkStatus();
  });
  // All of it is there.
  for (const uint64_t length : {1, 100, 4096, 5'000, 8'192, 9'999, 10'000}) {
    EXPECT_TRUE(Append(0, bytes_.substr(0, length)).ok()) << length;
  }
  EXPECT_TRUE(Append(4096, bytes_.substr(4096, 4096)).ok());
  EXPECT_TRUE(Append(8192, bytes_.substr(8192, 1'808)).ok());
  EXPECT_EQ(writer_->length(), 10'000u);
  EXPECT_EQ(data_writes + checksum_writes, 0u);
  // A part is.
  EXPECT_TRUE(Append(4096, bytes_.substr(4096, 20'000)).ok());
  EXPECT_EQ(writer_->length(), 24'096u);
  EXPECT_EQ(data_writes, 1u);
  EXPECT_EQ(checksum_writes, 1u);
  env_.SetHook({});
  writer_->SetVisible(24'096);
  EXPECT_TRUE(Same(Visible(), bytes_.substr(0, 24'096)));
}

TEST_F(OpenReplicaTest, OtherBytesThanWereWrittenAreRefused) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  const auto refused = [&](uint64_t offset, uint64_t wrong_at, uint64_t end) {
    std::string other = bytes_;
    other[wrong_at] = static_cast<char>(other[wrong_at] ^ 1);
    return KindOf(Append(offset, other.substr(offset, end - offset))) == ErrorKind::kChecksum;
  };
  EXPECT_TRUE(refused(0, 4'000, 4'096));       // a full chunk
  EXPECT_TRUE(refused(0, 4'000, 12'000));      // among others
  EXPECT_TRUE(refused(0, 100, 200));           // a part of a full one
  EXPECT_TRUE(refused(8'192, 8'200, 10'000));  // the last one
  EXPECT_TRUE(refused(8'192, 8'200, 9'000));   // a part of it
  EXPECT_TRUE(refused(8'192, 8'200, 20'000));  // and more
  EXPECT_EQ(writer_->length(), 10'000u);
  EXPECT_TRUE(Append(8'192, bytes_.substr(8'192, 20'000)).ok());  // it goes on
  EXPECT_TRUE(writer_->Finalize().ok());
}

TEST_F(OpenReplicaTest, GapsOddOffsetsAndTooMuchAreRefused) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Append(12'288, bytes_.substr(12'288, 100))));
  EXPECT_TRUE(absl::IsInvalidArgument(Append(10'000, bytes_.substr(10'000, 100))));
  EXPECT_TRUE(
      absl::IsInvalidArgument(writer_->Append(8'192, absl::Cord(bytes_.substr(8'192, 5'000)), {})));
  EXPECT_TRUE(absl::IsInvalidArgument(Append(0, std::string((1 << 20) + 1, 'x'))));
  EXPECT_TRUE(Append(8'192, bytes_.substr(8'192, 10'000)).ok());
}

TEST_F(OpenReplicaTest, ReadersGetWhatTheOthersAcknowledged) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 50'000)).ok());
  EXPECT_TRUE(Same(Visible(), ""));
  EXPECT_EQ(store_->GetReplica({1001, 5, 0})->block.length, 0u);
  writer_->SetVisible(20'000);  // within a chunk that is full by now
  EXPECT_TRUE(Same(Visible(), bytes_.substr(0, 20'000)));
  EXPECT_EQ(store_->GetReplica({1001, 4, 7})->block, (Block{1001, 5, 20'000}));
  EXPECT_TRUE(store_->GetReplica({1001, 5, 0})->open);
  writer_->SetVisible(49'500);  // within the last chunk
  EXPECT_TRUE(Same(Visible(), bytes_.substr(0, 49'500)));
  writer_->SetVisible(70'000);  // those behind are ahead
  EXPECT_TRUE(Same(Visible(), bytes_.substr(0, 50'000)));
  writer_->SetVisible(10);  // never less
  EXPECT_TRUE(Same(Visible(), bytes_.substr(0, 50'000)));
}

TEST_F(OpenReplicaTest, WhoKnowsOfMoreGetsIt) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 50'000)).ok());
  writer_->SetVisible(10'000);
  EXPECT_TRUE(Same(GetAs(*store_, {1001, 5, 30'001}, ReadAs::kVisible), bytes_.substr(0, 30'001)));
  EXPECT_TRUE(Same(GetAs(*store_, {1001, 5, 50'000}, ReadAs::kVisible), bytes_.substr(0, 50'000)));
  EXPECT_TRUE(absl::IsNotFound(store_->OpenReader({1001, 5, 50'001}).status()));
  EXPECT_TRUE(Same(GetAs(*store_, {1001, 5, 7'000}, ReadAs::kVisible), bytes_.substr(0, 10'000)));
  EXPECT_TRUE(Same(GetAs(*store_, {1001, 5, 7'000}, ReadAs::kExact), bytes_.substr(0, 7'000)));
  EXPECT_TRUE(absl::IsNotFound(store_->OpenReader({1001, 5, 0}, ReadAs::kFinalized).status()));
  EXPECT_EQ(KindOf(store_->OpenReader({1001, 6, 0}).status()), ErrorKind::kStaleReplica);
  EXPECT_EQ(KindOf(store_->GetReplica({1001, 6, 0}).status()), ErrorKind::kStaleReplica);
  EXPECT_TRUE(absl::IsNotFound(store_->GetReplica({1002, 5, 0}).status()));
}

TEST_F(OpenReplicaTest, AReaderIsNotDisturbedByWhatComesAfterIt) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 9'000)).ok());
  writer_->SetVisible(9'000);
  auto before = store_->OpenReader({1001, 5, 0});
  ASSERT_TRUE(Append(8'192, bytes_.substr(8'192, 50'000)).ok());  // the last chunk is full now
  auto during = store_->OpenReader({1001, 5, 12'000});
  ASSERT_TRUE(writer_->Finalize().ok());
  auto finalized = store_->OpenReader({1001, 5, 0});
  EXPECT_TRUE(Same(ReadAll(**before), bytes_.substr(0, 9'000)));
  EXPECT_TRUE(Same(ReadAll(**during), bytes_.substr(0, 12'000)));
  // Opened again, it grows within the last chunk of who reads it still.
  auto more = store_->Reopen({1001, 6, 1 << 20}, 5, 58'192);
  ASSERT_TRUE(GrowTo(**more, bytes_, 70'000).ok());
  ASSERT_TRUE((*more)->Finalize().ok());
  EXPECT_TRUE(Same(ReadAll(**finalized), bytes_.substr(0, 58'192)));
  ASSERT_TRUE(store_->Delete({1001, 6, 0}).ok());
  EXPECT_TRUE(Same(ReadAll(**finalized), bytes_.substr(0, 58'192)));
}

TEST_F(OpenReplicaTest, ChecksumsOfAnyLength) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 50'000)).ok());
  const auto check = [&](GenerationStamp generation, uint64_t most) {
    for (const uint64_t length : {0, 1, 4'096, 8'000, 40'960, 49'152, 49'999, 50'000}) {
      if (length > most) continue;
      EXPECT_EQ(*store_->Checksum({1001, generation, length}),
                Crc32c(std::string_view(bytes_).substr(0, length)))
          << length;
    }
  };
  check(5, 50'000);
  ASSERT_TRUE(writer_->Finalize(Durability::kLater).ok());
  check(5, 50'000);
  store_->SyncPending();
  check(5, 50'000);
  EXPECT_TRUE(absl::IsNotFound(store_->Checksum({1001, 5, 50'001}).status()));
  // Within a chunk the bytes are looked at.
  env_.Flip("/d0/current/finalized/subdir0/subdir3/blk_1001", 8'200, 1);
  EXPECT_EQ(KindOf(store_->Checksum({1001, 5, 9'000}).status()), ErrorKind::kChecksum);
}

TEST_F(OpenReplicaTest, AWriterThatLeavesLeavesItOpen) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 30'000)).ok());
  writer_->SetVisible(20'000);
  EXPECT_FALSE(store_->WaitForWriter(1001, 1));
  writer_.reset();
  EXPECT_TRUE(store_->WaitForWriter(1001, 1));
  EXPECT_THAT(observer_.Take(), ElementsAre("waiting 1001/5"));
  ASSERT_EQ(store_->Replicas(0).size(), 1u);
  EXPECT_EQ(store_->Replicas(0)[0].block, (Block{1001, 5, 30'000}));
  EXPECT_TRUE(store_->Replicas(0)[0].waiting);
  EXPECT_TRUE(Same(Visible(), bytes_.substr(0, 20'000)));
  EXPECT_TRUE(Same(GetAs(*store_, {1001, 5, 30'000}, ReadAs::kVisible), bytes_.substr(0, 30'000)));
  EXPECT_TRUE(absl::IsAlreadyExists(store_->Create(kBlock).status()));
  ASSERT_TRUE(store_->Delete({1001, 5, 0}).ok());
  EXPECT_THAT(observer_.Take(), ElementsAre("deleted 1001/5"));
  EXPECT_THAT(*env_.List("/d0/current/rbw"), IsEmpty());
  EXPECT_EQ(store_->Volumes()[0].used_bytes, 0u);
}

TEST_F(OpenReplicaTest, WhatIsPreallocatedGoesWithTheWriter) {
  ASSERT_TRUE(AppendAll(*writer_, bytes_.substr(0, 16'384), 4096).ok());
  env_.SetCapacity(1 << 20);
  EXPECT_EQ(env_.Space("/d0")->free_bytes, 0u);
  writer_.reset();
  EXPECT_GT(env_.Space("/d0")->free_bytes, (1u << 20) - 30'000);
}

TEST_F(OpenReplicaTest, AMarkTakenBackFromAnOpenReplica) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 30'000)).ok());
  writer_.reset();
  observer_.Take();
  EXPECT_EQ(store_->MarkDeleting({{1001, 5, 0}}).size(), 1u);
  EXPECT_TRUE(absl::IsNotFound(Visible().status()));
  EXPECT_TRUE(absl::IsNotFound(store_->Reopen({1001, 6, 1 << 20}, 5, 0).status()));
  store_->UnmarkDeleting({{1001, 5, 0}});
  EXPECT_THAT(observer_.Take(), ElementsAre("waiting 1001/5"));
  EXPECT_TRUE(store_->Reopen({1001, 6, 1 << 20}, 5, 30'000).ok());
}

TEST_F(OpenReplicaTest, WhatIsSyncedOutlivesAPowerCut) {
  for (const uint64_t length : {1'000, 3'000, 4'096, 13'000, 90'000}) {
    ASSERT_TRUE(GrowTo(*writer_, bytes_, length).ok());
    ASSERT_TRUE(writer_->Sync().ok());
    EXPECT_EQ(writer_->durable_length(), length);
    ASSERT_TRUE(GrowTo(*writer_, bytes_, length + 500).ok());
    EXPECT_EQ(writer_->durable_length(), length);
    Restart();
    ASSERT_EQ(store_->Replicas(0).size(), 1u);
    EXPECT_EQ(store_->Replicas(0)[0].block, (Block{1001, 5, length}));
    EXPECT_TRUE(store_->Replicas(0)[0].waiting);
    EXPECT_TRUE(Same(GetAs(*store_, {1001, 5, length}, ReadAs::kExact), bytes_.substr(0, length)));
    // Nobody here knows what its pipeline acknowledged.
    EXPECT_TRUE(absl::IsUnavailable(store_->GetReplica({1001, 5, 0}).status()));
    EXPECT_TRUE(Same(Visible(), ""));
    ASSERT_TRUE(store_->Delete({1001, 5, 0}).ok());
    writer_ = *store_->Create(kBlock);
  }
}

TEST_F(OpenReplicaTest, ASyncOfWhatIsSyncedTouchesNothing) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  ASSERT_TRUE(writer_->Sync().ok());
  const uint64_t before = env_.changes();
  ASSERT_TRUE(writer_->Sync().ok());
  EXPECT_EQ(env_.changes(), before);
  env_.SetHook([](FaultOp op, const std::string& path) {  // nothing but names
    return op == FaultOp::kSync ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  EXPECT_TRUE(writer_->Finalize().ok());
}

TEST_F(OpenReplicaTest, AWriteThatFailsHalfWayLeavesTheRest) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  ASSERT_TRUE(writer_->Sync().ok());
  for (const char* file : {"blk_1001", ".meta"}) {
    env_.SetHook([&](FaultOp op, const std::string& path) {
      const bool full = op == FaultOp::kWrite && path.ends_with(file);
      return full ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
    });
    EXPECT_EQ(KindOf(Append(8'192, bytes_.substr(8'192, 20'000))), ErrorKind::kNoSpace);
    env_.SetHook({});
    EXPECT_EQ(KindOf(Append(8'192, bytes_.substr(8'192, 20'000))), ErrorKind::kNoSpace);
    EXPECT_EQ(KindOf(writer_->Sync()), ErrorKind::kNoSpace);
    writer_.reset();
    EXPECT_EQ(*(*env_.Open(kRbw, OpenMode::kRead))->Size(), 10'000u);
    EXPECT_TRUE(
        Same(GetAs(*store_, {1001, 5, 10'000}, ReadAs::kVisible), bytes_.substr(0, 10'000)));
    const GenerationStamp next = store_->Replicas(0)[0].block.generation + 1;
    writer_ = *store_->Reopen({1001, next, 1 << 20}, 5, 10'000);
  }
  EXPECT_TRUE(GrowTo(*writer_, bytes_, 60'000).ok());
  EXPECT_TRUE(writer_->Finalize().ok());
  EXPECT_TRUE(Same(Get(*store_, {1001, 5, 0}), bytes_.substr(0, 60'000)));
}

TEST_F(OpenReplicaTest, ASyncThatFailsLeavesNothingThatIsInDoubt) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  const auto fail = [](FaultOp op, const std::string& path) {
    return op == FaultOp::kSync ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  };
  env_.SetHook(fail);
  EXPECT_EQ(KindOf(writer_->Sync()), ErrorKind::kNoSpace);
  env_.SetHook({});
  EXPECT_EQ(KindOf(writer_->Sync()), ErrorKind::kNoSpace);
  writer_.reset();  // nothing of it was promised
  EXPECT_THAT(store_->Replicas(0), IsEmpty());
  EXPECT_THAT(*env_.List("/d0/current/rbw"), IsEmpty());
  EXPECT_FALSE(store_->Volumes()[0].failed);
  observer_.Take();

  writer_ = *store_->Create(kBlock);
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  ASSERT_TRUE(writer_->Sync().ok());
  ASSERT_TRUE(GrowTo(*writer_, bytes_, 20'000).ok());
  env_.SetHook(fail);
  EXPECT_EQ(KindOf(writer_->Sync()), ErrorKind::kNoSpace);
  env_.SetHook({});
  writer_.reset();  // what was durable is kept, but not gone on with
  EXPECT_EQ(store_->BadReplicas().size(), 1u);
  EXPECT_THAT(observer_.Take(), testing::Contains("bad 1001/5"));
  EXPECT_EQ(KindOf(store_->Reopen({1001, 6, 1 << 20}, 5, 0).status()), ErrorKind::kChecksum);
  store_.reset();
  store_ = Open();
  EXPECT_EQ(store_->BadReplicas().size(), 1u);
  EXPECT_TRUE(store_->Delete({1001, 5, 0}).ok());
  EXPECT_THAT(*env_.List("/d0/current/rbw"), IsEmpty());
}

TEST_F(OpenReplicaTest, DamageOfAnOpenReplica) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  writer_->SetVisible(10'000);
  EXPECT_TRUE(*store_->Verify({1001, 5, 0}));
  env_.Flip(kRbw, 5, 1);
  EXPECT_EQ(KindOf(Visible().status()), ErrorKind::kChecksum);
  EXPECT_FALSE(*store_->Verify({1001, 5, 0}));
  EXPECT_EQ(KindOf(store_->OpenReader({1001, 5, 0}).status()), ErrorKind::kChecksum);
  EXPECT_EQ(KindOf(GrowTo(*writer_, bytes_, 20'000)), ErrorKind::kChecksum);  // its writer learns
  EXPECT_EQ(KindOf(writer_->Finalize()), ErrorKind::kChecksum);
  writer_.reset();
  EXPECT_EQ(store_->BadReplicas().size(), 1u);
  EXPECT_EQ(store_->StartRecovery({1001, 5, 0}, 9)->state, RecoveryAnswer::kNone);
  EXPECT_THAT(observer_.Take(), ElementsAre("bad 1001/5"));
  // A new one in its place, which must not touch it before it is whole.
  EXPECT_TRUE(absl::IsAlreadyExists(store_->Create({1001, 6, 1 << 20}).status()));
  writer_ = *store_->CreateCopy({1001, 6, bytes_.size()});
  ASSERT_TRUE(GrowTo(*writer_, bytes_, 50'000).ok());
  EXPECT_TRUE(*env_.Exists(kRbw + "_5.bad"));
  ASSERT_TRUE(GrowTo(*writer_, bytes_, bytes_.size()).ok());
  ASSERT_TRUE(writer_->Finalize().ok());
  EXPECT_TRUE(Same(Get(*store_, {1001, 6, 0}), bytes_));
  EXPECT_THAT(*env_.List("/d0/current/rbw"), IsEmpty());
}

TEST_F(OpenReplicaTest, DamageOfOneThatWaits) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  writer_.reset();
  env_.Flip(kRbw, 9'999, 1);
  EXPECT_FALSE(*store_->Verify({1001, 5, 0}));
  EXPECT_THAT(observer_.Take(), ElementsAre("waiting 1001/5", "bad 1001/5"));
  EXPECT_TRUE(*env_.Exists(kRbw + "_5.bad"));
}

TEST_F(OpenReplicaTest, AFinalizedReplicaWhoseFilesAreGoneIsBad) {
  ASSERT_TRUE(Append(0, bytes_.substr(0, 10'000)).ok());
  ASSERT_TRUE(writer_->Finalize().ok());
  ASSERT_TRUE(env_.Remove("/d0/current/finalized/subdir0/subdir3/blk_1001").ok());
  EXPECT_EQ(KindOf(Visible().status()), ErrorKind::kChecksum);
  EXPECT_FALSE(*store_->Verify({1001, 5, 0}));
  EXPECT_FALSE(store_->Volumes()[0].failed);
}

}  // namespace
}  // namespace cairn::datanode
