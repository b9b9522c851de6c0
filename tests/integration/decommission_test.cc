// DataNodes that are taken out of service while the cluster is used: no file notices.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/node_fixture.h"

namespace cairn::testing {
namespace {

class DecommissionTest : public NodeTest {
 protected:
  bool AwaitField(size_t node, const std::string& field, const nlohmann::json& value) {
    return AwaitReport(node,
                       [&](const nlohmann::json& report) { return report.at(field) == value; });
  }
  // Ids of the nodes that a file's blocks are said to be on.
  std::set<std::string> NodesOf(const std::string& path) {
    std::set<std::string> nodes;
    for (const auto& block : CairnJson(*cluster_, {"locations", path})) {
      for (const auto& node : block.at("nodes")) nodes.insert(node.at("id"));
    }
    return nodes;
  }
};

TEST_F(DecommissionTest, TwoOfFiveNodesLeaveWhileFilesAreWritten) {
  StartCluster(5);
  PutLoop writer(cluster_.get(), &dir_);
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return writer.written() >= 5; })) << writer.errors();

  // Two nodes on which a block is being written: nothing may end before that block does. It is told
  // from the writer's by its size; the last packet, of up to 1 MiB, waits until it is full.
  const std::string slow_content = RandomBytes(7, 6'000'000);
  SlowPut slow(cluster_.get(), {"--block-size=64M", "--timeout=100s"}, "/slow");
  ASSERT_TRUE(slow.Feed(slow_content.substr(0, 4'000'000)));
  const auto writes_slow = [&](size_t i) {
    for (const std::string& path : OpenFiles(cluster_->datanode(i))) {
      std::error_code gone;
      if (std::filesystem::file_size(path, gone) >= 2'000'000 && !gone) return true;
    }
    return false;
  };
  std::vector<size_t> leaving;
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] {
    leaving.clear();
    for (size_t i = 0; i < 5; ++i) {
      if (writes_slow(i)) leaving.push_back(i);
    }
    return leaving.size() == 3;
  }));
  leaving.pop_back();
  std::vector<std::unique_ptr<Process>> commands;
  for (const size_t i : leaving) {
    auto command =
        cluster_->StartCairn({"--timeout", "100s", "admin", "decommission", "--wait", IdOf(i)},
                             dir_ / fmt::format("out{}", i), dir_ / fmt::format("err{}", i));
    ASSERT_TRUE(command.ok());
    commands.push_back(*std::move(command));
  }
  // All else has left them.
  for (const size_t i : leaving) {
    ASSERT_TRUE(AwaitField(i, "admin_reason", "waits for 1 block: 1 being written"))
        << ReportOf(i).dump();
  }

  cluster_->namenode().Kill();
  const absl::Status started = cluster_->namenode().Start();
  ASSERT_TRUE(started.ok()) << started;
  const absl::Status off = cluster_->AwaitSafeModeOff(kPatienceMs);
  ASSERT_TRUE(off.ok()) << off;
  for (const size_t i : leaving) EXPECT_EQ(ReportOf(i).at("admin_state"), "decommissioning");
  const size_t before = writer.written();
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return writer.written() > before + 2; }));
  for (const auto& command : commands) EXPECT_TRUE(command->running());

  ASSERT_TRUE(slow.Feed(slow_content.substr(4'000'000)));
  const CommandResult put = slow.Finish();
  ASSERT_EQ(put.code, 0) << put.err;
  for (size_t i = 0; i < commands.size(); ++i) {
    const std::string n = std::to_string(leaving[i]);
    EXPECT_EQ(commands[i]->Wait(kPatienceMs), (ExitState{0, 0}))
        << ReadWholeFile(dir_ / ("err" + n)) << ReportOf(leaving[i]).dump();
    EXPECT_EQ(ReadWholeFile(dir_ / ("out" + n)),
              IdOf(leaving[i]) + " is decommissioned and may go\n");
  }
  for (const size_t i : leaving) cluster_->datanode(i).Kill();
  for (const size_t i : leaving) ASSERT_TRUE(AwaitField(i, "status", "failed"));
  const size_t then = writer.written();
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return writer.written() > then + 1; }));
  writer.Stop();
  EXPECT_EQ(writer.errors(), "");
  EXPECT_TRUE(AwaitHealthy()) << cluster_->Cairn({"admin", "health"}).out;
  CheckFiles(writer.written());
  EXPECT_TRUE(cluster_->Cairn({"cat", "/slow"}).out == slow_content);
  for (const size_t i : leaving) {
    EXPECT_FALSE(NodesOf("/slow").contains(IdOf(i)));
    EXPECT_EQ(ReportOf(i).at("admin_state"), "decommissioned");
  }

  // And back: what they hold is surplus or not needed, and they are written to again.
  for (const size_t i : leaving) {
    ASSERT_TRUE(cluster_->datanode(i).Start().ok());
    const CommandResult back = cluster_->Cairn({"admin", "recommission", "--wait", IdOf(i)});
    EXPECT_EQ(back.code, 0) << back.err;
    EXPECT_EQ(ReportOf(i).at("admin_state"), "in_service");
  }
  const CommandResult wide = cluster_->Cairn({"put", "-r", "5", dir_ / "f0", "/wide"});
  ASSERT_EQ(wide.code, 0) << wide.err;
  EXPECT_TRUE(WaitUntil(kPatienceMs, [&] { return NodesOf("/wide").size() == 5; }));
  EXPECT_TRUE(AwaitHealthy()) << cluster_->Cairn({"admin", "health"}).out;
  CheckFiles(writer.written());
}

