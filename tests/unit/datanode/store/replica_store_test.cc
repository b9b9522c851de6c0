// Replicas while the node runs: written, read, deleted, found bad.
#include "datanode/store/replica_store.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr Block kBlock{.id = 1001, .generation = 5, .length = 1 << 20};

TEST_F(StoreTest, WritesAndReads) {
  const auto store = Open();
  for (const size_t size : {0, 1, 4095, 4096, 4097, 300'000}) {
    const Block block{.id = 2000 + size, .generation = 1, .length = 1 << 20};
    ASSERT_TRUE(Put(*store, block, BytesOf(size, size)).ok());
    EXPECT_TRUE(Same(Get(*store, block), BytesOf(size, size)));
  }
}

TEST_F(StoreTest, ReadsNameGenerationAndLength) {
  const auto store = Open();
  ASSERT_TRUE(Put(*store, kBlock, BytesOf(1, 10'000)).ok());
  EXPECT_TRUE(store->OpenReader({1001, 5, 10'000}).ok());
  EXPECT_EQ((*store->OpenReader({1001, 4, 0}))->block(), (Block{1001, 5, 10'000}));
  EXPECT_EQ(KindOf(store->OpenReader({1001, 6, 0}).status()), ErrorKind::kStaleReplica);
  EXPECT_TRUE(absl::IsNotFound(store->OpenReader({1001, 5, 10'001}).status()));
  EXPECT_TRUE(absl::IsNotFound(store->OpenReader({1002, 5, 0}).status()));
}

TEST_F(StoreTest, AnOpenReplicaIsReportedAsOpen) {
  const auto store = Open();
  auto writer = store->Create(kBlock);
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(AppendAll(**writer, BytesOf(1, 8192), 4096).ok());
  ASSERT_EQ(store->Replicas(0).size(), 1u);
  EXPECT_EQ(store->Replicas(0)[0].state, ReplicaState::kOpen);
  EXPECT_EQ(store->Replicas(0)[0].block, (Block{1001, 5, 8192}));
  EXPECT_FALSE(store->Replicas(0)[0].waiting);
  EXPECT_TRUE(absl::IsAlreadyExists(store->Create(kBlock).status()));
  ASSERT_TRUE((*writer)->Finalize().ok());
  EXPECT_EQ(store->Replicas(0)[0].state, ReplicaState::kFinalized);
  EXPECT_EQ(store->Replicas(0)[0].block.length, 8192u);
  EXPECT_TRUE(absl::IsAlreadyExists(store->Create(kBlock).status()));
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/5"));
}

TEST_F(StoreTest, AWriteWithoutAByteLeavesNothing) {
  const auto store = Open();
  {
    auto writer = store->Create(kBlock);
    EXPECT_THAT(*env_.List("/d0/current/rbw"), ElementsAre("blk_1001", "blk_1001_5.meta"));
  }
  EXPECT_THAT(*env_.List("/d0/current/rbw"), IsEmpty());
  EXPECT_THAT(store->Replicas(0), IsEmpty());
  EXPECT_THAT(observer_.Take(), IsEmpty());
  EXPECT_TRUE(Put(*store, kBlock, "again").ok());
}

TEST_F(StoreTest, DeletesExactlyWhatIsNamed) {
  const auto store = Open();
  ASSERT_TRUE(Put(*store, kBlock, BytesOf(1, 5'000)).ok());
  EXPECT_TRUE(absl::IsNotFound(store->Delete({1001, 4, 0})));
  EXPECT_TRUE(absl::IsNotFound(store->Delete({1001, 6, 0})));
  EXPECT_TRUE(Get(*store, kBlock).ok());
  const auto reader = store->OpenReader({1001, 5, 0});
  ASSERT_TRUE(store->Delete({1001, 5, 0}).ok());
  EXPECT_TRUE(absl::IsNotFound(store->OpenReader({1001, 5, 0}).status()));
  EXPECT_THAT(*env_.List("/d0/current/finalized/subdir0/subdir3"), IsEmpty());
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/5", "deleted 1001/5"));
  EXPECT_EQ(store->Volumes()[0].used_bytes, 0u);
  EXPECT_EQ(store->Volumes()[0].blocks, 0u);
  // Who had it open reads to its end.
  std::vector<char> out(8192);
  std::vector<uint32_t> crcs;
  EXPECT_EQ(*(*reader)->Read(0, out, /*verify=*/true, &crcs), 5'000u);
}

TEST_F(StoreTest, WhatWaitsForItsDeletionIsNeitherServedNorReported) {
  const auto store = Open();
  constexpr Block kBad{.id = 1002, .generation = 5, .length = 1 << 20};
  ASSERT_TRUE(Put(*store, kBlock, BytesOf(1, 5'000)).ok());
  ASSERT_TRUE(Put(*store, kBad, BytesOf(2, 5'000)).ok());
  env_.Flip("/d0/current/finalized/subdir0/subdir3/blk_1002", 5, 0xFF);
  EXPECT_FALSE(*store->Verify({1002, 5, 0}));
  auto writer = store->Create({1003, 5, 4096});
  observer_.Take();

  const std::vector<Block> ordered = {{1001, 5, 0}, {1002, 5, 0}, {1003, 5, 0}, {1001, 4, 0}};
  EXPECT_EQ(store->MarkDeleting(ordered).size(), 3u);
  EXPECT_THAT(store->MarkDeleting({{1001, 5, 0}}), IsEmpty());  // it waits already
  EXPECT_TRUE(store->IsDeleting({1001, 5, 0}));
  EXPECT_THAT(store->Replicas(0), IsEmpty());
  EXPECT_THAT(store->BadReplicas(), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(store->OpenReader({1001, 5, 0}).status()));
  EXPECT_TRUE(absl::IsNotFound(store->Verify({1001, 5, 0}).status()));
  EXPECT_TRUE(absl::IsAlreadyExists(store->Create(kBlock).status()));
  EXPECT_EQ(store->Volumes()[0].blocks, 0u);
  EXPECT_THAT(observer_.Take(), IsEmpty());

  store->UnmarkDeleting({{1001, 5, 0}, {1002, 5, 0}});
  EXPECT_TRUE(Get(*store, kBlock).ok());
  EXPECT_EQ(store->BadReplicas().size(), 1u);
  EXPECT_EQ(store->Volumes()[0].blocks, 1u);
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/5"));
  EXPECT_TRUE(absl::IsNotFound(store->RemoveMarked({1001, 5, 0})));

  EXPECT_EQ(store->MarkDeleting({{1001, 5, 0}, {1002, 5, 0}}).size(), 2u);
  for (const BlockId id : {1001, 1002, 1003}) EXPECT_TRUE(store->RemoveMarked({id, 5, 0}).ok());
  EXPECT_TRUE(absl::IsAborted((*writer)->Finalize()));
  writer->reset();
  EXPECT_THAT(observer_.Take(), ElementsAre("deleted 1001/5", "deleted 1002/5", "deleted 1003/5"));
  EXPECT_THAT(*env_.List("/d0/current/finalized/subdir0/subdir3"), IsEmpty());
  EXPECT_EQ(store->Volumes()[0].used_bytes, 0u);
}

TEST_F(StoreTest, ADeletedOpenReplicaStopsItsWriter) {
  const auto store = Open();
  auto writer = store->Create(kBlock);
  ASSERT_TRUE(AppendAll(**writer, BytesOf(1, 4096), 4096).ok());
  ASSERT_TRUE(store->Delete({1001, 5, 0}).ok());
  EXPECT_TRUE(absl::IsAborted(AppendAll(**writer, BytesOf(1, 4096), 4096)));
  EXPECT_TRUE(absl::IsAborted((*writer)->Sync()));
  EXPECT_TRUE(absl::IsAborted((*writer)->Finalize()));
  writer->reset();
  EXPECT_THAT(observer_.Take(), ElementsAre("deleted 1001/5"));
  EXPECT_THAT(store->Replicas(0), IsEmpty());
  EXPECT_THAT(*env_.List("/d0/current/rbw"), IsEmpty());
  EXPECT_FALSE(store->Volumes()[0].failed);
  EXPECT_TRUE(Put(*store, kBlock, "again").ok());
}

TEST_F(StoreTest, ADeletionThatFailsIsNotDone) {
  const auto store = Open();
  ASSERT_TRUE(Put(*store, kBlock, BytesOf(1, 5'000)).ok());
  observer_.Take();
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kRemove ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  EXPECT_EQ(KindOf(store->Delete({1001, 5, 0})), ErrorKind::kNoSpace);
  env_.SetHook({});
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/5"));
  EXPECT_TRUE(Same(Get(*store, kBlock), BytesOf(1, 5'000)));
  EXPECT_EQ(store->Volumes()[0].blocks, 1u);
  EXPECT_TRUE(store->Delete({1001, 5, 0}).ok());
}

TEST_F(StoreTest, ReadsArePiecesOfWholeChunks) {
  const auto store = Open();
  const std::string bytes = BytesOf(1, 10'000);
  ASSERT_TRUE(Put(*store, kBlock, bytes).ok());
  const auto reader = store->OpenReader({1001, 5, 0});
  std::vector<char> out(4096);
  std::vector<uint32_t> crcs;
  EXPECT_EQ(*(*reader)->Read(8192, out, true, &crcs), 10'000u - 8192u);
  EXPECT_THAT(crcs, ElementsAre(Crc32c(std::string_view(bytes).substr(8192))));
  EXPECT_EQ(*(*reader)->Read(12'288, out, true, &crcs), 0u);
  EXPECT_TRUE(absl::IsInvalidArgument((*reader)->Read(100, out, true, &crcs).status()));
}

TEST_F(StoreTest, ABadReplicaIsMarkedKeptAndNeverServed) {
  auto store = Open();
  ASSERT_TRUE(Put(*store, kBlock, BytesOf(1, 10'000)).ok());
  EXPECT_TRUE(*store->Verify({1001, 5, 0}));
  const std::string data = "/d0/current/finalized/subdir0/subdir3/blk_1001";
  env_.Flip(data, 9'999, 0x01);
  EXPECT_EQ(KindOf(Get(*store, kBlock).status()), ErrorKind::kChecksum);
  EXPECT_FALSE(*store->Verify({1001, 5, 0}));
  EXPECT_FALSE(*store->Verify({1001, 5, 0}));
  EXPECT_EQ(KindOf(store->Verify({1001, 6, 0}).status()), ErrorKind::kStaleReplica);
  EXPECT_THAT(observer_.Take(), ElementsAre("received 1001/5", "bad 1001/5"));
  EXPECT_EQ(KindOf(store->OpenReader({1001, 5, 0}).status()), ErrorKind::kChecksum);
  EXPECT_THAT(store->Replicas(0), IsEmpty());
  ASSERT_EQ(store->BadReplicas().size(), 1u);

  // The mark outlives a power cut, and the bytes are still there.
  store.reset();
  env_.Crash();
  store = Open();
  EXPECT_EQ(KindOf(store->OpenReader({1001, 5, 0}).status()), ErrorKind::kChecksum);
  ASSERT_EQ(store->BadReplicas().size(), 1u);
  EXPECT_EQ(store->BadReplicas()[0].block, (Block{1001, 5, 10'000}));
  EXPECT_TRUE(*env_.Exists(data));
  EXPECT_TRUE(store->Delete({1001, 5, 0}).ok());
  EXPECT_FALSE(*env_.Exists(data));
}

TEST_F(StoreTest, AGoodCopyTakesThePlaceOfABadOne) {
  const auto store = Open();
  const std::string bytes = BytesOf(1, 10'000);
  ASSERT_TRUE(Put(*store, kBlock, bytes).ok());
  env_.Flip("/d0/current/finalized/subdir0/subdir3/blk_1001", 5, 0xFF);
  EXPECT_FALSE(*store->Verify({1001, 5, 0}));
  { auto abandoned = store->Create(kBlock); }
  EXPECT_EQ(store->BadReplicas().size(), 1u);  // not given up for a copy that did not come
  ASSERT_TRUE(Put(*store, kBlock, bytes).ok());
  EXPECT_TRUE(Same(Get(*store, kBlock), bytes));
  EXPECT_THAT(store->BadReplicas(), IsEmpty());
  EXPECT_THAT(observer_.Take(),
              ElementsAre("received 1001/5", "bad 1001/5", "deleted 1001/5", "received 1001/5"));
  EXPECT_EQ(store->Volumes()[0].blocks, 1u);
}

TEST_F(StoreTest, AFullDiskIsAnErrorOfTheWriteAlone) {
  const auto store = Open();
  ASSERT_TRUE(Put(*store, kBlock, BytesOf(1, 10'000)).ok());
  auto writer = store->Create({.id = 1002, .generation = 5, .length = 1 << 20});
  ASSERT_TRUE(writer.ok());
  env_.SetCapacity(200'000);
  const absl::Status full = AppendAll(**writer, BytesOf(2, 1 << 20), 64 << 10);
  EXPECT_EQ(KindOf(full), ErrorKind::kNoSpace) << full;
  writer->reset();
  EXPECT_FALSE(store->Volumes()[0].failed);
  EXPECT_TRUE(Get(*store, kBlock).ok());
  // What the next write may need is not there: it does not even begin.
  const absl::Status refused = store->Create({1003, 5, 1 << 20}).status();
  EXPECT_EQ(KindOf(refused), ErrorKind::kNoSpace);
  EXPECT_THAT(MessageOf(refused), HasSubstr("1M needed"));
  EXPECT_TRUE(Put(*store, {1004, 5, 100'000}, BytesOf(4, 100'000)).ok());
}

TEST_F(StoreTest, AFullDiskAtTheEndOfAWriteLeavesItOpen) {
  const auto store = Open();
  auto writer = store->Create(kBlock);
  ASSERT_TRUE(AppendAll(**writer, BytesOf(1, 10'000), 64 << 10).ok());
  env_.SetHook([](FaultOp op, const std::string& path) {
    const bool checksums = path.ends_with(".meta") && op == FaultOp::kWrite;
    return checksums ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  EXPECT_EQ(KindOf((*writer)->Finalize()), ErrorKind::kNoSpace);
  env_.SetHook({});
  EXPECT_EQ(KindOf((*writer)->Finalize()), ErrorKind::kNoSpace);  // it stays at its first failure
  writer->reset();
  EXPECT_FALSE(store->Volumes()[0].failed);
  EXPECT_THAT(observer_.Take(), ElementsAre("waiting 1001/5"));
  EXPECT_EQ(store->Replicas(0)[0].block.length, 10'000u);
}

TEST_F(StoreTest, ADiskThatFailsIsNotUsedAnyMore) {
  const auto store = Open({"/d0", "/d1"});
  ASSERT_TRUE(Put(*store, kBlock, BytesOf(1, 10'000)).ok());
  env_.SetHook([](FaultOp op, const std::string& path) {
    const bool broken = path.starts_with("/d1") && op == FaultOp::kSync;
    return broken ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  int failures = 0;
  for (BlockId id = 2000; id < 2010; ++id) {
    if (!Put(*store, {id, 1, 1 << 20}, BytesOf(id, 5'000)).ok()) ++failures;
  }
  EXPECT_EQ(failures, 1);
  EXPECT_FALSE(store->Volumes()[0].failed);
  EXPECT_TRUE(store->Volumes()[1].failed);
  EXPECT_EQ(store->Volumes()[1].remaining_bytes, 0u);
  EXPECT_THAT(store->Replicas(1), IsEmpty());
  EXPECT_TRUE(store->CheckVolumes().ok());

  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kSync ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  EXPECT_FALSE(Put(*store, {3000, 1, 1 << 20}, "x").ok());
  EXPECT_THAT(MessageOf(store->CheckVolumes()), HasSubstr("2 of 2 data directories failed"));
}

TEST_F(StoreTest, AReplicaOnAFailedDiskDoesNotKeepANewOneAway) {
  const auto store = Open({"/d0", "/d1"});
  // Two on each disk, one of them bad.
  for (BlockId id = 1; id <= 4; ++id) {
    ASSERT_TRUE(Put(*store, {id, 1, 1 << 20}, BytesOf(id, 5'000)).ok());
  }
  const std::vector<ReplicaInfo> lost = store->Replicas(1);
  ASSERT_EQ(lost.size(), 2u);
  const std::string folder = "/d1/current/finalized/subdir0/subdir0/blk_";
  env_.Flip(folder + std::to_string(lost[1].block.id), 5, 0xFF);
  EXPECT_FALSE(*store->Verify(lost[1].block));
  env_.SetHook([](FaultOp op, const std::string& path) {
    const bool broken = op == FaultOp::kSync || op == FaultOp::kRemove;
    return broken && path.starts_with("/d1") ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  for (BlockId id = 10; !store->Volumes()[1].failed; ++id) {
    ASSERT_LT(id, 20u);
    Put(*store, {id, 1, 1 << 20}, "x").IgnoreError();
  }
  observer_.Take();
  for (const ReplicaInfo& replica : lost) {
    const Block block{replica.block.id, 1, 1 << 20};
    EXPECT_TRUE(Put(*store, block, "new").ok());
    EXPECT_TRUE(Same(Get(*store, block), "new"));
    EXPECT_THAT(observer_.Take(), ElementsAre("received " + std::to_string(block.id) + "/1"));
    EXPECT_TRUE(absl::IsAlreadyExists(store->Create(block).status()));
  }
}

TEST_F(StoreTest, TheFolderOfAReplicaIsDurableWhoeverMadeIt) {
  const auto store = Open();
  const std::string root = "/d0/current/finalized";
  ASSERT_TRUE(env_.CreateDirs(root + "/subdir0/subdir3").ok());  // and did not sync it
  std::vector<std::string> synced;
  env_.SetHook([&](FaultOp op, const std::string& path) {
    if (op == FaultOp::kSyncDir) synced.push_back(path);
    return absl::OkStatus();
  });
  const std::string folder = root + "/subdir0/subdir3";
  const std::string rbw = "/d0/current/rbw";
  ASSERT_TRUE(Put(*store, kBlock, "x").ok());
  EXPECT_THAT(std::exchange(synced, {}), ElementsAre(root + "/subdir0", root, folder, rbw));
  ASSERT_TRUE(Put(*store, {1002, 5, 4096}, "x").ok());
  EXPECT_THAT(std::exchange(synced, {}), ElementsAre(folder, rbw));  // once is enough
  // Another folder of the same number within another one.
  ASSERT_TRUE(Put(*store, {(1 << 16) + 1001, 5, 4096}, "x").ok());
  EXPECT_THAT(synced, testing::IsSupersetOf({root + "/subdir1", root}));
  env_.SetHook({});
}

TEST_F(StoreTest, OnlyWholeReplicasRaiseTheHighestNumbers) {
  const auto store = Open();
  ASSERT_TRUE(Put(*store, kBlock, "x").ok());
  { auto abandoned = store->Create({uint64_t{1} << 62, 1 << 30, 4096}); }
  EXPECT_EQ(store->highest().block_id, 1001u);
  EXPECT_EQ(store->highest().generation, 5u);
}

TEST_F(StoreTest, TooManyOpenFilesDoNotFailADisk) {
  const auto store = Open();
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kOpen ? ErrnoStatus(path, EMFILE) : absl::OkStatus();
  });
  EXPECT_FALSE(Put(*store, kBlock, "x").ok());
  env_.SetHook({});
  EXPECT_FALSE(store->Volumes()[0].failed);
  EXPECT_TRUE(Put(*store, kBlock, "x").ok());
}

TEST_F(StoreTest, NothingIsServedBeforeTheClusterIsKnown) {
  auto store = ReplicaStore::Open(&env_, OptionsFor({"/new"}));
  ASSERT_TRUE(store.ok());
  EXPECT_EQ((*store)->cluster_id(), "");
  EXPECT_EQ((*store)->Volumes().size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable((*store)->Create(kBlock).status()));
  EXPECT_TRUE(absl::IsUnavailable((*store)->OpenReader(kBlock).status()));
  ASSERT_TRUE((*store)->AdoptCluster("c1").ok());
  EXPECT_TRUE((*store)->Create(kBlock).ok());
  EXPECT_TRUE((*store)->AdoptCluster("c1").ok());
  EXPECT_TRUE(absl::IsFailedPrecondition((*store)->AdoptCluster("c2")));
}

}  // namespace
}  // namespace cairn::datanode
