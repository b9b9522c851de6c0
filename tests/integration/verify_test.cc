// `cairn-namenode verify`: beside a NameNode at work, after its end, and on damaged files.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <sstream>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/admin_client.h"
#include "client/file_system.h"
#include "tests/integration/program.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

using Json = nlohmann::json;

class VerifyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto started =
        Cluster::Start({.datanodes = 0, .namenode_flags = {"--data-dir", dir_ / "second"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    fs_ = *FileSystem::Connect({.namenodes = {cluster_->rpc_address()}});
  }
  std::vector<std::string> Dirs() { return {cluster_->namenode().data_dir(), dir_ / "second"}; }
  // The summary; each line on its own in `lines_`.
  Json Verify(int code) {
    const CommandResult result =
        programs_.Run("cairn-namenode", {"verify", "--data-dir", Dirs()[0] + "," + Dirs()[1]});
    EXPECT_EQ(result.code, code) << result.out << result.err;
    lines_.clear();
    std::istringstream text(result.out);
    for (std::string line; std::getline(text, line);) lines_.push_back(Json::parse(line));
    return lines_.empty() ? Json() : lines_.back();
  }

  TempDir dir_;
  Programs programs_{&dir_};
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<FileSystem> fs_;
  std::vector<Json> lines_;
};

TEST_F(VerifyTest, BesideANameNodeAtWorkAllIsWell) {
  std::atomic<bool> done = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; !done; ++i) {
        EXPECT_EQ(fs_->Mkdirs(fmt::format("/{}-{}", t, i), false), absl::OkStatus());
      }
    });
  }
  threads.emplace_back([&] {
    while (!done) EXPECT_EQ(cluster_->Cairn({"admin", "checkpoint"}).code, 0);
  });
  for (int i = 0; i < 5; ++i) {
    const Json summary = Verify(0);
    EXPECT_EQ(summary["damaged"], 0) << summary;
    EXPECT_EQ(summary["starts"], true) << summary;
  }
  done = true;
  for (std::thread& thread : threads) thread.join();
  cluster_->namenode().Kill();
  EXPECT_EQ(Verify(0)["starts"], true);
  ASSERT_EQ(cluster_->namenode().Start(), absl::OkStatus());
}

TEST_F(VerifyTest, DamageIsNamedAndUsageErrorsAreTold) {
  ASSERT_EQ(fs_->Mkdirs("/a", false), absl::OkStatus());
  ASSERT_TRUE(cluster_->namenode().Stop().ok());  // closes its segment
  const std::string current = Dirs()[0] + "/current/";
  const std::string segment = current + NamesWithPrefix(current, "edits_").front();
  FlipByte(segment, 60);
  Json summary = Verify(1);
  EXPECT_EQ(summary["damaged"], 1);
  EXPECT_EQ(summary["starts"], false);
  for (const Json& line : lines_) {
    if (line.contains("file") && line["file"] == segment) {
      EXPECT_EQ(line["status"], "damaged");
      EXPECT_EQ(line["offset"], 44);  // of the batch, behind the segment's header
    }
  }
  FlipByte(segment, 60);
  EXPECT_EQ(Verify(0)["status"], "ok");
  ExpectOneLine(programs_.Run("cairn-namenode", {"verify"}), 2, "cairn-namenode", {"--data-dir"});
  EXPECT_EQ(programs_.Run("cairn-namenode", {"verify", "--data-dir", dir_ / "none"}).code, 1);
}

}  // namespace
}  // namespace cairn::testing