TEST_F(DecommissionTest, ANodeInMaintenanceIsStoppedAndNothingIsCopied) {
  StartCluster(4);
  {
    PutLoop writer(cluster_.get(), &dir_);
    ASSERT_TRUE(WaitUntil(kPatienceMs, [&] { return writer.written() >= 6; })) << writer.errors();
  }
  ASSERT_EQ(cluster_->Cairn({"put", "-r", "1", dir_ / "f0", "/single"}).code, 0);
  ASSERT_TRUE(AwaitHealthy());
  const std::string id = *NodesOf("/single").begin();
  size_t node = 0;
  while (IdOf(node) != id) ++node;
  ASSERT_EQ(cluster_->Cairn({"--user", "nobody", "admin", "maintenance", id}).code, 1);
  const CommandResult stranger = cluster_->Cairn({"admin", "maintenance", "nowhere:1"});
  EXPECT_EQ(stranger.code, 1);
  EXPECT_EQ(stranger.err,
            "cairn: admin maintenance: no DataNode is called 'nowhere:1'; `cairn admin nodes` "
            "lists them\n");
  EXPECT_EQ(cluster_->Cairn({"admin", "maintenance"}).code, 2);
  EXPECT_EQ(ReportOf(node).at("admin_state"), "in_service");

  // By the beginning of its id. /single is the only file that no other node has.
  const CommandResult entered =
      cluster_->Cairn({"admin", "maintenance", "--wait", id.substr(0, 20)});
  ASSERT_EQ(entered.code, 0) << entered.err;
  EXPECT_EQ(entered.out, id + " is in maintenance and may be stopped\n");
  EXPECT_EQ(ReportOf(node).at("blocks_left"), 0);
  EXPECT_EQ(NodesOf("/single").size(), 1u);
  EXPECT_FALSE(NodesOf("/single").contains(id));
  ASSERT_TRUE(cluster_->datanode(node).Stop().ok());
  ASSERT_TRUE(AwaitField(node, "status", "failed"));
  // What is too much is deleted by and by.
  size_t replicas = 0;
  ASSERT_TRUE(WaitUntil(kPatienceMs, [&] {
    replicas = CountFinalized(*cluster_);
    WaitUntil(5'000, [] { return false; });
    return CountFinalized(*cluster_) == replicas;
  }));
  // A file of one block shows that rounds of repair have come and gone; what they made for it is
  // all that they made.
  ASSERT_EQ(cluster_->Cairn({"put", "-r", "1", dir_ / "f0", "/marker"}).code, 0);
  for (const char* wanted : {"2", "3"}) {
    ASSERT_EQ(cluster_->Cairn({"setrep", "-w", wanted, "/marker"}).code, 0);
  }
  const size_t settled = CountFinalized(*cluster_);
  EXPECT_EQ(settled, replicas + 3);
  EXPECT_EQ(ReportNumber(*cluster_, "health_score"), 100);
  CheckFiles(6);

  ASSERT_TRUE(cluster_->datanode(node).Start().ok());
  const CommandResult back = cluster_->Cairn({"admin", "recommission", "--wait", id});
  EXPECT_EQ(back.code, 0) << back.err;
  EXPECT_TRUE(AwaitHealthy()) << cluster_->Cairn({"admin", "health"}).out;
  EXPECT_LE(CountFinalized(*cluster_), settled);
  CheckFiles(6);
}

}  // namespace
}  // namespace cairn::testing
