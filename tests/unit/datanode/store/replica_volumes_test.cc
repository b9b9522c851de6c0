// Volumes that come and go while the store is used: what becomes of their replicas, what is
// refused, and what a power cut leaves of it.
#include <gmock/gmock.h>

#include <cerrno>
#include <optional>

#include "common/data_dir.h"
#include "datanode/store/volume.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

void CancelNothing(const Block&) { ADD_FAILURE() << "nothing is being written"; }

std::string MessageOfFailure(const absl::Status& status) {
  EXPECT_FALSE(status.ok());
  return std::string(MessageOf(status));
}

class ReplicaVolumesTest : public StoreTest {
 protected:
  void Start(std::vector<std::string> dirs) { store_ = Open(std::move(dirs)); }
  void StartWithLog(std::vector<std::string> dirs) {
    ReplicaStore::Options options = OptionsFor(std::move(dirs));
    options.small_replica_max_bytes = 64 << 10;
    options.small_log_segment_bytes = 256 << 10;
    auto store = TryOpen(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  // Adds it and lets replicas come to it.
  void Add(const std::string& path) {
    const auto added = store_->AddVolume(path);
    ASSERT_TRUE(added.ok()) << added.status();
    store_->StartUsing(store_->Volumes());
  }
  void Remove(const std::string& name) {
    const auto removed = store_->RemoveVolume(name, /*force=*/false, CancelNothing);
    ASSERT_TRUE(removed.ok()) << removed.status();
  }
  absl::Status AddFailure(const std::string& path) { return store_->AddVolume(path).status(); }
  absl::Status RemoveFailure(const std::string& name) {
    return store_->RemoveVolume(name, /*force=*/false, CancelNothing).status();
  }
  static std::string Bytes(BlockId id) { return BytesOf(id, 3'000 + id * 1'000); }
  void PutOne(BlockId id, GenerationStamp generation = 1) {
    ASSERT_TRUE(Put(*store_, {id, generation, 1 << 20}, Bytes(id + generation - 1)).ok());
  }
  void ExpectWhole(BlockId id, GenerationStamp generation = 1) {
    EXPECT_TRUE(Same(Get(*store_, {id, generation, 0}), Bytes(id + generation - 1))) << id;
  }
  void ExpectNotHere(BlockId id) {
    EXPECT_TRUE(absl::IsNotFound(store_->GetReplica({id, 0, 0}).status())) << id;
  }
  std::vector<BlockId> On(size_t volume) {
    std::vector<BlockId> ids;
    for (const ReplicaInfo& replica : store_->Replicas(volume)) ids.push_back(replica.block.id);
    std::sort(ids.begin(), ids.end());
    return ids;
  }
  std::string PathOf(size_t volume) {
    for (const VolumeInfo& info : store_->Volumes()) {
      if (info.index == volume) return info.path;
    }
    return "";
  }
  // The volume that holds the block.
  size_t VolumeOf(BlockId id) {
    for (const VolumeInfo& info : store_->Volumes()) {
      for (const ReplicaInfo& replica : store_->Replicas(info.index)) {
        if (replica.block.id == id) return info.index;
      }
    }
    ADD_FAILURE() << "block " << id << " is nowhere";
    return 0;
  }

  static size_t VolumeOfWriter(const ReplicaWriter& writer) { return writer.volume().index(); }

  std::unique_ptr<ReplicaStore> store_;
};

TEST_F(ReplicaVolumesTest, AFreshDirectoryIsFormattedAndUsedOnceItHasANumber) {
  Start({"/d0"});
  const auto added = store_->AddVolume("/new/d1/");
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->path, "/new/d1");
  EXPECT_EQ(added->index, 1u);
  EXPECT_EQ(added->blocks, 0u);
  EXPECT_EQ(added->remaining_bytes, 0u);  // nobody knows of it yet
  const auto version = ReadDataDirVersion(env_, "/new/d1", DataDirType::kDataNode);
  ASSERT_TRUE(version.ok() && version->has_value()) << version.status();
  EXPECT_EQ((*version)->node_id, store_->node_id());
  EXPECT_EQ((*version)->cluster_id, kCluster);
  EXPECT_EQ((*version)->storage_id, added->storage_id);

  for (BlockId id = 1; id <= 4; ++id) PutOne(id);
  EXPECT_THAT(On(1), IsEmpty());
  store_->StartUsing(store_->Volumes());
  EXPECT_GT(store_->Volumes()[1].remaining_bytes, 0u);
  for (BlockId id = 5; id <= 10; ++id) PutOne(id);
  EXPECT_THAT(On(1), testing::Not(IsEmpty()));

  const HighestSeen highest = store_->highest();
  store_.reset();
  Start({"/d0", "/new/d1"});
  for (BlockId id = 1; id <= 10; ++id) ExpectWhole(id);
  EXPECT_EQ(store_->highest().block_id, highest.block_id);
}

TEST_F(ReplicaVolumesTest, WhatAVolumeHeldGoesAndComesBackWithIt) {
  Start({"/d0", "/d1"});
  for (BlockId id = 1; id <= 8; ++id) PutOne(id);
  const std::vector<BlockId> stay = On(0);
  const std::vector<BlockId> go = On(1);
  ASSERT_THAT(go, testing::Not(IsEmpty()));
  const uint64_t used = store_->Volumes()[1].used_bytes;
  const std::string data = "/d1/current/finalized/subdir0/subdir0/blk_" + std::to_string(go[0]);
  auto reader = store_->OpenReader({go[0], 1, 0});
  ASSERT_TRUE(reader.ok());
  observer_.Take();

  const auto removed = store_->RemoveVolume("/d1", /*force=*/false, CancelNothing);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(removed->replicas, go.size());
  EXPECT_EQ(removed->info.path, "/d1");
  EXPECT_EQ(removed->info.blocks, go.size());
  EXPECT_THAT(observer_.Take(), IsEmpty());  // the registration that follows tells it
  EXPECT_EQ(store_->Volumes().size(), 1u);
  EXPECT_FALSE(store_->InUse(1));
  EXPECT_TRUE(store_->CheckVolumes().ok());
  EXPECT_TRUE(*env_.Exists(data));
  EXPECT_TRUE(env_.Lock("/d1/in_use.lock").ok());
  for (const BlockId id : stay) ExpectWhole(id);
  for (const BlockId id : go) ExpectNotHere(id);
  EXPECT_TRUE(Same(ReadAll(**reader), Bytes(go[0])));  // it was open: read to its end
  for (BlockId id = 20; id <= 24; ++id) PutOne(id);
  EXPECT_EQ(On(0).size(), stay.size() + 5);

  Add("/d1");
  EXPECT_EQ(store_->Volumes()[1].index, 2u);  // never one that was used before
  EXPECT_EQ(On(2), go);
  EXPECT_EQ(store_->Volumes()[1].used_bytes, used);
  for (BlockId id = 1; id <= 8; ++id) ExpectWhole(id);
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
}

TEST_F(ReplicaVolumesTest, OfTwoReplicasTheNewerOneCounts) {
  Start({"/d0", "/d1"});
  PutOne(1, /*generation=*/1);
  const std::string old = PathOf(VolumeOf(1));
  Remove(old);
  PutOne(1, /*generation=*/2);
  Add(old);
  ExpectWhole(1, 2);  // as it was when the older one came

  const std::string newer = PathOf(VolumeOf(1));
  Remove(newer);
  ASSERT_TRUE(Put(*store_, {1, 1, 1 << 20}, Bytes(1)).ok());
  Add(newer);
  ExpectWhole(1, 2);
  EXPECT_EQ(PathOf(VolumeOf(1)), newer);
}

TEST_F(ReplicaVolumesTest, AGoodReplicaThatComesBackReplacesABadOne) {
  Start({"/d0", "/d1"});
  PutOne(1);
  const std::string first = PathOf(VolumeOf(1));
  Remove(first);
  PutOne(1);
  const std::string second = PathOf(VolumeOf(1));
  env_.Flip(second + "/current/finalized/subdir0/subdir0/blk_1", 5, 1);
  EXPECT_FALSE(*store_->Verify({1, 1, 0}));
  Add(first);
  ExpectWhole(1);
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
}

TEST_F(ReplicaVolumesTest, AWriterKeepsItsVolumeUnlessForced) {
  Start({"/d0", "/d1"});
  auto writer = store_->Create({1, 1, 1 << 20});
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(AppendAll(**writer, Bytes(1), 4096).ok());
  const std::string path = PathOf(VolumeOf(1));
  EXPECT_THAT(MessageOfFailure(RemoveFailure(path)),
              AllOf(HasSubstr("1 replica is being written there"), HasSubstr("--force")));
  EXPECT_EQ(store_->Volumes().size(), 2u);
  const size_t before = On(0).size() + On(1).size();
  for (BlockId id = 2; id <= 9; ++id) PutOne(id);  // it is used as before
  EXPECT_EQ(On(0).size() + On(1).size(), before + 8);
  EXPECT_THAT(On(VolumeOf(1)).size(), testing::Gt(1u));

  std::vector<Block> cancelled;
  const auto removed = store_->RemoveVolume(path, /*force=*/true, [&](const Block& block) {
    cancelled.push_back(block);
    EXPECT_TRUE(absl::IsUnavailable((*writer)->Append(8192, absl::Cord("x"), CrcsOf("x"))));
    writer->reset();
  });
  ASSERT_TRUE(removed.ok()) << removed.status();
  ASSERT_EQ(cancelled.size(), 1u);
  EXPECT_EQ(cancelled[0].id, 1u);
  ExpectNotHere(1);
  EXPECT_TRUE(store_->CheckVolumes().ok());

  // It was left behind, as by a writer that died.
  Add(path);
  const auto found = store_->StartRecovery({1, 1, 0}, 5);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->state, RecoveryAnswer::kRestarted);
}

