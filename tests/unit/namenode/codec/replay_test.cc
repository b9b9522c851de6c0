// Random histories through the codec: what is decoded and applied to a second state, or comes from
// an image and the edits behind it, must be the live state after every edit.
#include "namenode/codec/edit_codec.h"
#include "tests/unit/namenode/codec/image_fixture.h"
#include "tests/unit/namenode/namespace/random_ops.h"

namespace cairn::namenode {
namespace {

bool operator==(const BlockEffect& a, const BlockEffect& b) {
  return a.kind == b.kind && a.storages == b.storages && a.info.block == b.info.block &&
         a.info.inode == b.info.inode && a.info.offset == b.info.offset &&
         a.info.replication == b.info.replication && a.info.open == b.info.open &&
         a.info.pipeline == b.info.pipeline && a.info.recovery == b.info.recovery &&
         a.info.cut == b.info.cut;
}

class ReplayTest : public testing::TestWithParam<uint64_t> {};

TEST_P(ReplayTest, FollowsTheLiveState) {
  FsFixture live;
  live.check_digest = false;
  FsState standby = FsState::Format("hdfs", "supergroup", 1000);
  std::mt19937_64 random(GetParam());
  int images = 0;
  live.on_edit = [&](const EditRecord& record, const Effects& effects) {
    std::string bytes;
    EncodeEdit(record, &bytes);
    const auto decoded = DecodeEdit(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    const auto applied = Apply(standby, standby.applied_txid() + 1, *decoded);
    ASSERT_TRUE(applied.ok()) << applied.status();
    ASSERT_EQ(standby.digest(), live.state.digest());
    ASSERT_EQ(applied->size(), effects.size());
    for (size_t i = 0; i < effects.size(); ++i) EXPECT_TRUE((*applied)[i] == effects[i]);
    if (random() % 40 != 0) return;
    // The standby restarts from its image and goes on with the edits behind it.
    const std::string image = ImageOf(standby);
    auto loaded = LoadImage(Reader(image, 1 + random() % 5000));
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ASSERT_EQ(loaded->state.RecomputeDigest(), live.state.digest());
    EXPECT_TRUE(ImageOf(loaded->state) == image);
    standby = std::move(loaded->state);
    ++images;
  };
  RandomOps ops(live, GetParam());
  for (int i = 0; i < 2500 && !testing::Test::HasFailure(); ++i) ops.Step();
  EXPECT_GT(images, 5);
  EXPECT_EQ(standby.files(), live.state.files());
  EXPECT_EQ(standby.root().dir().totals, live.state.root().dir().totals);
  EXPECT_EQ(standby.open_files(), live.state.open_files());
  EXPECT_EQ(standby.retry_cache().entries(), live.state.retry_cache().entries());
}

INSTANTIATE_TEST_SUITE_P(Seeds, ReplayTest, testing::Values(11, 12, 13, 14));

}  // namespace
}  // namespace cairn::namenode
