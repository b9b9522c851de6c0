#include "common/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/common/temp_dir.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The shape of the client: global options, commands of one and of two words.
struct Client {
  CommandLine line{"cairn", "Files in a Cairn cluster"};
  std::string user;
  std::string namenode = "127.0.0.1:8020";
  int64_t timeout_ms = 30'000;
  bool force = false, recursive = false, human = false, json = false;
  int64_t replication = 0, lines = 10;
  std::map<std::string, std::string> environment;

  Client() {
    line.globals().AddString("user", &user, "act as");
    line.globals().AddString("namenode", &namenode, "NameNodes").Value("HOST:PORT,...");
    line.globals().AddDuration("timeout", &timeout_ms, "how long to wait");
    line.AddConfigOption();
    Command& put = line.AddCommand("put", "SRC... DST", 2, Command::kAnyNumber, "store files");
    put.options().AddBool("force", &force, "replace").Short('f');
    put.options().AddInt("replication", &replication, 1, 512, "copies").Short('r');
    Command& ls = line.AddCommand("ls", "PATH...", 1, Command::kAnyNumber, "list");
    ls.options().AddBool("recursive", &recursive, "all below").Short('R');
    ls.options().AddBool("human-readable", &human, "sizes for people").Short('h');
    Command& head = line.AddCommand("head", "PATH", 1, 1, "first lines");
    head.options().AddInt("lines", &lines, 0, 1 << 20, "how many").Short('n');
    Command& report = line.AddCommand("admin report", "", 0, 0, "the cluster");
    report.options().AddBool("json", &json, "as JSON");
    line.AddCommand("admin health", "", 0, 0, "the blocks");
  }

  absl::StatusOr<ParsedCommand> Parse(const std::vector<std::string>& args) {
    return line.Parse(args, [this](const char* name) -> const char* {
      const auto it = environment.find(name);
      return it == environment.end() ? nullptr : it->second.c_str();
    });
  }
};

ParsedCommand MustParse(Client& client, const std::vector<std::string>& args) {
  absl::StatusOr<ParsedCommand> parsed = client.Parse(args);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? *std::move(parsed) : ParsedCommand();
}

std::string ErrorOf(const std::vector<std::string>& args) {
  Client client;
  const absl::Status status = client.Parse(args).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kUsage) << status;
  EXPECT_EQ(MessageOf(status).find('\n'), std::string_view::npos);
  return std::string(MessageOf(status));
}

TEST(CommandLineTest, OptionsAndOperandsMix) {
  Client client;
  const ParsedCommand parsed = MustParse(
      client, {"--user=ann", "put", "-f", "a", "b", "-r", "2", "--timeout", "5s", "/dst"});
  EXPECT_EQ(parsed.command->name(), "put");
  EXPECT_THAT(parsed.operands, ElementsAre("a", "b", "/dst"));
  EXPECT_EQ(client.user, "ann");
  EXPECT_TRUE(client.force);
  EXPECT_EQ(client.replication, 2);
  EXPECT_EQ(client.timeout_ms, 5000);
}

TEST(CommandLineTest, ShortOptionsCluster) {
  Client client;
  MustParse(client, {"ls", "-Rh", "/"});
  EXPECT_TRUE(client.recursive);
  EXPECT_TRUE(client.human);
  Client put;
  MustParse(put, {"put", "-fr2", "a", "/b"});
  EXPECT_TRUE(put.force);
  EXPECT_EQ(put.replication, 2);
  Client head;
  MustParse(head, {"head", "-n5", "/f"});
  EXPECT_EQ(head.lines, 5);
}

TEST(CommandLineTest, DashesAndAwkwardOperands) {
  Client client;
  EXPECT_THAT(MustParse(client, {"put", "-", "/x"}).operands, ElementsAre("-", "/x"));
  Client dashes;
  EXPECT_THAT(MustParse(dashes, {"put", "--", "-f", "--user", "/x"}).operands,
              ElementsAre("-f", "--user", "/x"));
  EXPECT_FALSE(dashes.force);
  Client names;  // names of commands, brackets and blanks are ordinary operands
  EXPECT_THAT(MustParse(names, {"put", "ls", "[a,b]", "", "a=b", "admin"}).operands,
              ElementsAre("ls", "[a,b]", "", "a=b", "admin"));
}

TEST(CommandLineTest, FlagsTakeTrueOrFalseOnlyWithEquals) {
  Client client;
  EXPECT_THAT(MustParse(client, {"put", "--force=false", "true", "/x"}).operands,
              ElementsAre("true", "/x"));
  EXPECT_FALSE(client.force);
  EXPECT_EQ(ErrorOf({"put", "--force=yes", "a", "/x"}), "--force: 'yes' is neither true nor false");
}

TEST(CommandLineTest, CommandsOfTwoWords) {
  Client client;
  const ParsedCommand parsed = MustParse(client, {"admin", "--user", "root", "report", "--json"});
  EXPECT_EQ(parsed.command->name(), "admin report");
  EXPECT_TRUE(client.json);
  EXPECT_EQ(client.user, "root");
  EXPECT_EQ(ErrorOf({"admin"}), "admin needs one of report, health; see cairn --help");
  EXPECT_EQ(ErrorOf({"admin", "rport"}),
            "unknown command 'admin rport'; admin needs one of report, health; see cairn --help");
}