TEST_F(ReplicaVolumesTest, AWriterThatDoesNotEndMakesItAFailedVolume) {
  Start({"/d0", "/d1"});
  auto writer = store_->Create({1, 1, 1 << 20});
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(AppendAll(**writer, Bytes(1), 4096).ok());
  const std::string path = PathOf(VolumeOf(1));
  int asked = 0;
  const auto refused = store_->RemoveVolume(path, /*force=*/true, [&](const Block&) { ++asked; });
  EXPECT_TRUE(absl::IsUnavailable(refused.status())) << refused.status();
  EXPECT_THAT(MessageOfFailure(refused.status()), HasSubstr("remove it again"));
  EXPECT_GT(asked, 1);
  ASSERT_EQ(store_->Volumes().size(), 2u);
  for (const VolumeInfo& info : store_->Volumes()) EXPECT_EQ(info.failed, info.path == path);
  EXPECT_FALSE(env_.Lock(path + "/in_use.lock").ok());

  writer->reset();
  Remove(path);
  EXPECT_TRUE(env_.Lock(path + "/in_use.lock").ok());
  EXPECT_EQ(store_->Volumes().size(), 1u);
}

TEST_F(ReplicaVolumesTest, DirectoriesThatCannotBeAddedAreRefused) {
  Start({"/d0", "/a/d1"});
  // Of another cluster; of another node; a copy of one of this node's; newer; one that lost its
  // VERSION; in use.
  {
    auto other = ReplicaStore::Open(&env_, OptionsFor({"/other"}));
    ASSERT_TRUE((*other)->AdoptCluster("other-cluster").ok());
    auto node = ReplicaStore::Open(&env_, OptionsFor({"/node"}));
    ASSERT_TRUE((*node)->AdoptCluster(kCluster).ok());
    EXPECT_THAT(MessageOfFailure(AddFailure("/node")), HasSubstr("in use by a running daemon"));
  }
  const std::string version = *env_.ReadFile("/d0/VERSION");
  ASSERT_TRUE(env_.CreateDirs("/copy").ok());
  ASSERT_TRUE(env_.WriteFileAtomically("/copy/VERSION", version).ok());
  ASSERT_TRUE(env_.CreateDirs("/newer").ok());
  ASSERT_TRUE(env_.WriteFileAtomically("/newer/VERSION", "{\"layout\":99}").ok());
  ASSERT_TRUE(env_.CreateDirs("/lost/current").ok());

  const std::pair<const char*, const char*> refusals[] = {
      {"d2", "absolute path"},
      {"/d0", "a data directory of this node already"},
      {"/x/../d0/", "a data directory of this node already"},
      {"/d0/current", "lies within the data directory /d0"},
      {"/a", "lies around the data directory /a/d1"},
      {"/", "lies around the data directory"},
      {"/other", "belongs to cluster other-cluster"},
      {"/node", "belongs to DataNode"},
      {"/copy", "has the same storage id as /d0"},
      {"/newer", "layout 99 is newer"},
      {"/lost", "VERSION: missing"},
  };
  for (const auto& [path, message] : refusals) {
    const absl::Status refused = AddFailure(path);
    EXPECT_THAT(MessageOfFailure(refused), HasSubstr(message)) << path;
    EXPECT_THAT(MessageOfFailure(refused), testing::Not(HasSubstr("\n"))) << path;
    EXPECT_EQ(store_->Volumes().size(), 2u) << path;
    // What was refused is not held either.
    if (*env_.Exists(std::string(path) + "/in_use.lock") && path[1] != 'd') {
      EXPECT_TRUE(env_.Lock(std::string(path) + "/in_use.lock").ok()) << path;
    }
  }
  EXPECT_EQ(*env_.ReadFile("/copy/VERSION"), version);
  EXPECT_FALSE(*env_.Exists("/copy/current"));
  EXPECT_FALSE(*env_.Exists("/lost/VERSION"));
  Add("/good");
  EXPECT_EQ(store_->Volumes().size(), 3u);
}

