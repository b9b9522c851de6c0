// Wrong usage of the programs: exit status 2, one line that says what is wrong, nothing touched
// (P7); and the pages that explain right usage.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/integration/program.h"
#include "tests/support/cluster.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

class UsageTest : public ::testing::Test {
 protected:
  // A daemon with a data directory that it must not make.
  void ExpectRefused(const std::string& program, std::vector<std::string> args,
                     const std::vector<std::string>& parts, const Programs::Env& env = {}) {
    args.insert(args.begin(), {"--data-dir", data_});
    SCOPED_TRACE(::testing::PrintToString(args));
    ExpectOneLine(programs_.RunDaemon(program, args, env), 2, program, parts);
    EXPECT_FALSE(std::filesystem::exists(data_));
    std::filesystem::remove_all(data_);
  }

  std::string WriteConfig(const std::string& text) {
    WriteWholeFile(dir_ / "cairn.toml", text);
    return dir_ / "cairn.toml";
  }

  TempDir dir_;
  const std::string data_ = dir_ / "data";
  Programs programs_{&dir_};
};

TEST_F(UsageTest, NameNodeNamesTheWrongFlag) {
  const std::vector<std::vector<std::string>> cases = {
      {"--block-size", "0"},
      {"--block-size", "5000"},
      {"--block-size", "many"},
      {"--block-size", "2T"},
      {"--replication", "0"},
      {"--replication", "three"},
      {"--min-replicas", "0"},
      {"--max-blocks-per-file", "0"},
      {"--max-blocks-per-file", "1000001"},
      {"--heartbeat-interval", "0"},
      {"--stale-after", "10"},
      {"--dead-after", "1m30"},
      {"--lease-hard-limit", "1s"},
      {"--safe-mode-threshold", "1.5"},
      {"--umask", "9"},
      {"--placement", "magic"},
      {"--checkpoint-txns", "0"},
      {"--reserved", "-1"},
      {"--log-level", "loud"},
      {"--cluster", ""},
      {"--no-such-flag", "1"},
      {"--listen", "a:b"},
      {"--listen", "127.0.0.1:99999"},
      {"--http", "127.0.0.1:http"},
  };
  for (const std::vector<std::string>& flags : cases) {
    ExpectRefused("cairn-namenode", flags, {flags.front()});
  }
}

TEST_F(UsageTest, NameNodeNamesLimitsThatDependOnEachOther) {
  ExpectRefused("cairn-namenode", {"--heartbeat-interval", "10s", "--stale-after", "10s"},
                {"--stale-after", "--heartbeat-interval"});
  ExpectRefused("cairn-namenode", {"--stale-after", "20s", "--dead-after", "10s"},
                {"--dead-after", "--stale-after"});
}

TEST_F(UsageTest, DataNodeNamesTheWrongFlag) {
  const std::vector<std::vector<std::string>> cases = {
      {"--namenode", "a:b"},
      {"--capacity", "5X"},
      {"--reserved", "lots"},
      {"--rack", "rack7"},
      {"--listen", "a:b"},
      {"--http", "127.0.0.1:99999"},
      {"--advertise", "0.0.0.0:9866"},
      {"--failed-volumes-tolerated", "1"},
      {"--transfer-memory", "1M"},
      {"--local-socket", "relative"},
      {"--disk-writes", "fast"},
      {"--small-replica-max", "5M"},
      {"--scan-period", "5"},
      {"--scan-period", "10ms"},
      {"--scan-rate", "0"},
      {"--no-such-flag", "1"},
  };
  for (const std::vector<std::string>& flags : cases) {
    ExpectRefused("cairn-datanode", flags, {flags.front()});
  }
  ExpectRefused("cairn-datanode", {"--data-dir", data_}, {"--data-dir", "twice"});
}

TEST_F(UsageTest, AnUnknownHostLeavesNoTrace) {
  for (const std::string program : {"cairn-namenode", "cairn-datanode"}) {
    for (const std::string flag : {"--listen", "--http"}) {
      // RFC 6761: no name ends in .invalid.
      ExpectOneLine(programs_.RunDaemon(program, {"--data-dir", data_, flag, "nowhere.invalid:0"}),
                    1, program, {"nowhere.invalid"});
      EXPECT_FALSE(std::filesystem::exists(data_));
    }
  }
}

