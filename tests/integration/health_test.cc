// A DataNode that becomes slow is noticed by its peers, reported, passed over, and used again.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/cluster_view.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"
#include "tests/support/relay.h"

namespace cairn::testing {
namespace {

constexpr int64_t kPatienceMs = 180'000;
constexpr size_t kDataNodes = 5;
constexpr size_t kSlow = 0;
constexpr size_t kFileBytes = 16 << 10;
constexpr size_t kBatch = 60;  // files
constexpr uint64_t kLeastBytesPerSecond = 160 << 10;

class HealthTest : public ::testing::Test {
 protected:
  // All nodes are reached through a relay, so that they differ in nothing but its speed.
  void SetUp() override {
    auto started = Cluster::Start(
        {.datanodes = 0,
         .namenode_flags = {"--heartbeat-interval=200ms", "--redundancy-interval=1h"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    for (size_t i = 0; i < kDataNodes; ++i) {
      auto relay = Relay::Start();
      ASSERT_TRUE(relay.ok()) << relay.status();
      const absl::Status added = cluster_->AddDataNode(
          {"--advertise=" + (*relay)->address(), "--reserved=0", "--peer-latency-window=20s"});
      ASSERT_TRUE(added.ok()) << added;
      (*relay)->SetTarget(cluster_->datanode(i).Field("data"));
      relays_.push_back(*std::move(relay));
    }
    std::filesystem::create_directory(local_ / "batch");
    for (size_t i = 0; i < kBatch; ++i) {
      WriteWholeFile(local_ / fmt::format("batch/f{}", i), RandomBytes(i, kFileBytes));
    }
  }

  // Many small files at once. Returns where they are.
  std::string PutBatch() {
    const std::string path = fmt::format("/{}", batches_++);
    EXPECT_EQ(cluster_->Cairn({"mkdir", path}).code, 0);
    const CommandResult put = cluster_->Cairn({"put", local_ / "batch", path});
    EXPECT_EQ(put.code, 0) << put.err;
    return path;
  }
  nlohmann::json Slow() {
    for (const auto& node : CairnJson(*cluster_, {"admin", "nodes"})) {
      if (node.at("id") == cluster_->datanode(kSlow).Field("id")) return node;
    }
    return nlohmann::json::object();
  }
  static bool IsSlow(const nlohmann::json& node) {
    return node.value("status", "") == "degraded" && node.value("reason", "").find("slow: ") == 0;
  }
  bool Degraded() { return IsSlow(Slow()); }
  // How many of a batch's first ten files are on the slow node.
  size_t OnTheSlowNode(const std::string& batch) {
    size_t found = 0;
    for (size_t i = 0; i < 10; ++i) {
      const auto blocks =
          CairnJson(*cluster_, {"locations", fmt::format("{}/batch/f{}", batch, i)});
      for (const auto& node : blocks.at(0).at("nodes")) {
        found += node.at("id") == cluster_->datanode(kSlow).Field("id");
      }
    }
    return found;
  }

  TempDir local_;
  std::vector<std::unique_ptr<Relay>> relays_;
  std::unique_ptr<Cluster> cluster_;
  int batches_ = 0;
};

TEST_F(HealthTest, ASlowNodeIsPassedOverUntilItIsFastAgain) {
  // On a machine with much else to do the others are slow as well: then this one is so even more.
  uint64_t bytes_per_second = 320 << 10;
  nlohmann::json seen;
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] {
    relays_[kSlow]->Throttle(bytes_per_second);
    bytes_per_second = std::max(kLeastBytesPerSecond, bytes_per_second / 2);
    PutBatch();
    seen = Slow();
    return IsSlow(seen);
  })) << seen.dump(2);
  EXPECT_GT(seen.at("packet_latency_us"), 20'000);

  // For as long as it is: without writes it is tried again when the window has passed.
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] {
    if (!Degraded()) {
      PutBatch();
      return false;
    }
    const std::string batch = PutBatch();
    return Degraded() && OnTheSlowNode(batch) == 0;
  }));

  relays_[kSlow]->Pass();
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return Slow().value("status", "") == "healthy"; }))
      << Slow().dump(2);
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] { return OnTheSlowNode(PutBatch()) > 0; }));
}

}  // namespace
}  // namespace cairn::testing