TEST_F(ReplicaVolumesTest, ADiskThatFailsWhileItIsAddedChangesNothing) {
  Start({"/d0"});
  PutOne(1);
  env_.SetHook([](FaultOp op, const std::string& path) {
    return path.starts_with("/d1/current/rbw") ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  EXPECT_THAT(AddFailure("/d1"), testing::Not(testing::Eq(absl::OkStatus())));
  env_.SetHook({});
  EXPECT_EQ(store_->Volumes().size(), 1u);
  EXPECT_TRUE(store_->CheckVolumes().ok());
  ExpectWhole(1);
  Add("/d1");  // and it can be tried again
  EXPECT_EQ(store_->Volumes().size(), 2u);
}

TEST_F(ReplicaVolumesTest, TheLastVolumeThatWorksStays) {
  Start({"/d0", "/d1"});
  EXPECT_THAT(MessageOfFailure(RemoveFailure("/d2")),
              AllOf(HasSubstr("/d2: not a data directory of this node"), HasSubstr("/d0, /d1")));
  Remove(store_->Volumes()[1].storage_id);
  const absl::Status last = RemoveFailure("/d0");
  EXPECT_TRUE(absl::IsFailedPrecondition(last)) << last;
  EXPECT_THAT(MessageOfFailure(last), HasSubstr("no other data directory of this node works"));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      store_->RemoveVolume("/d0", /*force=*/true, CancelNothing).status()));
  PutOne(1);
  ExpectWhole(1);
}

