// What the tests of nodes and disks that come and go share: a cluster that is used meanwhile, and
// what must hold afterwards.
//
// Header only; for tests.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "tests/integration/cluster_view.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"

namespace cairn::testing {

// Puts one file after the other below /d, from a thread of its own, until it is told to stop. Local
// copies are in `dir`.
class PutLoop {
 public:
  // Of the file with this number, f0, f1, ...: from one to three blocks of 1 MiB.
  static std::string Content(size_t index) {
    return RandomBytes(index + 1, 50'000 + index % 5 * 700'000);
  }

  PutLoop(Cluster* cluster, const TempDir* dir) : cluster_(cluster), dir_(dir) {
    thread_ = std::thread([this] { Run(); });
  }
  ~PutLoop() { Stop(); }

  void Stop() {
    stopping_ = true;
    if (thread_.joinable()) thread_.join();
  }
  size_t written() const { return written_; }
  const std::string& errors() const { return errors_; }  // after Stop

 private:
  void Run() {
    while (!stopping_) {
      const size_t index = written_;
      const std::string local = *dir_ / fmt::format("f{}", index);
      WriteWholeFile(local, Content(index));
      const CommandResult put = cluster_->Cairn({"--timeout", "100s", "put", local, "/d/"});
      if (put.code != 0) {
        errors_ += put.err;
        return;
      }
      ++written_;
    }
  }

  Cluster* const cluster_;
  const TempDir* const dir_;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> written_{0};
  std::string errors_;
  std::thread thread_;
};

class NodeTest : public ::testing::Test {
 protected:
  static constexpr int64_t kPatienceMs = 240'000;

  void StartCluster(int datanodes, Cluster::Options options = {}) {
    options.datanodes = datanodes;
    options.namenode_flags = {
        "--block-size=1M",  "--heartbeat-interval=300ms",  "--stale-after=5s",
        "--dead-after=10s", "--redundancy-interval=300ms", "--slow-node-threshold=0"};
    options.datanode_flags.insert(options.datanode_flags.begin(), "--reserved=0");
    auto started = Cluster::Start(options);
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    ASSERT_EQ(cluster_->Cairn({"mkdir", "/d"}).code, 0);
  }
  std::string IdOf(size_t node) { return cluster_->datanode(node).Field("id"); }
  // Its entry among the nodes; null while there is none.
  nlohmann::json ReportOf(size_t node) {
    for (const auto& entry : CairnJson(*cluster_, {"admin", "nodes"})) {
      if (entry.at("id") == IdOf(node)) return entry;
    }
    return {};
  }
  bool AwaitReport(size_t node, const std::function<bool(const nlohmann::json&)>& condition) {
    return WaitUntil(kPatienceMs, [&] {
      const nlohmann::json report = ReportOf(node);
      return report.is_object() && condition(report);
    });
  }
  bool AwaitHealthy() {
    return WaitUntil(kPatienceMs, [&] { return IsHealthy(*cluster_); });
  }
  // The first files of a PutLoop are there, byte for byte.
  void CheckFiles(size_t count) {
    std::filesystem::remove_all(dir_ / "got");
    const CommandResult got = cluster_->Cairn({"get", "/d", dir_ / "got"});
    EXPECT_EQ(got.code, 0) << got.err;
    for (size_t i = 0; i < count; ++i) {
      EXPECT_TRUE(ReadWholeFile(dir_ / fmt::format("got/f{}", i)) == PutLoop::Content(i))
          << "f" << i;
    }
  }

  TempDir dir_;
  std::unique_ptr<Cluster> cluster_;
};

}  // namespace cairn::testing
