// Replay of edits that do not fit: an error, never a crash.
#include "namenode/namespace/apply.h"

#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

class ApplyTest : public FsTest {
 protected:
  absl::Status Replay(Edit edit) {
    return Apply(state, state.applied_txid() + 1, {facts.now_ms, std::nullopt, std::move(edit), {}})
        .status();
  }
};

TEST_F(ApplyTest, TxidsMustFollow) {
  EXPECT_THAT(Apply(state, 2, {0, std::nullopt, StartEdit{1}, {}}).status(), Fails(kDataLoss));
  EXPECT_THAT(Apply(state, 1, {0, std::nullopt, StartEdit{1}, {}}).status(), Succeeds());
  EXPECT_THAT(Apply(state, 1, {0, std::nullopt, StartEdit{2}, {}}).status(), Fails(kDataLoss));
}

TEST_F(ApplyTest, MisfitsAreRefused) {
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  ASSERT_THAT(Create("/f"), Succeeds());
  const INodeId dir = IdOf("/d");
  const INodeId file = IdOf("/f");
  const INodeId next = state.next_inode();
  const NewBlock block{state.next_block(), state.next_generation(), 0, {1}};
  NewBlock wrong = block;
  ++wrong.id;
  CreateEdit create{.parent = dir, .name = "x", .inode = next, .owner = "o", .group = "g"};
  create.replication = 1;
  create.block_size = 4096;
  const auto with = [](CreateEdit edit, auto change) {
    change(edit);
    return edit;
  };
  const std::vector<Edit> misfits = {
      MkdirsEdit{},
      MkdirsEdit{file, {"x"}, next, "o", "g", 0},
      MkdirsEdit{dir, {}, next, "o", "g", 0},
      MkdirsEdit{dir, {""}, next, "o", "g", 0},
      MkdirsEdit{kRootINode, {"d"}, next, "o", "g", 0},
      MkdirsEdit{dir, {"x"}, next + 1, "o", "g", 0},
      CreateEdit{},
      with(create, [&](CreateEdit& e) { e.inode = next + 1; }),
      with(create, [&](CreateEdit& e) { e.block_size = 0; }),
      with(create, [&](CreateEdit& e) { e.replaced = file; }),
      with(create, [&](CreateEdit& e) { e.first_block = wrong; }),
      AddBlockEdit{},
      AddBlockEdit{dir, {}, block},
      AddBlockEdit{file, {}, wrong},
      AddBlockEdit{file, {{{1, 1, 1}, {}}}, block},
      AbandonBlockEdit{file, 1},
      CompleteEdit{},
      CompleteEdit{.inode = file, .replaced = dir},
      CompleteEdit{.inode = file, .new_parent = 99, .new_name = "x"},
      CompleteEdit{.inode = file, .new_parent = 1, .new_name = "d"},
      CompleteEdit{.inode = file, .new_parent = 1, .new_name = "d", .replaced = dir},
      CompleteEdit{.inode = file, .new_parent = 1, .new_name = "f", .replaced = file},
      with(create, [&](CreateEdit& e) { e.min_replicas = 0; }),
      TakeOverEdit{dir},
      TakeOverEdit{99},
      RenameEdit{1, dir, "x"},
      RenameEdit{dir, dir, "x"},
      RenameEdit{dir, 1, "f"},
      RenameEdit{dir, 1, ""},
      DeleteEdit{1},
      DeleteEdit{99},
      SetReplicationEdit{dir, 1},
      SetReplicationEdit{file, 0},
      SetTimesEdit{99, 1, 1},
      SetOwnerEdit{99, "a", "b"},
      SetPermissionEdit{99, 0},
      RegisterNodeEdit{2, "x", "/r", {}},
      RegisterNodeEdit{1, "x", "/r", {{2, "s"}}},
      SetAdminStateEdit{9, AdminState::kMaintenance},
      SetAdminStateEdit{1, static_cast<AdminState>(kAdminStates)},
      StartEdit{0},
      DigestEdit{1, 2},
  };
  const Digest before = state.digest();
  for (size_t i = 0; i < misfits.size(); ++i) {
    EXPECT_THAT(Replay(misfits[i]), Fails(kDataLoss)) << "misfit " << i;
    EXPECT_EQ(state.digest(), before) << "misfit " << i;
  }
}

