// Parts that cannot be of one state: an error that says which, whatever the image's checksums said.
#include "namenode/namespace/state_builder.h"

#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

INodeRecord File(INodeId id, std::optional<OpenState> open = std::nullopt) {
  INodeRecord file{.id = id, .parent = kRootINode, .name = "f" + std::to_string(id)};
  file.owner = "o";
  file.group = "g";
  file.block_size = 4096;
  file.replication = 3;
  file.open = open;
  return file;
}

class StateBuilderTest : public testing::Test {
 protected:
  StateBuilderTest() {
    INodeRecord root{.id = kRootINode, .type = INodeType::kDirectory, .owner = "o", .group = "g"};
    EXPECT_TRUE(builder_.AddINode(root).ok());
  }
  absl::StatusOr<FsState> Finish() {
    return builder_.Finish(
        7, {.epoch = 1, .next_inode = 100, .next_block = 100, .next_generation = 100}, 1, 1);
  }

  StateBuilder builder_;
  const OpenState open_{.holder = Client(1), .min_replicas = 2};
  const OpenState held_{.holder = kNameNodeHolder};
};

TEST_F(StateBuilderTest, OpenFilesAndWhatFollowsFromTheirBlocks) {
  ASSERT_THAT(builder_.AddINode(File(2, open_)), Succeeds());
  ASSERT_THAT(builder_.AddINode(File(3, held_)), Succeeds());
  ASSERT_THAT(builder_.AddBlock({.id = 1, .inode = 2, .generation = 1, .length = 4096}),
              Succeeds());
  ASSERT_THAT(builder_.AddBlock({.id = 2,
                                 .inode = 2,
                                 .generation = 2,
                                 .length = 10,
                                 .index = 1,
                                 .open = OpenBlock{.pipeline = {1}}}),
              Succeeds());
  ASSERT_THAT(
      builder_.AddBlock({.id = 3, .inode = 3, .generation = 3, .length = 5, .open = OpenBlock{}}),
      Succeeds());
  const auto state = Finish();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->FindINode(2)->length(), 4106u);
  EXPECT_EQ(state->FindOpenState(*state->FindINode(2))->open_blocks, 1u);
  EXPECT_EQ(state->root().dir().totals.length, 4111u);
  EXPECT_EQ(state->open_files(), 2u);
  EXPECT_EQ(FilesInRecovery(*state).size(), 1u);
  EXPECT_EQ(state->digest(), state->RecomputeDigest());
}

TEST_F(StateBuilderTest, BlocksOfJoinedFilesComeByIdAndNotInOrder) {
  ASSERT_THAT(builder_.AddINode(File(2)), Succeeds());
  const auto add = [&](BlockId id, uint32_t index, uint64_t length = 4096) {
    return builder_.AddBlock(
        {.id = id, .inode = 2, .generation = 1, .length = length, .index = index});
  };
  ASSERT_THAT(add(1, 3, 7), Succeeds());
  ASSERT_THAT(add(2, 1), Succeeds());
  ASSERT_THAT(add(3, 2), Succeeds());
  EXPECT_THAT(add(4, 2), Fails(kDataLoss, "does not fit"));
  ASSERT_THAT(add(5, 0), Succeeds());
  EXPECT_THAT(add(6, 2), Fails(kDataLoss, "does not fit"));
  const auto state = Finish();
  ASSERT_TRUE(state.ok()) << state.status();
  const BlockIds blocks = state->FindINode(2)->blocks();
  EXPECT_THAT(std::vector<BlockId>(blocks.begin(), blocks.end()), testing::ElementsAre(5, 2, 3, 1));
  EXPECT_EQ(state->root().dir().totals.length, 3 * 4096u + 7);
}

TEST_F(StateBuilderTest, GapsAndShortBlocksWithinAJoinedFile) {
  ASSERT_THAT(builder_.AddINode(File(2)), Succeeds());
  ASSERT_THAT(
      builder_.AddBlock({.id = 1, .inode = 2, .generation = 1, .length = 9, .index = 999'999}),
      Succeeds());
  EXPECT_THAT(Finish().status(), Fails(kDataLoss, "blocks of file 2"));
  ASSERT_THAT(builder_.AddINode(File(3)), Succeeds());
  ASSERT_THAT(builder_.AddBlock({.id = 2, .inode = 3, .generation = 1, .length = 9, .index = 1}),
              Succeeds());
  EXPECT_THAT(builder_.AddBlock({.id = 3, .inode = 3, .generation = 1, .length = 9}),
              Fails(kDataLoss, "block 3 of file 3 is short"));
}

TEST_F(StateBuilderTest, QuotasAreOfDirectories) {
  INodeRecord dir{.id = 2, .parent = kRootINode, .name = "d", .type = INodeType::kDirectory};
  dir.owner = dir.group = "o";
  dir.quota.names = 5;
  ASSERT_THAT(builder_.AddINode(dir), Succeeds());
  INodeRecord file = File(3);
  file.quota.space = 5;
  EXPECT_THAT(builder_.AddINode(file), Fails(kDataLoss, "file 3 has a quota"));
  const auto state = Finish();
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->quotas().Of(2), Quota{.names = 5});
  EXPECT_EQ(state->digest(), state->RecomputeDigest());
}

TEST_F(StateBuilderTest, AHeldFileHasSomethingToRecover) {
  ASSERT_THAT(builder_.AddINode(File(2, held_)), Succeeds());
  EXPECT_THAT(Finish().status(), Fails(kDataLoss, "file 2 is being recovered"));
}

TEST_F(StateBuilderTest, BlocksThatCannotBe) {
  OpenState none = open_;
  none.min_replicas = 0;
  EXPECT_THAT(builder_.AddINode(File(9, none)), Fails(kDataLoss, "file 9"));
  ASSERT_THAT(builder_.AddINode(File(2, open_)), Succeeds());
  ASSERT_THAT(builder_.AddINode(File(3)), Succeeds());
  EXPECT_THAT(builder_.AddBlock({.id = 1, .inode = 3, .generation = 1, .open = OpenBlock{}}),
              Fails(kDataLoss, "open alone"));
  EXPECT_THAT(builder_.AddBlock({.id = 1, .inode = 2, .open = OpenBlock{.cut = true}}),
              Fails(kDataLoss, "without a recovery"));
  EXPECT_THAT(builder_.AddBlock(
                  {.id = 1, .inode = 2, .generation = 1, .length = 4097, .open = OpenBlock{}}),
              Fails(kDataLoss, "does not fit"));
  ASSERT_THAT(builder_.AddBlock({.id = 1, .inode = 3, .generation = 1, .length = 5}), Succeeds());
  EXPECT_THAT(builder_.AddBlock({.id = 2, .inode = 3, .generation = 1, .length = 5, .index = 1}),
              Fails(kDataLoss, "block 1 of file 3 is short"));
}

}  // namespace
}  // namespace cairn::namenode
