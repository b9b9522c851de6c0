#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "client/bench/callers.h"
#include "client/bench/echo.h"

namespace cairn::bench {
namespace {

TEST(RunThreadsTest, DoesEachOperationOnce) {
  std::vector<std::atomic<int>> calls(1000);
  std::atomic<uint64_t> done{0};
  const auto result = RunThreads(
      8, calls.size(), [] { return false; }, &done,
      [&](uint64_t i) {
        ++calls[i];
        return absl::OkStatus();
      });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(std::all_of(calls.begin(), calls.end(), [](const auto& n) { return n == 1; }));
  EXPECT_EQ(done, calls.size());
  EXPECT_EQ(result->latencies_us.size(), calls.size());
  EXPECT_GT(result->seconds, 0);
}

TEST(RunThreadsTest, EndsWithTheFirstFailure) {
  std::atomic<uint64_t> done{0};
  std::atomic<int> calls{0};
  const auto result = RunThreads(
      4, 1'000'000, [] { return false; }, &done,
      [&](uint64_t i) {
        ++calls;
        return i == 100 ? absl::NotFoundError("gone") : absl::OkStatus();
      });
  EXPECT_TRUE(absl::IsNotFound(result.status())) << result.status();
  EXPECT_LT(calls, 1'000'000);
}

TEST(RunThreadsTest, StopsWhenTold) {
  std::atomic<uint64_t> done{0};
  const auto result = RunThreads(
      4, 1'000'000, [&] { return done >= 100; }, &done, [](uint64_t) { return absl::OkStatus(); });
  EXPECT_TRUE(absl::IsCancelled(result.status())) << result.status();
}

TEST(EchoTest, Answers) {
  const auto server = EchoServer::Start();
  ASSERT_TRUE(server.ok()) << server.status();
  EchoClient client((*server)->address());
  EXPECT_EQ(client.GetFileInfo("/a"), absl::OkStatus());
  EXPECT_EQ(client.List("/"), absl::OkStatus());
}

}  // namespace
}  // namespace cairn::bench
