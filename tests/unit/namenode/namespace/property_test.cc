// Thousands of random operations of several users against the plain model.
#include <map>

#include "tests/unit/namenode/namespace/random_ops.h"

namespace cairn::namenode {
namespace {

class PropertyTest : public testing::TestWithParam<uint64_t> {};

TEST_P(PropertyTest, BehavesLikeTheModel) {
  FsFixture fs;
  std::map<size_t, int> kinds;
  fs.on_edit = [&](const EditRecord& record, const Effects&) { ++kinds[record.edit.index()]; };
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
  EXPECT_EQ(kinds.size(), std::variant_size_v<Edit> - 3)
      << "all but times, start and digest: " << testing::PrintToString(kinds);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PropertyTest, testing::Values(1, 2, 3, 4, 5, 6));

}  // namespace
}  // namespace cairn::namenode