TEST_F(UsageTest, ADataDirIsNeeded) {
  for (const std::string program : {"cairn-namenode", "cairn-datanode"}) {
    ExpectOneLine(programs_.RunDaemon(program, {}), 2, program, {"--data-dir"});
  }
}

TEST_F(UsageTest, DaemonsTakeNoOperands) {
  ExpectRefused("cairn-namenode", {"fomrat"}, {"fomrat"});
  ExpectRefused("cairn-datanode", {"start"}, {"start"});
}

TEST_F(UsageTest, ConfigErrorsNameFileLineAndKey) {
  for (const std::string program : {"cairn-namenode", "cairn-datanode"}) {
    ExpectRefused(program, {"--config", WriteConfig("# ours\nlog-level = 'info'\nblok-size = 1\n")},
                  {dir_ / "cairn.toml:3", "blok-size"});
    ExpectRefused(program, {"--config", WriteConfig("listen = 8020\n")},
                  {dir_ / "cairn.toml:1", "listen"});
    ExpectRefused(program, {"--config", WriteConfig("\n\nlog-level = \n")},
                  {dir_ / "cairn.toml:3"});
    ExpectRefused(program, {"--config", dir_ / "missing.toml"}, {dir_ / "missing.toml"});
  }
  ExpectRefused("cairn-namenode", {"--config", WriteConfig("\nreplication = 'three'\n")},
                {dir_ / "cairn.toml:2", "replication"});
  ExpectRefused("cairn-namenode", {"--config", WriteConfig("dead-after = 60\n")},
                {dir_ / "cairn.toml:1", "dead-after"});
  ExpectRefused("cairn-datanode", {"--config", WriteConfig("capacity = true\n")},
                {dir_ / "cairn.toml:1", "capacity"});
}

TEST_F(UsageTest, ErrorsOfTheEnvironmentNameTheVariable) {
  ExpectRefused("cairn-namenode", {}, {"CAIRN_REPLICATION"}, {{"CAIRN_REPLICATION", "0"}});
  ExpectRefused("cairn-datanode", {}, {"CAIRN_CAPACITY"}, {{"CAIRN_CAPACITY", "big"}});
}

TEST_F(UsageTest, EveryProgramTellsItsVersion) {
  for (const std::string program : {"cairn-namenode", "cairn-datanode", "cairn"}) {
    const CommandResult version = programs_.Run(program, {"--version"});
    EXPECT_EQ(version.code, 0);
    EXPECT_EQ(version.err, "");
    EXPECT_TRUE(version.out.starts_with(program + " ")) << version.out;
    EXPECT_NE(version.out.find(CAIRN_VERSION), std::string::npos) << version.out;
  }
}

TEST_F(UsageTest, HelpNamesEveryFlagWithItsDefault) {
  const std::map<std::string, std::vector<std::string>> expected = {
      {"cairn-namenode",
       {"--data-dir", "--block-size", "128M", "--dead-after", "1m", "--ready-file"}},
      {"cairn-datanode",
       {"--data-dir", "--namenode", "127.0.0.1:8020", "--capacity", "--reserved", "--scan-period",
        "21d"}},
      {"cairn", {"put", "get", "admin report", "--namenode", "--timeout", "30s"}}};
  for (const auto& [program, parts] : expected) {
    const CommandResult help = programs_.Run(program, {"--help"});
    EXPECT_EQ(help.code, 0);
    EXPECT_EQ(help.err, "");
    for (const std::string& part : parts) {
      EXPECT_NE(help.out.find(part), std::string::npos) << part << " is not in\n" << help.out;
    }
  }
}

TEST_F(UsageTest, ClientWithoutANameNodeEndsInTime) {
  // Nobody listens on port 1.
  const CommandResult result =
      programs_.Run("cairn", {"--namenode", "127.0.0.1:1", "--timeout", "2s", "ls", "/"});
  ExpectOneLine(result, 3, "cairn", {"127.0.0.1:1"});
}

}  // namespace
}  // namespace cairn::testing
