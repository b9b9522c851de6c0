// Disks that lose bytes, and people that remove and bring back files, under real DataNodes: nobody
// reads, and the cluster heals all the same.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "tests/integration/cluster_view.h"
#include "tests/support/files.h"
#include "tests/support/http_get.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kBlock = 1 << 20;
constexpr int64_t kPatienceMs = 240'000;

class ScrubberTest : public ::testing::Test {
 protected:
  void Start() {
    auto started = Cluster::Start({.datanodes = 3, .datanode_flags = {"--scan-period", "2s"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
  }
  std::string Local(const std::string& name) const { return cluster_->dir() / name; }
  void PutFile(const std::string& name, const std::string& replication, std::string_view bytes) {
    WriteWholeFile(Local("source"), bytes);
    const CommandResult put =
        cluster_->Cairn({"put", "-r", replication, "--block-size", "1M", Local("source"), name});
    ASSERT_EQ(put.code, 0) << put.err;
  }
  // The sum of a metric over the volumes of a DataNode.
  double Metric(size_t node, const std::string& name) {
    const auto page = HttpGet(cluster_->datanode(node).Field("http"), "/metrics");
    if (!page.ok()) return 0;
    double sum = 0;
    const std::string line = "\ncairn_datanode_scan_" + name + "{";
    for (size_t at = page->body.find(line); at != std::string::npos;
         at = page->body.find(line, at + 1)) {
      sum += std::stod(page->body.substr(page->body.find("} ", at) + 2));
    }
    return sum;
  }
  // Every DataNode has the same blocks with the same bytes.
  bool AllAreEqual(size_t blocks) {
    std::map<std::string, std::string> first;
    for (size_t i = 0; i < cluster_->datanodes(); ++i) {
      std::map<std::string, std::string> held;
      for (const std::string& file : FinalizedFiles(cluster_->datanode(i))) {
        held[std::filesystem::path(file).filename()] = ReadWholeFile(file);
      }
      if (held.size() != blocks) return false;
      if (i == 0) first = held;
      if (held != first) return false;
    }
    return true;
  }

  std::unique_ptr<Cluster> cluster_;
};

TEST_F(ScrubberTest, RotCutsAndRemovalsAreFoundAndHealed) {
  ASSERT_NO_FATAL_FAILURE(Start());
  constexpr size_t kFiles = 4;
  std::vector<std::string> contents;
  for (size_t i = 0; i < kFiles; ++i) {
    contents.push_back(RandomBytes(i, 2 * kBlock + 12'345));
    ASSERT_NO_FATAL_FAILURE(PutFile("/f" + std::to_string(i), "3", contents.back()));
  }
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return AllAreEqual(3 * kFiles); }));
  const std::vector<std::string> files = FinalizedFiles(cluster_->datanode(0));
  ASSERT_EQ(files.size(), 3 * kFiles);
  FlipByte(files[1], 12'000);
  std::filesystem::resize_file(FinalizedFiles(cluster_->datanode(1))[4], 5'000);
  std::filesystem::remove(FinalizedFiles(cluster_->datanode(2))[7]);

  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] { return Metric(0, "bad_total") == 1; }));
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] { return Metric(1, "bad_total") == 1; }));
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] { return Metric(2, "vanished_total") == 1; }));
  EXPECT_TRUE(
      WaitUntil(kPatienceMs, [&] { return IsHealthy(*cluster_) && AllAreEqual(3 * kFiles); }));
  for (size_t i = 0; i < kFiles; ++i) {
    const CommandResult cat = cluster_->Cairn({"cat", "/f" + std::to_string(i)});
    EXPECT_TRUE(cat.out == contents[i]) << cat.err;
  }
  // All that was bad has been removed, and nothing else was taken for bad.
  EXPECT_EQ(Metric(0, "bad_total") + Metric(1, "bad_total") + Metric(2, "bad_total"), 2);
  for (size_t i = 0; i < 3; ++i) {
    const auto stopped = cluster_->datanode(i).Stop();
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->code, 0);
  }
}

TEST_F(ScrubberTest, AReplicaThatIsBroughtBackCountsAgain) {
  ASSERT_NO_FATAL_FAILURE(Start());
  const std::string bytes = RandomBytes(9, 300'000);
  ASSERT_NO_FATAL_FAILURE(PutFile("/only", "1", bytes));
  std::string data;
  for (size_t i = 0; i < cluster_->datanodes(); ++i) {
    for (const std::string& file : FinalizedFiles(cluster_->datanode(i))) data = file;
  }
  ASSERT_FALSE(data.empty());
  // It was small, so at first a log has it, and its checksum file another name.
  std::vector<std::string> checksums;
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] {
    checksums = FilesBelow(std::filesystem::path(data).parent_path(),
                           [](std::string_view name) { return name.ends_with(".meta"); });
    return checksums.size() == 1;
  }));
  const std::string kept = Local("kept");
  std::filesystem::copy_file(checksums[0], kept + ".meta");
  std::filesystem::rename(data, kept);
  EXPECT_TRUE(
      WaitUntil(kPatienceMs, [&] { return ReportNumber(*cluster_, "missing_blocks") == 1; }));
  std::filesystem::rename(kept + ".meta", checksums[0]);
  std::filesystem::rename(kept, data);
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] { return IsHealthy(*cluster_); }));
  const CommandResult cat = cluster_->Cairn({"cat", "/only"});
  EXPECT_TRUE(cat.out == bytes) << cat.err;
}

}  // namespace
}  // namespace cairn::testing
