// What a start makes of what it finds: restarts, garbage, foreign and damaged directories.
#include <gmock/gmock.h>

#include <cerrno>

#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kFolder = "/d0/current/finalized/subdir0/subdir0";

class StoreStartTest : public StoreTest {
 protected:
  void WriteFile(const std::string& path, std::string_view content) {
    ASSERT_TRUE(env_.WriteFileAtomically(path, content).ok());
  }
  absl::Status OpenFailure(std::vector<std::string> dirs) {
    return TryOpen(OptionsFor(std::move(dirs))).status();
  }
};

TEST_F(StoreStartTest, FindsItsReplicasAgain) {
  auto store = Open({"/d0", "/d1"});
  for (BlockId id = 1; id <= 20; ++id) {
    ASSERT_TRUE(Put(*store, {id << 12, id, 1 << 20}, BytesOf(id, id * 1000)).ok());
  }
  const std::string node_id = store->node_id();
  const uint64_t used = store->Volumes()[0].used_bytes;
  store.reset();
  store = Open({"/d0", "/d1"});
  EXPECT_EQ(store->node_id(), node_id);
  EXPECT_EQ(store->cluster_id(), kCluster);
  EXPECT_EQ(store->Volumes()[0].used_bytes, used);
  EXPECT_EQ(store->Volumes()[0].blocks + store->Volumes()[1].blocks, 20u);
  for (BlockId id = 1; id <= 20; ++id) {
    EXPECT_TRUE(Same(Get(*store, {id << 12, id, 0}), BytesOf(id, id * 1000)));
  }
  EXPECT_EQ(store->highest().block_id, 20u << 12);
  EXPECT_EQ(store->highest().generation, 20u);
}