TEST_F(ReplicaVolumesTest, AFailedVolumeIsRemovedAndNoFailureAnyMore) {
  ReplicaStore::Options options = OptionsFor({"/d0", "/d1"});
  options.failed_volumes_tolerated = 0;
  store_ = *TryOpen(options);
  PutOne(1);
  PutOne(2);
  env_.SetHook([](FaultOp op, const std::string& path) {
    return path.starts_with("/d1/") && op == FaultOp::kSync ? ErrnoStatus(path, EIO)
                                                            : absl::OkStatus();
  });
  for (BlockId id = 3; id <= 6; ++id) Put(*store_, {id, 1, 1 << 20}, "x").IgnoreError();
  ASSERT_TRUE(store_->Volumes()[1].failed);
  EXPECT_FALSE(store_->CheckVolumes().ok());
  EXPECT_THAT(MessageOfFailure(RemoveFailure("/d0")), HasSubstr("no other data directory"));
  EXPECT_THAT(MessageOfFailure(AddFailure("/d1")), HasSubstr("remove it first"));
  Remove("/d1");
  EXPECT_TRUE(store_->CheckVolumes().ok());
  env_.SetHook({});  // the disk was replaced
  Add("/d1");
  EXPECT_TRUE(store_->CheckVolumes().ok());
  ExpectWhole(1);
  ExpectWhole(2);
}

