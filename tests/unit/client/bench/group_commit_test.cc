#include "client/bench/group_commit.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/cluster.h"

namespace cairn::bench {
namespace {

TEST(GroupCommitTest, ManyThreadsCommitAndNothingIsLeft) {
  const testing::TempDir dir;
  const std::unique_ptr<Env> env = NewPosixEnv();
  const auto commit = GroupCommit::Open(env.get(), dir.path());
  ASSERT_TRUE(commit.ok()) << commit.status();
  std::atomic<int> committed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 50; ++n) {
        if ((*commit)->Commit(100).ok()) ++committed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(committed, 400);
  const auto names = env->List(dir.path());
  ASSERT_TRUE(names.ok());
  EXPECT_TRUE(names->empty());
}

TEST(GroupCommitTest, AFolderThatIsNotThereIsAnError) {
  const std::unique_ptr<Env> env = NewPosixEnv();
  EXPECT_FALSE(GroupCommit::Open(env.get(), "/no/such/folder").ok());
}

}  // namespace
}  // namespace cairn::bench
