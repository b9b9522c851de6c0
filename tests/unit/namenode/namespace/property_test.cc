// Thousands of random operations of several users against the plain model.
#include "tests/unit/namenode/namespace/random_ops.h"

namespace cairn::namenode {
namespace {

class PropertyTest : public testing::TestWithParam<uint64_t> {};

TEST_P(PropertyTest, BehavesLikeTheModel) {
  FsFixture fs;
  RandomOps ops(fs, GetParam());
  for (int i = 0; i < 3000 && !testing::Test::HasFailure(); ++i) {
    ops.Step();
    if (i % 50 == 0) ops.CompareEverything();
  }
  ops.CompareEverything();
  // Detached trees go without a trace.
  fs.retry.reset();
  while (fs.state.HasReclaimWork()) ASSERT_THAT(fs.Do(PlanReclaim(fs.state, 7)), Succeeds());
  EXPECT_EQ(fs.state.inodes(), fs.state.files() + fs.state.directories());
  ops.CompareEverything();
}

INSTANTIATE_TEST_SUITE_P(Seeds, PropertyTest, testing::Values(1, 2, 3, 4, 5, 6));

}  // namespace
}  // namespace cairn::namenode
