// What the packed records cannot hold: a clear refusal in plans, damage in edits and images.
#include "namenode/namespace/state_builder.h"
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

class LimitsTest : public FsTest {
 protected:
  // The same state with other counters, as if so many ids had been given out.
  void SetCounters(const Counters& counters) {
    StateBuilder builder;
    state.ForEachINode([&](const INode& inode) {
      ASSERT_THAT(builder.AddINode(RecordOf(state, inode)), Succeeds());
    });
    state.ForEachBlockMeta([&](BlockId id, const BlockMeta& meta) {
      ASSERT_THAT(builder.AddBlock(RecordOf(state, id, meta)), Succeeds());
    });
    state.registry().ForEachNode([&](const NodeEntry& node) {
      std::vector<RegisteredStorage> storages;
      for (const StorageNumber number : node.storages) {
        storages.push_back({number, state.registry().FindStorage(number)->id});
      }
      ASSERT_THAT(builder.AddNode(node, storages), Succeeds());
    });
    auto built = builder.Finish(state.applied_txid(), counters, state.registry().next_node(),
                                state.registry().next_storage());
    ASSERT_TRUE(built.ok()) << built.status();
    state = *std::move(built);
  }
  absl::Status Replay(Edit edit) {
    return Apply(state, state.applied_txid() + 1, {facts.now_ms, std::nullopt, std::move(edit), {}})
        .status();
  }
};

TEST_F(LimitsTest, TheLastINodeIds) {
  Counters counters = state.counters();
  counters.next_inode = kMaxId - 1;
  SetCounters(counters);
  EXPECT_THAT(Mkdir("/a/b/c", true), Fails(kResourceExhausted, "inode ids"));
  EXPECT_THAT(Replay(MkdirsEdit{kRootINode, {"a", "b", "c"}, kMaxId - 1, "o", "g", 0}),
              Fails(kDataLoss));
  ASSERT_THAT(Mkdir("/a/b", true), Succeeds());
  EXPECT_EQ(IdOf("/a/b"), kMaxId);
  EXPECT_THAT(Create("/a/f"), Fails(kResourceExhausted, "inode ids"));
  EXPECT_THAT(Mkdir("/c"), Fails(kResourceExhausted, "inode ids"));
}

TEST_F(LimitsTest, TheLastBlockIdsAndStamps) {
  RegisterNodes(3);
  ASSERT_THAT(Create("/f"), Succeeds());
  Counters counters = state.counters();
  counters.next_block = kMaxId;
  SetCounters(counters);
  const INodeId inode = IdOf("/f");
  ASSERT_THAT(AddBlock(inode), Succeeds());
  const NewBlock last_block = std::get<NewBlockAnswer>(last.answer).block;
  EXPECT_EQ(last_block.id, kMaxId);
  EXPECT_THAT(AddBlock(inode), Fails(kResourceExhausted, "block ids"));
  counters = state.counters();
  counters.next_generation = kMaxId;
  SetCounters(counters);
  ASSERT_THAT(NewStamp(inode, kMaxId), Succeeds());
  ASSERT_THAT(UpdatePipeline(inode, kMaxId, kMaxId, {1, 2}), Succeeds());
  EXPECT_THAT(NewStamp(inode, kMaxId), Fails(kResourceExhausted, "generation stamps"));
  EXPECT_THAT(Replay(NewStampEdit{inode, kMaxId, kMaxId + 1}), Fails(kDataLoss));
  ASSERT_THAT(Complete(inode, {DoneById(kMaxId, 5)}), Succeeds());
  EXPECT_THAT(Truncate("/f", 3), Fails(kResourceExhausted, "generation stamps"));
  ASSERT_THAT(Append("/f"), Succeeds()) << "needs no stamp yet";
  EXPECT_THAT(Do(PlanRaiseCounters(state, kMaxId, 1, 0)), Fails(kFailedPrecondition, "claims"));
  const Counters at = state.counters();
  EXPECT_THAT(Replay(RaiseCountersEdit{kMaxId + 2, at.next_generation, at.epoch}),
              Fails(kDataLoss));
}

TEST_F(LimitsTest, UsersAndGroups) {
  facts.limits.max_principals = 4;  // hdfs and supergroup are there
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  EXPECT_EQ(state.principals(), 2u);
  EXPECT_THAT(Chown("/d", "a", "b"), Succeeds());
  EXPECT_THAT(Chown("/d", "c"), Fails(kResourceExhausted, "4 names of users and groups"));
  EXPECT_THAT(Chown("/d", "", "c"), Fails(kResourceExhausted));
  EXPECT_THAT(Chown("/d", "hdfs", "a"), Succeeds()) << "known ones are fine";
  ASSERT_THAT(Chmod("/", 01777), Succeeds());
  caller = User("new");
  EXPECT_THAT(Create("/f"), Fails(kResourceExhausted, "users and groups"));
  EXPECT_THAT(Mkdir("/e"), Fails(kResourceExhausted, "users and groups"));
  facts.limits.max_principals = 5;
  caller = Superuser();
  EXPECT_THAT(Chown("/d", "c", "e"), Fails(kResourceExhausted)) << "there is room for one";
  EXPECT_THAT(Chown("/d", "c", "c"), Succeeds());
}

