// A cluster that the tests of one suite share, each in a directory of its own.
//
// Suites of the command line derive from it: starting four processes for every test would take most
// of the time. Not thread-safe.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/cluster.h"

namespace cairn::testing {

class CliTest : public ::testing::Test {
 protected:
  using Json = nlohmann::json;

  static void SetUpTestSuite() {
    // Blocks of 1 MiB, so that small files have several.
    auto started = Cluster::Start({.datanodes = 3,
                                   .namenode_flags = {"--block-size", "1M"},
                                   .datanode_flags = {"--reserved", "0"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    // A node is healthy when its first report is in.
    ASSERT_TRUE(WaitUntil(60'000, [] {
      const Json report =
          Json::parse(Run({"admin", "report", "--json"}).out, nullptr, /*allow_exceptions=*/false);
      return report.is_object() && report["cluster"]["nodes_healthy"] == 3;
    }));
  }
  static void TearDownTestSuite() { cluster_.reset(); }

  void SetUp() override {
    ASSERT_NE(cluster_, nullptr);
    base_ = std::string("/") + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    ASSERT_EQ(Run({"mkdir", base_}).code, 0);
  }

  static CommandResult Run(std::vector<std::string> args, const CommandOptions& options = {}) {
    return cluster_->Cairn(std::move(args), options);
  }
  // Runs a command that must succeed, and gives its output.
  static std::string Must(std::vector<std::string> args, const CommandOptions& options = {}) {
    const std::string words = ::testing::PrintToString(args);
    const CommandResult result = Run(std::move(args), options);
    EXPECT_EQ(result.code, 0) << words << ": " << result.err;
    EXPECT_EQ(result.err, "") << words;
    return result.out;
  }
  // Runs a command that must fail with `code` and one line on stderr.
  static void MustFail(std::vector<std::string> args, int code, const std::string& error) {
    const std::string words = ::testing::PrintToString(args);
    const CommandResult result = Run(std::move(args));
    EXPECT_EQ(result.code, code) << words << ": " << result.err;
    EXPECT_EQ(result.err, error) << words;
  }
  static Json MustJson(std::vector<std::string> args) {
    const std::string text = Must(std::move(args));
    Json json = Json::parse(text, nullptr, false);
    EXPECT_FALSE(json.is_discarded()) << text;
    return json;
  }

  std::string At(const std::string& name) const { return base_ + "/" + name; }
  // Puts `content` as a file of this test.
  void Put(const std::string& name, const std::string& content) {
    Must({"put", "-f", Local("source", content), At(name)});
  }
  // Writes a local file and gives its path.
  std::string Local(const std::string& name, const std::string& content) {
    const std::string path = local_ / name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }
  // `bytes` bytes that repeat nowhere soon.
  static std::string Noise(size_t bytes, uint64_t seed = 1) {
    std::string text(bytes, '\0');
    uint64_t state = seed * 0x9E3779B97F4A7C15ull;
    for (char& c : text) {
      state = state * 6364136223846793005ull + 1442695040888963407ull;
      c = static_cast<char>(state >> 56);
    }
    return text;
  }

  static inline std::unique_ptr<Cluster> cluster_;
  std::string base_;
  TempDir local_;
};

}  // namespace cairn::testing