TEST(CommandLineTest, WrongUsageIsOneLine) {
  EXPECT_EQ(ErrorOf({}), "no command given; see cairn --help");
  EXPECT_EQ(ErrorOf({"--user", "x"}), "no command given; see cairn --help");
  EXPECT_EQ(ErrorOf({"puts"}), "unknown command 'puts'; see cairn --help");
  EXPECT_EQ(ErrorOf({"put", "a"}), "put: missing operand: put SRC... DST; see cairn put --help");
  EXPECT_EQ(ErrorOf({"head", "a", "b"}),
            "head: too many operands: head PATH; see cairn head --help");
  EXPECT_EQ(ErrorOf({"admin", "report", "x"}),
            "admin report: takes no operands; see cairn admin report --help");
  EXPECT_EQ(ErrorOf({"put", "--forse", "a", "/b"}),
            "put: unknown option --forse; see cairn put --help");
  EXPECT_EQ(ErrorOf({"ls", "-x", "/"}), "ls: unknown option -x; see cairn ls --help");
  EXPECT_EQ(ErrorOf({"put", "-h", "a", "/"}), "put: unknown option -h; see cairn put --help");
  EXPECT_EQ(ErrorOf({"put", "a", "/b", "-r"}), "put: -r needs a value; see cairn put --help");
  EXPECT_EQ(ErrorOf({"ls", "/", "--user", "--timeout", "3s"}),
            "ls: --user needs a value; see cairn ls --help");
  EXPECT_EQ(ErrorOf({"put", "-r", "0", "a", "/b"}), "-r: 0 is not in 1..512");
  EXPECT_THAT(ErrorOf({"ls", "/", "--timeout", "3"}),
              HasSubstr("--timeout: the duration '3' needs"));
}

TEST(CommandLineTest, HelpAndVersionNeedNothingElse) {
  Client client;
  const ParsedCommand parsed = MustParse(client, {"put", "--help"});
  EXPECT_TRUE(parsed.help);
  const std::string page = client.line.Help(parsed.command);
  EXPECT_THAT(page, HasSubstr("usage: cairn put [options] SRC... DST"));
  EXPECT_THAT(page, HasSubstr("-r, --replication N"));
  EXPECT_THAT(page, HasSubstr("--timeout TIME"));
  EXPECT_THAT(page, HasSubstr("(default 30s)"));
  Client all;
  EXPECT_TRUE(MustParse(all, {"--help"}).help);
  EXPECT_THAT(all.line.Help(nullptr), HasSubstr("admin health"));
  Client version;
  EXPECT_TRUE(MustParse(version, {"--version"}).version);
  EXPECT_THAT(version.line.Version(), HasSubstr("cairn 0."));
}

TEST(CommandLineTest, CommandLineBeatsEnvironmentBeatsFile) {
  TempDir dir;
  const std::string config = dir / "c.toml";
  std::ofstream(config) << "user = \"file\"\nnamenode = \"file:1\"\ntimeout = \"1s\"\n";
  Client client;
  client.environment = {
      {"CAIRN_NAMENODE", "env:1"}, {"CAIRN_TIMEOUT", "2s"}, {"CAIRN_FORCE", "true"}};
  MustParse(client, {"--config", config, "put", "--timeout", "3s", "a", "/b"});
  EXPECT_EQ(client.user, "file");
  EXPECT_EQ(client.namenode, "env:1");
  EXPECT_EQ(client.timeout_ms, 3000);
  EXPECT_FALSE(client.force);  // a command's own options come from the command line alone

  Client from_environment;
  from_environment.environment = {{"CAIRN_CONFIG", config}};
  MustParse(from_environment, {"ls", "/"});
  EXPECT_EQ(from_environment.user, "file");
}

TEST(CommandLineTest, AWrongFileIsAnErrorEvenWhenOverridden) {
  TempDir dir;
  const std::string config = dir / "c.toml";
  std::ofstream(config) << "user = \"x\"\ntimeout = \"soon\"\n";
  Client client;
  const absl::Status status =
      client.Parse({"ls", "/", "--timeout=1s", "--config", config}).status();
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr(config + ":2: timeout: 'soon'"));
}

TEST(CommandLineTest, DefaultConfigFiles) {
  TempDir dir;
  std::ofstream(dir / "second.toml") << "user = \"second\"\n";
  CommandLine line("cairn-datanode", "Keeps blocks");
  std::string user;
  line.globals().AddString("user", &user, "who");
  line.AddConfigOption({dir / "first.toml", dir / "second.toml"});
  const auto none = [](const char*) -> const char* { return nullptr; };
  const auto parsed = line.Parse({}, none);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->command, nullptr);
  EXPECT_THAT(parsed->operands, IsEmpty());
  EXPECT_EQ(user, "second");
  EXPECT_THAT(std::string(MessageOf(line.Parse({"extra"}, none).status())),
              HasSubstr("unexpected operand 'extra'"));
}

TEST(CommandLineTest, ACommandMayBeMissingWhereTheProgramSaysSo) {
  CommandLine line("cairn-namenode", "Holds the namespace");
  line.AddCommand("verify", "", 0, 0, "check the files");
  line.CommandMayBeMissing();
  const auto none = [](const char*) -> const char* { return nullptr; };
  EXPECT_EQ(line.Parse({}, none)->command, nullptr);
  EXPECT_EQ(line.Parse({"verify"}, none)->command->name(), "verify");
}

}  // namespace
}  // namespace cairn