TEST_F(ApplyTest, MisfitsOfRecoveryAreRefused) {
  RegisterNodes(3);
  ASSERT_THAT(Put("/closed", {4096, 904}), Succeeds());
  ASSERT_THAT(Put("/cut", {904}), Succeeds());
  with_block = true;
  ASSERT_THAT(Create("/open"), Succeeds());
  ASSERT_THAT(Create("/held"), Succeeds());
  const INodeId closed = IdOf("/closed");
  const INodeId open = IdOf("/open");
  const INodeId held = IdOf("/held");
  const auto block_of = [&](INodeId id) { return state.FindINode(id)->blocks().back(); };
  ASSERT_THAT(Do(PlanTakeOver(state, held, holder)), Succeeds());
  const GenerationStamp recovery = BeginRecovery(held);
  ASSERT_THAT(Truncate("/cut", 5), Succeeds());
  const INodeId cut = IdOf("/cut");
  const GenerationStamp cutting = state.next_generation() - 1;
  ASSERT_THAT(NewStamp(open, block_of(open)), Succeeds());
  const GenerationStamp next = state.next_generation();
  const GenerationStamp now = state.FindBlock(block_of(open))->generation();
  const Counters at = state.counters();

  const std::vector<Edit> misfits = {
      NewStampEdit{open, block_of(open), next + 1},
      NewStampEdit{open, block_of(held), next},
      NewStampEdit{closed, block_of(closed), next},
      NewStampEdit{99, 1, next},
      UpdatePipelineEdit{open, block_of(open), now, {1}},
      UpdatePipelineEdit{open, block_of(open), next, {1}},
      UpdatePipelineEdit{open, block_of(open), next - 1, {}},
      UpdatePipelineEdit{open, block_of(open), next - 1, {4}},
      UpdatePipelineEdit{closed, block_of(closed), next - 1, {1}},
      AppendEdit{open, holder, 1, 0, {}},
      AppendEdit{closed, holder, 0, block_of(closed), {1}},
      AppendEdit{closed, kNameNodeHolder, 1, block_of(closed), {1}},
      AppendEdit{closed, holder, 1, block_of(open), {1}},
      AppendEdit{closed, holder, 1, state.FindINode(closed)->blocks()[0], {1}},
      AppendEdit{closed, holder, 1, block_of(closed), {}},
      TruncateEdit{open, 0, 0, 0, {}},
      TruncateEdit{closed, 5000, block_of(closed), next, {1}},
      TruncateEdit{closed, 4999, 0, 0, {}},
      TruncateEdit{closed, 4096, block_of(closed), next, {1}},
      TruncateEdit{closed, 1, block_of(closed), next, {1}},
      TruncateEdit{closed, 4999, block_of(closed), next + 1, {1}},
      TruncateEdit{closed, 4999, block_of(closed), next, {}},
      TakeOverEdit{closed},
      TakeOverEdit{held},
      BeginRecoveryEdit{open, block_of(open), next},
      BeginRecoveryEdit{held, block_of(open), next},
      BeginRecoveryEdit{held, block_of(held), next + 1},
      CommitRecoveryEdit{open, block_of(open), 0, 1, {1}},
      CommitRecoveryEdit{held, block_of(held), recovery + 1, 1, {1}},
      CommitRecoveryEdit{held, block_of(held), recovery, 4097, {1}},
      CommitRecoveryEdit{held, block_of(open), recovery, 1, {1}},
      CommitRecoveryEdit{cut, block_of(cut), cutting, 4, {1}},
      CommitRecoveryEdit{cut, block_of(cut), cutting, 6, {1}},
      RaiseCountersEdit{at.next_block - 1, at.next_generation, at.epoch},
      RaiseCountersEdit{at.next_block, at.next_generation - 1, at.epoch},
      RaiseCountersEdit{},
  };
  const Digest before = state.digest();
  for (size_t i = 0; i < misfits.size(); ++i) {
    EXPECT_THAT(Replay(misfits[i]), Fails(kDataLoss)) << "misfit " << i;
    EXPECT_EQ(state.digest(), before) << "misfit " << i;
  }
  EXPECT_THAT(Replay(CommitRecoveryEdit{cut, block_of(cut), cutting, 5, {1}}), Succeeds());
}

TEST_F(ApplyTest, DigestsAndEpochs) {
  ASSERT_THAT(Do(PlanStart(state)), Succeeds());
  EXPECT_EQ(state.epoch(), 1u);
  const Digest before = state.digest();
  ASSERT_THAT(Do(PlanDigest(state)), Succeeds());
  EXPECT_EQ(state.digest(), before);
  ASSERT_THAT(Mkdir("/d"), Succeeds());
  EXPECT_THAT(Replay(DigestEdit{before.high, before.low}), Fails(kDataLoss, ToHex(before)));
}

TEST_F(ApplyTest, EqualContentHasAnEqualDigest) {
  ASSERT_THAT(Mkdir("/a"), Succeeds());
  FsFixture other;
  ASSERT_THAT(other.Mkdir("/a"), Succeeds());
  EXPECT_EQ(state.digest(), other.state.digest());
  ASSERT_THAT(Chmod("/a", 0700), Succeeds());
  EXPECT_NE(state.digest(), other.state.digest());
  ASSERT_THAT(Chmod("/a", 0755), Succeeds());
  EXPECT_EQ(state.digest(), other.state.digest());
}

}  // namespace
}  // namespace cairn::namenode
