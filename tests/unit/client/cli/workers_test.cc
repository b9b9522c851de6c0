#include "client/cli/workers.h"

#include <gtest/gtest.h>

#include <atomic>

namespace cairn::cli {
namespace {

TEST(WorkersTest, RunsEverything) {
  std::atomic<int> sum{0};
  Workers workers(4, 100);
  for (int i = 1; i <= 1000; ++i) {
    workers.Submit(1, [&sum, i] { sum.fetch_add(i); });
  }
  workers.Wait();
  EXPECT_EQ(sum.load(), 500'500);
}

TEST(WorkersTest, HoldsTheBudget) {
  std::atomic<int> cost{0};
  std::atomic<int> most{0};
  {
    Workers workers(8, 10);
    for (int i = 0; i < 300; ++i) {
      workers.Submit(4, [&] {
        const int now = cost.fetch_add(4) + 4;
        int seen = most.load();
        while (seen < now && !most.compare_exchange_weak(seen, now)) {
        }
        cost.fetch_sub(4);
      });
    }
  }
  EXPECT_LE(most.load(), 10);
  EXPECT_GT(most.load(), 0);
}

TEST(WorkersTest, ATaskDearerThanTheBudgetRunsAlone) {
  std::atomic<int> done{0};
  Workers workers(4, 10);
  for (int i = 0; i < 20; ++i) workers.Submit(1'000'000, [&] { done.fetch_add(1); });
  workers.Wait();
  EXPECT_EQ(done.load(), 20);
}

TEST(WorkersTest, CanGoOnAfterAWait) {
  std::atomic<int> done{0};
  Workers workers;
  workers.Wait();
  workers.Submit(1, [&] { done.fetch_add(1); });
  workers.Wait();
  workers.Submit(1, [&] { done.fetch_add(1); });
  workers.Wait();
  EXPECT_EQ(done.load(), 2);
}

}  // namespace
}  // namespace cairn::cli
