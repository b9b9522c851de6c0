// `cairn mini`: a whole cluster in one process.
#include <gtest/gtest.h>

#include <csignal>

#include <nlohmann/json.hpp>

#include "tests/support/cluster.h"

namespace cairn::testing {
namespace {

class MiniTest : public ::testing::Test {
 protected:
  std::unique_ptr<Process> Start() {
    auto process = Process::Start(
        {.args = {BinDir() + "/cairn", "mini", "--dir", dir_ / "data", "--listen", "127.0.0.1:0",
                  "--http", "127.0.0.1:0", "--ready-file", dir_ / "ready"},
         .stdout_path = dir_ / "out",
         .stderr_path = dir_ / "err"});
    EXPECT_TRUE(process.ok()) << process.status();
    if (!process.ok()) return nullptr;
    const bool ready = WaitUntil(
        60'000, [&] { return !ReadWholeFile(dir_ / "ready").empty() || !(*process)->running(); });
    EXPECT_TRUE(ready);
    ready_ = nlohmann::json::parse(ReadWholeFile(dir_ / "ready"), nullptr, false);
    EXPECT_TRUE(ready_.is_object()) << ReadWholeFile(dir_ / "err");
    return *std::move(process);
  }

  int Cairn(std::vector<std::string> args, const std::string& out) {
    args.insert(args.begin(), BinDir() + "/cairn");
    auto process = Process::Start(
        {.args = args,
         .env = {{"CAIRN_NAMENODE", ready_["rpc"].get<std::string>()}, {"HOME", dir_.path()}},
         .stdout_path = out,
         .stderr_path = dir_ / "err"});
    EXPECT_TRUE(process.ok());
    const auto state = (*process)->Wait(60'000);
    return state ? state->code : -1;
  }

  TempDir dir_;
  nlohmann::json ready_;
};

TEST_F(MiniTest, ServesUntilCtrlCAndGoesOnOnItsFolder) {
  std::unique_ptr<Process> mini = Start();
  ASSERT_TRUE(mini != nullptr && ready_.is_object());
  EXPECT_EQ(ready_["role"], "mini");
  EXPECT_EQ(ready_["pid"], mini->pid());
  EXPECT_EQ(ready_["datanodes"].size(), 3u);
  const std::string expected = "cairn mini ready: rpc=" + ready_["rpc"].get<std::string>() +
                               " http=" + ready_["http"].get<std::string>() +
                               " dir=" + (dir_ / "data") + "\n";
  EXPECT_EQ(ReadWholeFile(dir_ / "out"), expected);
  EXPECT_EQ(Cairn({"put", BinDir() + "/cairn-datanode", "/program"}, dir_ / "1"), 0)
      << ReadWholeFile(dir_ / "err");
  mini->Signal(SIGINT);
  EXPECT_EQ(mini->Wait(30'000), (ExitState{0, 0})) << ReadWholeFile(dir_ / "err");

  mini = Start();
  ASSERT_TRUE(mini != nullptr && ready_.is_object());
  ASSERT_EQ(Cairn({"admin", "safe-mode", "wait"}, dir_ / "2"), 0);
  EXPECT_EQ(Cairn({"cat", "/program"}, dir_ / "copy"), 0) << ReadWholeFile(dir_ / "err");
  EXPECT_TRUE(ReadWholeFile(dir_ / "copy") == ReadWholeFile(BinDir() + "/cairn-datanode"));
  mini->Signal(SIGTERM);
  EXPECT_EQ(mini->Wait(30'000), (ExitState{0, 0}));
}

TEST_F(MiniTest, NeedsAFolder) {
  ready_ = {{"rpc", "127.0.0.1:1"}};
  EXPECT_EQ(Cairn({"mini"}, dir_ / "out"), 2);
}

}  // namespace
}  // namespace cairn::testing