TEST_F(StoreStartTest, CopiesThatWereComingInAreGone) {
  auto store = Open();
  auto writer = store->CreateCopy({1, 1, 1 << 20});
  ASSERT_TRUE(AppendAll(**writer, BytesOf(1, 8192), 4096).ok());
  EXPECT_EQ(env_.List("/d0/current/tmp")->size(), 2u);
  env_.SetHook([](FaultOp op, const std::string& path) {  // the process is killed
    return op == FaultOp::kRemove ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  writer->reset();
  store.reset();
  env_.SetHook({});
  store = Open();
  EXPECT_THAT(*env_.List("/d0/current/tmp"), IsEmpty());
  EXPECT_THAT(store->Replicas(0), IsEmpty());
  EXPECT_THAT(store->BadReplicas(), IsEmpty());
}

TEST_F(StoreStartTest, FilesThatDoNotAgreeAreBad) {
  auto store = Open();
  for (BlockId id = 1; id <= 6; ++id) {
    ASSERT_TRUE(Put(*store, {id, 1, 1 << 20}, BytesOf(id, 10'000)).ok());
  }
  store.reset();
  const auto file = [](BlockId id) { return kFolder + "/blk_" + std::to_string(id); };
  ASSERT_TRUE(env_.Remove(file(1) + "_1.meta").ok());                              // no checksums
  ASSERT_TRUE((*env_.Open(file(2), OpenMode::kReadWrite))->Truncate(9'999).ok());  // cut
  ASSERT_TRUE((*env_.Open(file(3), OpenMode::kReadWrite))->WriteAt(10'000, "x").ok());  // longer
  env_.Flip(file(4) + "_1.meta", 3, 0x10);  // damaged header
  ASSERT_TRUE((*env_.Open(file(5) + "_1.meta", OpenMode::kReadWrite))->Truncate(130).ok());
  store = Open();
  EXPECT_EQ(store->Volumes()[0].blocks, 1u);
  EXPECT_EQ(store->BadReplicas().size(), 5u);
  for (BlockId id = 1; id <= 5; ++id) EXPECT_FALSE(Get(*store, {id, 1, 0}).ok()) << id;
  EXPECT_TRUE(Same(Get(*store, {6, 1, 0}), BytesOf(6, 10'000)));
  for (BlockId id = 1; id <= 5; ++id) EXPECT_TRUE(*env_.Exists(file(id))) << id;
}

TEST_F(StoreStartTest, ChecksumsWithoutDataAreRemoved) {
  auto store = Open();
  ASSERT_TRUE(Put(*store, {1, 1, 1 << 20}, "x").ok());
  store.reset();
  ASSERT_TRUE(env_.Remove(kFolder + "/blk_1").ok());
  store = Open();
  EXPECT_THAT(*env_.List(kFolder), IsEmpty());
  EXPECT_THAT(store->BadReplicas(), IsEmpty());
}

TEST_F(StoreStartTest, FilesOfOthersAreLeftAlone) {
  auto store = Open();
  ASSERT_TRUE(Put(*store, {1, 1, 1 << 20}, "x").ok());
  store.reset();
  const std::vector<std::string> strangers = {"/d0/current/finalized/notes.txt",
                                              "/d0/current/finalized/subdir0/blk_5",
                                              kFolder + "/blk_",
                                              kFolder + "/blk_01",
                                              kFolder + "/blk_5_1.meta.tmp",
                                              kFolder + "/blk_5_.meta",
                                              kFolder + "/blk_-3",
                                              kFolder + "/blk_99999999999999999999999",
                                              kFolder + "/blk_70000",
                                              kFolder + "/core"};
  for (const std::string& path : strangers) WriteFile(path, "?");
  store = Open();
  EXPECT_EQ(store->Replicas(0).size(), 1u);
  EXPECT_THAT(store->BadReplicas(), IsEmpty());
  for (const std::string& path : strangers) EXPECT_TRUE(*env_.Exists(path)) << path;
}

TEST_F(StoreStartTest, ABlockOnTwoVolumesCountsOnce) {
  auto store = Open({"/d0", "/d1"});
  ASSERT_TRUE(Put(*store, {1, 2, 1 << 20}, "newer").ok());
  const size_t with = store->Volumes()[0].blocks == 1 ? 0 : 1;
  store.reset();
  const std::string from = (with == 0 ? "/d0" : "/d1") + kFolder.substr(3);
  const std::string to = (with == 0 ? "/d1" : "/d0") + kFolder.substr(3);
  ASSERT_TRUE(env_.CreateDirs(to).ok());
  WriteFile(to + "/blk_1", *env_.ReadFile(from + "/blk_1"));
  WriteFile(to + "/blk_1_1.meta", *env_.ReadFile(from + "/blk_1_2.meta"));
  store = Open({"/d0", "/d1"});
  EXPECT_EQ(store->Volumes()[0].blocks + store->Volumes()[1].blocks, 1u);
  EXPECT_TRUE(Get(*store, {1, 2, 0}).ok());
}

TEST_F(StoreStartTest, RefusesWhatIsNotItsOwn) {
  Open({"/d0"}).reset();
  Open({"/other"}).reset();
  EXPECT_THAT(MessageOf(OpenFailure({"/d0", "/other"})), HasSubstr("belongs to DataNode"));

  auto foreign = ReplicaStore::Open(&env_, OptionsFor({"/foreign"}));
  ASSERT_TRUE((*foreign)->AdoptCluster("another").ok());
  foreign->reset();
  EXPECT_THAT(MessageOf(OpenFailure({"/foreign"})), HasSubstr("belongs to cluster another"));

  const auto running = Open({"/d0"});
  EXPECT_THAT(MessageOf(OpenFailure({"/d0"})), HasSubstr("in use by a running daemon"));
}

TEST_F(StoreStartTest, RefusesWrongVersions) {
  Open({"/d0"}).reset();
  const std::string good = *env_.ReadFile("/d0/VERSION");
  WriteFile("/d0/VERSION", R"({"layout":99,"type":"datanode"})");
  EXPECT_THAT(MessageOf(OpenFailure({"/d0"})), HasSubstr("newer than this program"));
  WriteFile("/d0/VERSION", R"({"layout":1,"type":"namenode"})");
  EXPECT_THAT(MessageOf(OpenFailure({"/d0"})), HasSubstr("namenode"));
  WriteFile("/d0/VERSION", "garbage");
  EXPECT_TRUE(absl::IsDataLoss(OpenFailure({"/d0"})));
  ASSERT_TRUE(env_.Remove("/d0/VERSION").ok());
  EXPECT_TRUE(absl::IsDataLoss(OpenFailure({"/d0"})));
  WriteFile("/d0/VERSION", good);
  EXPECT_TRUE(OpenFailure({"/d0"}).ok());
}

TEST_F(StoreStartTest, ANewDirectoryJoinsItsNode) {
  auto store = Open({"/d0"});
  const std::string node_id = store->node_id();
  store.reset();
  store = Open({"/d0", "/added"});
  EXPECT_EQ(store->node_id(), node_id);
  EXPECT_NE(store->Volumes()[0].storage_id, store->Volumes()[1].storage_id);
}

TEST_F(StoreStartTest, ADeadDiskIsLeftOutAsFarAsTolerated) {
  auto store = Open({"/d0", "/d1"});
  ASSERT_TRUE(Put(*store, {1, 1, 1 << 20}, "x").ok());
  store.reset();
  env_.SetHook([](FaultOp, const std::string& path) {
    return path.starts_with("/d1") ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  ReplicaStore::Options options = OptionsFor({"/d0", "/d1"});
  options.failed_volumes_tolerated = 0;
  EXPECT_THAT(MessageOf(TryOpen(options).status()), HasSubstr("1 of 2 data directories failed"));
  store = Open({"/d0", "/d1"});
  EXPECT_EQ(store->Volumes().size(), 1u);
}

TEST_F(StoreStartTest, ADiskThatCannotBeFormattedIsLeftOutAsFarAsTolerated) {
  for (const int error : {EIO, ENOSPC}) {
    const std::string root = "/e" + std::to_string(error);
    const std::vector<std::string> dirs = {root + "/a", root + "/b", root + "/c"};
    ReplicaStore::Options options = OptionsFor(dirs);
    options.failed_volumes_tolerated = 0;
    auto store = *ReplicaStore::Open(&env_, options);
    env_.SetHook([&](FaultOp op, const std::string& path) {
      const bool broken = path.starts_with(dirs[1]) && op == FaultOp::kWrite;
      return broken ? ErrnoStatus(path, error) : absl::OkStatus();
    });
    EXPECT_THAT(MessageOf(store->AdoptCluster(kCluster)),
                HasSubstr("1 of 3 data directories failed, 0 are tolerated"));
    EXPECT_EQ(store->cluster_id(), "");
    store.reset();
    options.failed_volumes_tolerated = 1;
    store = *TryOpen(options);
    EXPECT_TRUE(store->Volumes()[1].failed);
    for (BlockId id = 1; id <= 6; ++id) EXPECT_TRUE(Put(*store, {id, 1, 4096}, "x").ok());
    env_.SetHook({});
    EXPECT_FALSE(*env_.Exists(dirs[1] + "/current"));
    store.reset();
    store = Open(dirs);  // the disk works again
    EXPECT_FALSE(store->Volumes()[1].failed);
    EXPECT_EQ(store->Volumes()[0].blocks + store->Volumes()[2].blocks, 6u);
  }
}

TEST_F(StoreStartTest, KeepsTheHighestNumbersSeen) {
  auto store = Open();
  EXPECT_TRUE(store->NoteEpoch(7).ok());
  EXPECT_TRUE(store->NoteEpoch(7).ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(store->NoteEpoch(6)));
  ASSERT_TRUE(Put(*store, {500, 40, 1 << 20}, "x").ok());
  ASSERT_TRUE(store->Delete({500, 40, 0}).ok());
  env_.Crash();
  store.reset();
  store = Open();
  EXPECT_EQ(store->highest().epoch, 7u);
  EXPECT_TRUE(absl::IsFailedPrecondition(store->NoteEpoch(6)));
  // A deletion is not synced, so the cut brought the replica back: it is deleted once more.
  ASSERT_TRUE(store->Delete({500, 40, 0}).ok());
  store.reset();  // a clean stop keeps these too
  store = Open();
  EXPECT_EQ(store->highest().block_id, 500u);
  EXPECT_EQ(store->highest().generation, 40u);
}

// --- direct writes -------------------------------------------------------------------------------

class DiskWritesTest : public StoreTest {
 protected:
  // How many direct writes a replica of 300,000 bytes took, in packets of `piece`; it is right.
  uint64_t DirectWritesOfPut(DiskWrites how, size_t piece) {
    auto store = TryOpen(OptionsFor({"/d0"}, how));
    EXPECT_TRUE(store.ok()) << store.status();
    const std::string bytes = BytesOf(1, 300'000);
    const uint64_t before = env_.direct_writes();
    {
      auto writer = (*store)->Create({9, 1, 1 << 20});
      EXPECT_TRUE(writer.ok()) << writer.status();
      EXPECT_TRUE(AppendAll(**writer, bytes, piece).ok());
      EXPECT_TRUE((*writer)->Finalize().ok());
    }
    EXPECT_TRUE(Same(Get(**store, {9, 1, 0}), bytes));
    EXPECT_TRUE((*env_.List("/d0/current/tmp")).empty());
    return env_.direct_writes() - before;
  }
};

TEST_F(DiskWritesTest, DirectTakesEveryPacket) {
  EXPECT_EQ(DirectWritesOfPut(DiskWrites::kDirect, 64 << 10), 5u);
}

TEST_F(DiskWritesTest, AutoLeavesSmallPacketsToThePageCache) {
  EXPECT_EQ(DirectWritesOfPut(DiskWrites::kAuto, 64 << 10), 0u);
}

TEST_F(DiskWritesTest, AutoTakesLargePackets) {
  EXPECT_EQ(DirectWritesOfPut(DiskWrites::kAuto, 256 << 10), 1u);
}

TEST_F(DiskWritesTest, BufferedDoesNotEvenTry) {
  EXPECT_EQ(DirectWritesOfPut(DiskWrites::kBuffered, 256 << 10), 0u);
  EXPECT_EQ(env_.direct_writes(), 0u);
}

TEST_F(DiskWritesTest, AFileSystemWithoutThemIsFine) {
  env_.SetDirect(false);
  EXPECT_EQ(DirectWritesOfPut(DiskWrites::kDirect, 256 << 10), 0u);
}

// What a full disk refuses says nothing about how it can be written.
TEST_F(DiskWritesTest, AFullDiskIsStillWrittenDirectly) {
  env_.SetHook([](FaultOp op, const std::string& path) {
    const bool probe = op == FaultOp::kWrite && path.ends_with("/direct");
    return probe ? ErrnoStatus(path, ENOSPC) : absl::OkStatus();
  });
  EXPECT_EQ(DirectWritesOfPut(DiskWrites::kDirect, 256 << 10), 2u);
}

}  // namespace
}  // namespace cairn::datanode
