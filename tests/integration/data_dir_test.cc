// Data directories that a daemon must refuse, or repair: what it says, and that it changes nothing
// (P7).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/integration/program.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

constexpr char kNameNode[] = "cairn-namenode";
constexpr char kDataNode[] = "cairn-datanode";

// A cluster that has stored something, with its daemons stopped as the test wants.
class DataDirTest : public ::testing::Test {
 protected:
  void StartCluster(int datanodes) {
    auto started = Cluster::Start({.datanodes = datanodes, .namenode_flags = {"--replication=1"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    for (int i = 0; i < kDirectories; ++i) {
      ASSERT_EQ(cluster_->Cairn({"mkdir", fmt::format("/d{}", i)}).code, 0);
    }
  }

  Daemon& namenode() { return cluster_->namenode(); }
  std::string current() { return namenode().data_dir() + "/current"; }

  // Starts it on its own directory, which it must refuse and leave as it was.
  void ExpectRefused(const std::string& program, const std::string& data_dir,
                     std::vector<std::string> flags, const std::vector<std::string>& parts) {
    flags.insert(flags.begin(), {"--data-dir", data_dir});
    const auto before = Snapshot(data_dir);
    ExpectOneLine(programs_.RunDaemon(program, flags), 1, program, parts);
    EXPECT_EQ(Snapshot(data_dir), before);
  }

  void ExpectAllDirectories() {
    for (int i = 0; i < kDirectories; ++i) {
      EXPECT_EQ(cluster_->Cairn({"test", "-d", fmt::format("/d{}", i)}).code, 0) << i;
    }
  }

  static constexpr int kDirectories = 3;
  TempDir dir_;
  Programs programs_{&dir_};
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(DataDirTest, NoFormatRefusesAnEmptyDirectory) {
  std::filesystem::create_directory(dir_ / "data");
  ExpectRefused(kNameNode, dir_ / "data", {"--no-format"}, {dir_ / "data", "--no-format"});
  ExpectOneLine(programs_.RunDaemon(kNameNode, {"--data-dir", dir_ / "new", "--no-format"}), 1,
                kNameNode, {dir_ / "new", "--no-format"});
}

TEST_F(DataDirTest, ADamagedClosedSegmentStopsTheStart) {
  StartCluster(0);
  ASSERT_TRUE(namenode().Stop().ok());
  ASSERT_TRUE(namenode().Start().ok());  // closes the first segment for certain
  ASSERT_TRUE(namenode().Stop().ok());
  const auto closed =
      FilesBelow(current(), [](std::string_view name) { return name.starts_with("edits_0"); });
  ASSERT_FALSE(closed.empty());
  const std::string intact = ReadWholeFile(closed.front());
  for (const double place : {0.0, 0.3, 0.6, 0.9}) {
    const auto offset = static_cast<int64_t>(place * static_cast<double>(intact.size()));
    SCOPED_TRACE(offset);
    FlipByte(closed.front(), offset);
    ExpectRefused(kNameNode, namenode().data_dir(), {}, {closed.front(), "byte"});
    WriteWholeFile(closed.front(), intact);
  }
  WriteWholeFile(closed.front(), intact.substr(0, intact.size() / 2));
  ExpectRefused(kNameNode, namenode().data_dir(), {}, {closed.front()});
  WriteWholeFile(closed.front(), intact);
  ASSERT_TRUE(namenode().Start().ok());
  ExpectAllDirectories();
}

TEST_F(DataDirTest, RandomBytesAreNoSegment) {
  StartCluster(0);
  ASSERT_TRUE(namenode().Stop().ok());
  const std::vector<std::string> names = {
      fmt::format("edits_{:020}-{:020}", 100'000, 100'009),  // after a gap
      fmt::format("edits_{:020}-{:020}", 2, 9),              // beside the real one
      fmt::format("edits_inprogress_{:020}", 100'000)};
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const std::string path = current() + "/" + name;
    ASSERT_FALSE(std::filesystem::exists(path));
    WriteWholeFile(path, RandomBytes(7, 100'000));
    ExpectRefused(kNameNode, namenode().data_dir(), {}, {path});
    std::filesystem::remove(path);
  }
  ASSERT_TRUE(namenode().Start().ok());
  ExpectAllDirectories();
}

TEST_F(DataDirTest, AMissingSegmentStopsTheStart) {
  StartCluster(0);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(namenode().Stop().ok());
    ASSERT_TRUE(namenode().Start().ok());
  }
  ASSERT_TRUE(namenode().Stop().ok());
  const auto closed =
      FilesBelow(current(), [](std::string_view name) { return name.starts_with("edits_0"); });
  ASSERT_GE(closed.size(), 2u);
  std::filesystem::rename(closed.front(), dir_ / "kept");
  ExpectRefused(kNameNode, namenode().data_dir(), {}, {"missing"});
  std::filesystem::rename(dir_ / "kept", closed.front());
  ASSERT_TRUE(namenode().Start().ok());
  ExpectAllDirectories();
}

// What a crash in the middle of a write leaves: the start cuts it off and goes on.
TEST_F(DataDirTest, ACutSegmentInProgressIsNoObstacle) {
  StartCluster(0);
  namenode().Kill();
  const auto open = FilesBelow(
      current(), [](std::string_view name) { return name.starts_with("edits_inprogress_"); });
  ASSERT_EQ(open.size(), 1u);
  std::string bytes = ReadWholeFile(open.front());
  const size_t end = bytes.find_last_not_of('\0') + 1;
  ASSERT_GT(end, 100u);
  WriteWholeFile(open.front(), bytes.substr(0, end - 3));
  ASSERT_TRUE(namenode().Start().ok());
  EXPECT_EQ(cluster_->Cairn({"test", "-d", "/d0"}).code, 0);
  EXPECT_EQ(cluster_->Cairn({"mkdir", "/after"}).code, 0);
}

TEST_F(DataDirTest, ADamagedImageStopsTheStart) {
  StartCluster(0);
  ASSERT_EQ(cluster_->Cairn({"admin", "checkpoint"}).code, 0);
  ASSERT_TRUE(namenode().Stop().ok());
  const auto images =
      FilesBelow(current(), [](std::string_view name) { return name.starts_with("fsimage_"); });
  ASSERT_FALSE(images.empty());
  for (const std::string& image : images) FlipByte(image, -20);
  ExpectRefused(kNameNode, namenode().data_dir(), {}, {"fsimage"});
  for (const std::string& image : images) FlipByte(image, -20);
  ASSERT_TRUE(namenode().Start().ok());
  ExpectAllDirectories();
}

TEST_F(DataDirTest, AWrongVersionFileIsRefused) {
  StartCluster(1);
  ASSERT_TRUE(cluster_->datanode(0).Stop().ok());
  const std::vector<std::string> datanode_flags = {"--namenode", cluster_->rpc_address()};
  const std::string node_dir = cluster_->datanode(0).data_dir();
  const auto check = [&](const std::string& program, const std::string& data_dir,
                         const std::vector<std::string>& flags) {
    const std::string path = data_dir + "/VERSION";
    const std::string intact = ReadWholeFile(path);
    ASSERT_NE(intact.find("\"layout\":1"), std::string::npos) << intact;
    std::string newer = intact;
    newer.replace(newer.find("\"layout\":1"), 10, "\"layout\":9");
    for (const std::string& text : {std::string("{"), std::string(), RandomBytes(3, 300),
                                    std::string("{\"layout\":1}"), newer}) {
      WriteWholeFile(path, text);
      ExpectRefused(program, data_dir, flags, {path});
    }
    WriteWholeFile(path, newer);
    ExpectRefused(program, data_dir, flags, {path, "newer"});
    std::filesystem::remove(path);
    ExpectRefused(program, data_dir, flags, {path, "missing"});
    WriteWholeFile(path, intact);
  };
  check(kDataNode, node_dir, datanode_flags);
  ASSERT_TRUE(namenode().Stop().ok());
  check(kNameNode, namenode().data_dir(), {});
}

TEST_F(DataDirTest, ADirectoryOfTheOtherDaemonIsRefused) {
  StartCluster(1);
  ASSERT_TRUE(cluster_->datanode(0).Stop().ok());
  const std::string address = cluster_->rpc_address();
  ASSERT_TRUE(namenode().Stop().ok());
  ExpectRefused(kNameNode, cluster_->datanode(0).data_dir(), {},
                {cluster_->datanode(0).data_dir(), "datanode"});
  ExpectRefused(kDataNode, namenode().data_dir(), {"--namenode", address},
                {namenode().data_dir(), "namenode"});
}

TEST_F(DataDirTest, ADataNodeOfAnotherClusterIsRefused) {
  StartCluster(1);
  ASSERT_TRUE(cluster_->datanode(0).Stop().ok());
  auto other = Cluster::Start({.datanodes = 0});
  ASSERT_TRUE(other.ok()) << other.status();
  ExpectRefused(kDataNode, cluster_->datanode(0).data_dir(),
                {"--namenode", (*other)->rpc_address()}, {"cluster"});
  ASSERT_TRUE(cluster_->datanode(0).Start().ok());
}

TEST_F(DataDirTest, ANameNodeDirectoryOfAnotherClusterIsRefused) {
  StartCluster(0);
  ASSERT_TRUE(namenode().Stop().ok());
  auto other = Cluster::Start({.datanodes = 0});
  ASSERT_TRUE(other.ok()) << other.status();
  ASSERT_TRUE((*other)->namenode().Stop().ok());
  const std::string second = (*other)->namenode().data_dir();
  ExpectRefused(kNameNode, namenode().data_dir(), {"--data-dir", second}, {second, "cluster"});
}

TEST_F(DataDirTest, ADirectoryInUseIsRefused) {
  StartCluster(1);
  const auto refuse = [&](const std::string& program, const std::string& data_dir,
                          std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"--data-dir", data_dir});
    ExpectOneLine(programs_.RunDaemon(program, flags), 1, program, {data_dir, "in use"});
  };
  refuse(kNameNode, namenode().data_dir(), {});
  refuse(kDataNode, cluster_->datanode(0).data_dir(), {"--namenode", cluster_->rpc_address()});
  EXPECT_TRUE(namenode().running());
  EXPECT_TRUE(cluster_->datanode(0).running());
  ExpectAllDirectories();
}

}  // namespace
}  // namespace cairn::testing