TEST_F(LimitsTest, Times) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  EXPECT_THAT(Do(PlanSetTimes(state, caller, "/d", kMaxTimeMs, 0, facts)), Succeeds());
  EXPECT_EQ(Stat("/d")->mtime_ms, kMaxTimeMs);
  EXPECT_THAT(Do(PlanSetTimes(state, caller, "/d", kMaxTimeMs + 1, 0, facts)),
              Fails(kInvalidArgument, "the latest allowed"));
  EXPECT_THAT(Replay(SetTimesEdit{kRootINode, kMaxTimeMs + 1, -1}), Fails(kDataLoss));
  // A clock that has lost its way does no harm.
  facts.now_ms = INT64_MAX;
  ASSERT_THAT(Put("/f", {}), Succeeds());
  EXPECT_EQ(Stat("/f")->mtime_ms, kMaxTimeMs);
  facts.now_ms = -5;
  ASSERT_THAT(Put("/g", {}), Succeeds());
  EXPECT_EQ(Stat("/g")->mtime_ms, 0);
}

TEST_F(LimitsTest, EditsBeyondTheRecordsAreDamage) {
  ASSERT_THAT(Create("/f"), Succeeds());
  const INodeId file = IdOf("/f");
  const INodeId next = state.next_inode();
  CreateEdit create{.parent = kRootINode, .name = "x", .inode = next, .owner = "o", .group = "g"};
  create.replication = 1;
  create.block_size = 4096;
  const auto with = [&](auto change) {
    CreateEdit edit = create;
    change(edit);
    return edit;
  };
  const std::string long_name(kMaxNameBytes + 1, 'x');
  const std::vector<Edit> misfits = {
      with([&](CreateEdit& e) { e.name = long_name; }),
      with([](CreateEdit& e) { e.replication = kMaxReplication + 1; }),
      with([](CreateEdit& e) { e.block_size = 4097; }),
      with([](CreateEdit& e) { e.block_size = 2 * kMaxBlockSize; }),
      with([](CreateEdit& e) { e.mode = kMaxMode + 1; }),
      MkdirsEdit{kRootINode, {"x", long_name}, next, "o", "g", 0},
      MkdirsEdit{kRootINode, {"x"}, next, "o", "g", kMaxMode + 1},
      RenameEdit{file, kRootINode, long_name},
      SetReplicationEdit{file, kMaxReplication + 1},
      SetPermissionEdit{file, kMaxMode + 1},
      CompleteEdit{.inode = file, .mtime_ms = kMaxTimeMs + 1},
      CompleteEdit{.inode = file, .atime_ms = -1},
      CompleteEdit{.inode = file, .mode = kMaxMode + 1},
  };
  const Digest before = state.digest();
  for (size_t i = 0; i < misfits.size(); ++i) {
    EXPECT_THAT(Replay(misfits[i]), Fails(kDataLoss)) << "misfit " << i;
    EXPECT_EQ(state.digest(), before) << "misfit " << i;
  }
  EXPECT_THAT(Replay(create), Succeeds());
}

TEST(ImageLimitsTest, PartsBeyondTheRecordsAreDamage) {
  const auto with = [](auto change) {
    INodeRecord record{.id = 2, .parent = kRootINode, .name = "f", .owner = "o", .group = "g"};
    record.block_size = 4096;
    record.replication = 3;
    change(record);
    return record;
  };
  const std::vector<INodeRecord> misfits = {
      with([](INodeRecord& r) { r.id = kMaxId + 1; }),
      with([](INodeRecord& r) { r.parent = kMaxId + 1; }),
      with([](INodeRecord& r) { r.name.assign(kMaxNameBytes + 1, 'x'); }),
      with([](INodeRecord& r) { r.mtime_ms = kMaxTimeMs + 1; }),
      with([](INodeRecord& r) { r.atime_ms = -1; }),
      with([](INodeRecord& r) { r.mode = kMaxMode + 1; }),
      with([](INodeRecord& r) { r.block_size = 4095; }),
      with([](INodeRecord& r) { r.replication = kMaxReplication + 1; }),
  };
  StateBuilder builder;
  for (size_t i = 0; i < misfits.size(); ++i) {
    EXPECT_THAT(builder.AddINode(misfits[i]), Fails(kDataLoss)) << "misfit " << i;
  }
  ASSERT_THAT(builder.AddINode(with([](INodeRecord&) {})), Succeeds());
  EXPECT_THAT(builder.AddINode(with([](INodeRecord&) {})), Fails(kDataLoss, "twice"));
  EXPECT_THAT(builder.AddBlock({.id = kMaxId + 1, .inode = 2, .generation = 1, .length = 1}),
              Fails(kDataLoss, "beyond"));
  EXPECT_THAT(builder.AddBlock({.id = 1, .inode = 2, .generation = kMaxId + 1, .length = 1}),
              Fails(kDataLoss, "beyond"));
  INodeRecord root{.id = kRootINode, .type = INodeType::kDirectory, .owner = "o", .group = "g"};
  ASSERT_THAT(builder.AddINode(root), Succeeds());
  EXPECT_THAT(builder.Finish(1, {.next_inode = kMaxId + 2}, 1, 1).status(),
              Fails(kDataLoss, "beyond"));
}

}  // namespace
}  // namespace cairn::namenode