TEST_F(ReplicaVolumesTest, WhatCouldNotBeOpenedAtTheStartIsAddedOrGivenUpLater) {
  Start({"/d0", "/d1", "/d2"});
  store_.reset();
  env_.SetHook([](FaultOp, const std::string& path) {
    return path.starts_with("/d1/") || path.starts_with("/d2/") ? ErrnoStatus(path, EIO)
                                                                : absl::OkStatus();
  });
  ReplicaStore::Options options = OptionsFor({"/d0", "/d1", "/d2"});
  options.failed_volumes_tolerated = 2;
  store_ = *TryOpen(options);
  env_.SetHook({});
  ASSERT_EQ(store_->Volumes().size(), 1u);
  Add("/d1");
  const auto removed = store_->RemoveVolume("/d2", /*force=*/false, CancelNothing);
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_TRUE(removed->info.failed);
  EXPECT_TRUE(absl::IsNotFound(RemoveFailure("/d2")));
  EXPECT_EQ(store_->Volumes().size(), 2u);
}

TEST_F(ReplicaVolumesTest, ALogIsEmptiedBeforeItsVolumeGoes) {
  StartWithLog({"/d0", "/d1"});
  for (BlockId id = 1; id <= 8; ++id) PutOne(id);
  const std::vector<BlockId> go = On(1);
  ASSERT_THAT(go, testing::Not(IsEmpty()));
  ASSERT_GT(store_->SmallLogs().at(1).stats.pending, 0u);
  const auto layout = [&](const std::string& path) {
    return (*ReadDataDirVersion(env_, path, DataDirType::kDataNode))->layout;
  };
  ASSERT_EQ(layout("/d1"), kDataDirLayoutWithLog);
  Remove("/d1");
  EXPECT_EQ(layout("/d1"), kDataDirLayout);
  EXPECT_THAT(*env_.List("/d1/current/small_log"), IsEmpty());
  EXPECT_EQ(store_->SmallLogs().size(), 1u);
  store_->SyncPending();
  for (BlockId id = 20; id <= 24; ++id) PutOne(id);

  env_.CutPowerAfter(0);
  store_.reset();
  env_.Crash();
  StartWithLog({"/d0", "/d1"});
  for (BlockId id = 1; id <= 8; ++id) ExpectWhole(id);
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
}

TEST_F(ReplicaVolumesTest, WhatWasToBeSyncedLaterIsSyncedBeforeItsVolumeGoes) {
  Start({"/d0", "/d1"});
  for (BlockId id = 1; id <= 6; ++id) {
    auto writer = store_->Create({id, 1, 1 << 20});
    ASSERT_TRUE(AppendAll(**writer, Bytes(id), 4096).ok());
    ASSERT_TRUE((*writer)->Finalize(Durability::kLater).ok());
  }
  Remove("/d1");
  env_.CutPowerAfter(0);
  store_.reset();
  env_.Crash();
  Start({"/d0", "/d1"});
  for (BlockId id = 1; id <= 6; ++id) ExpectWhole(id);
}

TEST_F(ReplicaVolumesTest, ABadReplicaOnARemovedVolumeIsNothingToGoBackTo) {
  Start({"/d0", "/d1"});
  PutOne(1);
  const std::string path = PathOf(VolumeOf(1));
  env_.Flip(path + "/current/finalized/subdir0/subdir0/blk_1", 5, 1);
  ASSERT_FALSE(*store_->Verify({1, 1, 0}));
  // A copy that takes its place, on the other volume.
  std::unique_ptr<ReplicaWriter> copy;
  for (int i = 0; i < 4 && (copy == nullptr || PathOf(VolumeOfWriter(*copy)) == path); ++i) {
    copy.reset();
    copy = *store_->CreateCopy({1, 1, Bytes(1).size()});
  }
  ASSERT_NE(PathOf(VolumeOfWriter(*copy)), path);
  Remove(path);
  copy.reset();  // it breaks off
  ExpectNotHere(1);
  EXPECT_THAT(store_->BadReplicas(), IsEmpty());
  PutOne(1);
  ExpectWhole(1);
}

