// Room: promises to open writes, limits, the choice between volumes.
#include <gmock/gmock.h>

#include <set>

#include "datanode/store/checksum_file.h"
#include "datanode/store/volume.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

constexpr uint64_t kMiB = 1 << 20;

class VolumeSpaceTest : public StoreTest {
 protected:
  std::unique_ptr<ReplicaStore> OpenWith(uint64_t capacity, uint64_t reserved,
                                         std::vector<std::string> dirs = {"/d0"}) {
    ReplicaStore::Options options = OptionsFor(std::move(dirs));
    options.capacity_bytes = capacity;
    options.reserved_bytes = reserved;
    return *TryOpen(options);
  }
  uint64_t Remaining(ReplicaStore& store) { return store.Volumes()[0].remaining_bytes; }
};

TEST_F(VolumeSpaceTest, OpenWritesAreCountedUntilTheyClose) {
  const auto store = OpenWith(10 * kMiB, 0);
  EXPECT_EQ(Remaining(*store), 10 * kMiB);
  auto first = store->Create({1, 1, 6 * kMiB});
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Remaining(*store), 4 * kMiB);
  EXPECT_EQ(KindOf(store->Create({2, 1, 6 * kMiB}).status()), ErrorKind::kNoSpace);
  ASSERT_TRUE(AppendAll(**first, BytesOf(1, 4096), 4096).ok());
  EXPECT_EQ(Remaining(*store), 4 * kMiB);
  ASSERT_TRUE((*first)->Finalize().ok());
  EXPECT_EQ(Remaining(*store), 10 * kMiB - 4096 - ChecksumFileBytes(4096));
  {
    auto second = store->Create({2, 1, 6 * kMiB});
    ASSERT_TRUE(second.ok());
    ASSERT_TRUE(AppendAll(**second, BytesOf(2, 2 * kMiB), kMiB).ok());
  }
  // What was left open takes what it has, and once it goes on what it may get.
  const uint64_t free = 10 * kMiB - 4096 - ChecksumFileBytes(4096);
  EXPECT_EQ(Remaining(*store), free - 2 * kMiB - ChecksumFileBytes(2 * kMiB));
  {
    auto third = store->Reopen({2, 2, 6 * kMiB}, 1, 0);
    ASSERT_TRUE(third.ok()) << third.status();
    EXPECT_EQ(Remaining(*store), free - 6 * kMiB);
  }
  EXPECT_EQ(Remaining(*store), free - 2 * kMiB - ChecksumFileBytes(2 * kMiB));
  EXPECT_EQ(KindOf(store->Reopen({2, 3, 20 * kMiB}, 1, 0).status()), ErrorKind::kNoSpace);
  ASSERT_TRUE(store->Delete({2, 2, 0}).ok());
  EXPECT_EQ(Remaining(*store), free);
}

TEST_F(VolumeSpaceTest, WhatAnOpenWriteTookFromTheDiskIsNotCountedTwice) {
  env_.SetCapacity(100 * kMiB);
  const auto store = OpenWith(0, 0);
  auto writer = store->Create({1, 1, 60 * kMiB});
  const uint64_t after_promise = Remaining(*store);
  ASSERT_TRUE(AppendAll(**writer, BytesOf(1, 20 * kMiB), kMiB).ok());
  EXPECT_GE(Remaining(*store), after_promise - ChecksumFileBytes(20 * kMiB));
  ASSERT_TRUE((*writer)->Finalize().ok());
  EXPECT_GT(Remaining(*store), 79 * kMiB);  // what was preallocated beyond the end is free again
}

TEST_F(VolumeSpaceTest, ReservedSpaceStaysFree) {
  env_.SetCapacity(100 * kMiB);
  const auto store = OpenWith(0, 30 * kMiB);
  EXPECT_LE(Remaining(*store), 70 * kMiB);
  EXPECT_EQ(store->Volumes()[0].capacity_bytes, 70 * kMiB);
  EXPECT_EQ(KindOf(store->Create({1, 1, 71 * kMiB}).status()), ErrorKind::kNoSpace);
}

TEST_F(VolumeSpaceTest, EqualVolumesTakeTurns) {
  const auto store = OpenWith(100 * kMiB, 0, {"/d0", "/d1", "/d2"});
  for (BlockId id = 1; id <= 9; ++id) ASSERT_TRUE(Put(*store, {id, 1, kMiB}, "x").ok());
  for (const VolumeInfo& volume : store->Volumes()) EXPECT_EQ(volume.blocks, 3u) << volume.path;
}

TEST_F(VolumeSpaceTest, TheEmptierVolumeIsPreferred) {
  const auto store = OpenWith(100 * kMiB, 0, {"/d0", "/d1"});
  auto big = store->Create({1, 1, 50 * kMiB});
  const size_t other = 1 - (*big)->volume().index();
  for (BlockId id = 2; id <= 6; ++id) ASSERT_TRUE(Put(*store, {id, 1, kMiB}, "x").ok());
  EXPECT_EQ(store->Volumes()[other].blocks, 5u);
}

}  // namespace
}  // namespace cairn::datanode
