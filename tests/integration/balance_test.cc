// A node that joins a cluster of full ones gets its share, while files are read and written.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "tests/integration/cluster_view.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

constexpr int64_t kPatienceMs = 240'000;
constexpr size_t kFiles = 12;

std::string Content(size_t index) { return RandomBytes(index + 1, 2'500'000 + index * 100'000); }

class BalanceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started = Cluster::Start(
        {.datanodes = 3,
         .namenode_flags = {"--block-size=2M", "--heartbeat-interval=300ms",
                            "--redundancy-interval=300ms", "--slow-node-threshold=0"},
         .datanode_flags = {"--reserved=0", "--capacity=64M"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    ASSERT_EQ(cluster_->Cairn({"mkdir", "/d"}).code, 0);
    for (size_t i = 0; i < kFiles; ++i) {
      WriteWholeFile(dir_ / fmt::format("f{}", i), Content(i));
      const CommandResult put = cluster_->Cairn(
          {"put", "-r", i % 4 == 0 ? "1" : "2", dir_ / fmt::format("f{}", i), "/d/"});
      ASSERT_EQ(put.code, 0) << put.err;
    }
  }
  void CheckFiles() {
    for (size_t i = 0; i < kFiles; ++i) {
      const CommandResult got = cluster_->Cairn({"cat", fmt::format("/d/f{}", i)});
      EXPECT_EQ(got.code, 0) << got.err;
      EXPECT_TRUE(got.out == Content(i)) << "f" << i;
    }
  }
  nlohmann::json Status() { return CairnJson(*cluster_, {"admin", "balance", "--status"}); }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(BalanceTest, ANewNodeGetsItsShareWhileFilesAreUsed) {
  ASSERT_TRUE(cluster_->AddDataNode().ok());
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] {
    const nlohmann::json status = Status();
    return status.at("nodes") == 4 && status.at("most_under_percent") > 20;
  })) << Status().dump();
  std::atomic<bool> stopping{false};
  std::atomic<size_t> uses{0};
  std::thread user([&] {
    for (size_t i = 0; !stopping; ++i) {
      const std::string name = fmt::format("/d/g{}", i);
      const CommandResult put =
          cluster_->Cairn({"put", "-", name}, {.env = {}, .input = std::string(100'000, 'g')});
      EXPECT_EQ(put.code, 0) << put.err;
      const CommandResult got = cluster_->Cairn({"cat", fmt::format("/d/f{}", i % kFiles)});
      EXPECT_EQ(got.code, 0) << got.err;
      EXPECT_TRUE(got.out == Content(i % kFiles));
      ++uses;
    }
  });
  const CommandResult busy = cluster_->Cairn({"admin", "balance", "--wait"});
  EXPECT_EQ(busy.code, 0) << busy.err;
  EXPECT_GT(Status().at("moves_done"), 0) << Status().dump();
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] { return uses > 0; }));
  stopping = true;
  user.join();

  // What was written meanwhile may count; now nothing is.
  const CommandResult quiet = cluster_->Cairn({"admin", "balance", "--threshold", "8", "--wait"});
  EXPECT_EQ(quiet.code, 0) << quiet.err;
  EXPECT_NE(quiet.out.find("state      balanced after"), std::string::npos) << quiet.out;
  const nlohmann::json status = Status();
  EXPECT_EQ(status.at("state"), "balanced");
  EXPECT_EQ(status.at("moves_in_flight"), 0);
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] { return IsHealthy(*cluster_); }));
  // What was moved away is deleted by and by.
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] {
    const double mean = Status().at("mean_percent");
    const nlohmann::json nodes = CairnJson(*cluster_, {"admin", "nodes"});
    return !nodes.is_discarded() &&
           std::all_of(nodes.begin(), nodes.end(), [&](const nlohmann::json& node) {
             return std::abs(node.at("utilization_percent").get<double>() - mean) <= 8;
           });
  })) << CairnJson(*cluster_, {"admin", "nodes"}).dump();
  EXPECT_EQ(ReportNumber(*cluster_, "over_replicated_blocks"), 0);
  CheckFiles();

  // Not journaled.
  cluster_->namenode().Kill();
  ASSERT_TRUE(cluster_->namenode().Start().ok());
  EXPECT_EQ(Status().at("state"), "none");
}

}  // namespace
}  // namespace cairn::testing