// --- power cuts ----------------------------------------------------------------------------------

class VolumeCrashTest : public ReplicaVolumesTest, public testing::WithParamInterface<uint32_t> {
 protected:
  std::optional<uint32_t> Seed(uint64_t cut) const {
    if (GetParam() == 0) return std::nullopt;  // all that is not synced is lost
    return GetParam() * 1000 + static_cast<uint32_t>(cut);
  }
};

TEST_P(VolumeCrashTest, AFreshVolumeIsThereOrCanBeAddedAgain) {
  bool finished = false;
  for (uint64_t cut = 0; !finished; ++cut) {
    ASSERT_LT(cut, 200u);
    FaultEnv env;
    auto store = *ReplicaStore::Open(&env, OptionsFor({"/d0"}));
    ASSERT_TRUE(store->AdoptCluster(kCluster).ok());
    ASSERT_TRUE(Put(*store, {1, 1, 1 << 20}, Bytes(1)).ok());
    env.CutPowerAfter(cut);
    const bool added = store->AddVolume("/d1").ok();
    finished = env.List("/").ok();
    EXPECT_TRUE(added || !finished);
    env.Crash(Seed(cut));
    store.reset();

    // Whether --data-dir names it by now, or not.
    auto without = ReplicaStore::Open(&env, OptionsFor({"/d0"}));
    ASSERT_TRUE(without.ok()) << without.status() << " after " << cut;
    EXPECT_TRUE(Same(Get(**without, {1, 1, 0}), Bytes(1))) << "after " << cut;
    const auto again = (*without)->AddVolume("/d1");
    EXPECT_TRUE(again.ok()) << again.status() << " after " << cut;
    without->reset();
    auto with = ReplicaStore::Open(&env, OptionsFor({"/d0", "/d1"}));
    ASSERT_TRUE(with.ok()) << with.status() << " after " << cut;
    EXPECT_EQ((*with)->Volumes().size(), 2u);
    EXPECT_TRUE(Same(Get(**with, {1, 1, 0}), Bytes(1))) << "after " << cut;
  }
}

TEST_P(VolumeCrashTest, WhatAVolumeHoldsOutlivesItsComingAndGoing) {
  bool finished = false;
  for (uint64_t cut = 0; !finished; ++cut) {
    ASSERT_LT(cut, 400u);
    FaultEnv env;
    ReplicaStore::Options options = OptionsFor({"/d0", "/d1"});
    options.small_replica_max_bytes = GetParam() % 2 == 0 ? 64 << 10 : 0;
    options.small_log_segment_bytes = 256 << 10;
    auto store = *ReplicaStore::Open(&env, options);
    ASSERT_TRUE(store->AdoptCluster(kCluster).ok());
    for (BlockId id = 1; id <= 4; ++id) {
      ASSERT_TRUE(Put(*store, {id, 1, 1 << 20}, Bytes(id)).ok());
    }
    env.CutPowerAfter(cut);
    const bool removed = store->RemoveVolume("/d1", false, [](const Block&) {}).ok();
    const bool added = store->AddVolume("/d1").ok();
    finished = env.List("/").ok();
    EXPECT_TRUE((removed && added) || !finished);
    env.Crash(Seed(cut));
    store.reset();

    auto again = ReplicaStore::Open(&env, options);
    ASSERT_TRUE(again.ok()) << again.status() << " after " << cut;
    for (BlockId id = 1; id <= 4; ++id) {
      EXPECT_TRUE(Same(Get(**again, {id, 1, 0}), Bytes(id))) << id << " after " << cut;
    }
    EXPECT_THAT((*again)->BadReplicas(), IsEmpty()) << "after " << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, VolumeCrashTest, testing::Range(0u, 6u));

}  // namespace
}  // namespace cairn::datanode
