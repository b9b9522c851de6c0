// The command line over a real cluster: exit statuses, messages, listings, changes.
#include "tests/integration/cli_fixture.h"

namespace cairn::testing {
namespace {

TEST_F(CliTest, WrongUsageIsTwo) {
  EXPECT_EQ(Run({}).code, 2);
  EXPECT_EQ(Run({"ls"}).code, 2);
  EXPECT_EQ(Run({"nonsense"}).code, 2);
  EXPECT_EQ(Run({"ls", "--nonsense", "/"}).code, 2);
  EXPECT_EQ(Run({"append", "a"}).code, 2);
  EXPECT_EQ(Run({"test", "/"}).code, 2);
  EXPECT_EQ(Run({"setrep", "zero", "/"}).code, 2);
  EXPECT_EQ(Run({"admin", "safe-mode", "maybe"}).code, 2);
  MustFail({"cat", "relative"}, 2,
           "cairn: cat: relative: paths in the cluster are absolute, as in /a/b or "
           "cairn://NAME/a/b; see cairn cat --help\n");
  const CommandResult lax = Run({"put", "--consistency", "lax", "/dev/null", "/x"});
  EXPECT_EQ(lax.code, 2);
  EXPECT_NE(lax.err.find("strong|eventual|weak"), std::string::npos) << lax.err;
}

TEST_F(CliTest, HelpTeaches) {
  const std::string all = Must({"--help"});
  for (const char* word : {"put", "locations", "admin report", "mini"}) {
    EXPECT_NE(all.find(word), std::string::npos) << word;
  }
  EXPECT_NE(Must({"put", "--help"}).find("examples:"), std::string::npos);
  EXPECT_NE(Must({"--version"}).find("cairn "), std::string::npos);
}

TEST_F(CliTest, AClusterThatCannotBeReachedIsThree) {
  const CommandResult result = Run(
      {"ls", "/a", "/b"}, {.env = {{"CAIRN_NAMENODE", "127.0.0.1:1"}, {"CAIRN_TIMEOUT", "300ms"}}});
  EXPECT_EQ(result.code, 3);
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.starts_with("cairn: ls: ")) << result.err;
  EXPECT_EQ(Run({"test", "-e", "/"},
                {.env = {{"CAIRN_NAMENODE", "127.0.0.1:1"}, {"CAIRN_TIMEOUT", "300ms"}}})
                .code,
            3);
}

TEST_F(CliTest, Mkdir) {
  Must({"mkdir", At("a")});
  MustFail({"mkdir", At("a")}, 1, "cairn: mkdir: " + At("a") + ": File exists\n");
  Must({"mkdir", "-p", At("a")});
  MustFail({"mkdir", At("x/y")}, 1, "cairn: mkdir: " + At("x/y") + ": No such file or directory\n");
  Must({"mkdir", "-p", At("x/y/z")});
  Must({"test", "-d", At("x/y/z")});
  Must({"touch", At("file")});
  EXPECT_EQ(Run({"mkdir", "-p", At("file")}).code, 1);
  MustFail({"mkdir", At("file/sub")}, 1, "cairn: mkdir: " + At("file/sub") + ": Not a directory\n");
}

TEST_F(CliTest, GoesOnOverSeveralPaths) {
  Put("a", "1");
  Put("c", "3");
  const CommandResult result = Run({"cat", At("a"), At("b"), At("c")});
  EXPECT_EQ(result.code, 1);
  EXPECT_EQ(result.out, "13");
  EXPECT_EQ(result.err, "cairn: cat: " + At("b") + ": No such file or directory\n");
}

TEST_F(CliTest, Remove) {
  MustFail({"rm", At("a")}, 1, "cairn: rm: " + At("a") + ": No such file or directory\n");
  Must({"rm", "-f", At("a"), At("b*")});
  Put("a", "x");
  Must({"rm", At("a")});
  EXPECT_EQ(Run({"test", "-e", At("a")}).code, 1);
  Must({"mkdir", At("d")});
  MustFail({"rm", At("d")}, 1, "cairn: rm: " + At("d") + ": Is a directory\n");
  Must({"touch", At("d/x")});
  Must({"rm", "-r", At("d")});
  EXPECT_EQ(Run({"test", "-e", At("d")}).code, 1);
  EXPECT_EQ(Run({"rm", "-r", "/"}).code, 1);
  EXPECT_EQ(Run({"rm", "-rf", "/a/.."}).code, 1);
  Must({"test", "-d", base_});
}

TEST_F(CliTest, TestIsSilent) {
  Put("f", "x");
  EXPECT_EQ(Must({"test", "-e", At("f")}), "");
  EXPECT_EQ(Must({"test", "-f", At("f")}), "");
  MustFail({"test", "-d", At("f")}, 1, "");
  MustFail({"test", "-e", At("g")}, 1, "");
  MustFail({"test", "-e", At("f/below")}, 1, "");
  Must({"test", "-d", base_});
}

TEST_F(CliTest, List) {
  Put("b", "22");
  Put("a", "1");
  Must({"mkdir", At("B")});
  Put("B/x", "");
  EXPECT_EQ(Must({"ls", base_}), "B\na\nb\n");
  EXPECT_EQ(Must({"ls", At("a")}), At("a") + "\n");
  EXPECT_EQ(Must({"ls", "-d", base_}), base_ + "\n");
  EXPECT_EQ(Must({"ls", "-R", base_}),
            At("B") + "\n" + At("B/x") + "\n" + At("a") + "\n" + At("b") + "\n");
  EXPECT_EQ(Must({"ls", At("[ab]")}), At("a") + "\n" + At("b") + "\n");
  const std::string lines = Must({"ls", "-l", base_});
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3);
  EXPECT_TRUE(lines.starts_with("drwxr-xr-x - ")) << lines;
  EXPECT_NE(lines.find("-rw-r--r-- 3 "), std::string::npos) << lines;
  MustFail({"ls", At("none*")}, 1, "cairn: ls: " + At("none*") + ": No such file or directory\n");

  const Json json = MustJson({"ls", "--json", base_, At("a")});
  ASSERT_EQ(json.size(), 4u);
  EXPECT_EQ(json[0]["path"], At("a"));
  EXPECT_EQ(json[1]["path"], At("B"));
  EXPECT_EQ(json[1]["type"], "directory");
  EXPECT_EQ(json[3]["length"], 2);
  Must({"mkdir", At("empty")});
  EXPECT_EQ(MustJson({"ls", "--json", At("empty")}), Json::array());
}

TEST_F(CliTest, ALargeDirectoryIsListedWhole) {
  std::vector<std::string> args{"mkdir"};
  for (int i = 0; i < 1100; ++i) args.push_back(At("d" + std::to_string(10'000 + i)));
  Must(args);
  const std::string text = Must({"ls", base_});
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1100);
  EXPECT_TRUE(text.ends_with("d11099\n"));
}

TEST_F(CliTest, Stat) {
  Put("a", "12345");
  const Json json = MustJson({"stat", "--json", At("a")});
  EXPECT_EQ(json["path"], At("a"));
  EXPECT_EQ(json["type"], "file");
  EXPECT_EQ(json["length"], 5);
  EXPECT_EQ(json["replication"], 3);
  EXPECT_EQ(json["block_size"], 1 << 20);
  EXPECT_EQ(json["mode"], "0644");
  EXPECT_EQ(json["blocks"], 1);
  EXPECT_GT(json["mtime_ms"], 0);
  const Json both = MustJson({"stat", "--json", At("a"), base_});
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[1]["type"], "directory");
  EXPECT_NE(Must({"stat", At("a")}).find("length:      5\n"), std::string::npos);
}

TEST_F(CliTest, Move) {
  Put("a", "A");
  Put("b", "B");
  MustFail({"mv", At("a"), At("b")}, 1, "cairn: mv: " + At("b") + ": File exists\n");
  Must({"mkdir", At("d")});
  Must({"mv", At("a"), At("b"), At("d")});
  EXPECT_EQ(Must({"cat", At("d/a"), At("d/b")}), "AB");
  MustFail({"mv", At("d/a"), At("d/b"), At("none")}, 1,
           "cairn: mv: " + At("none") + ": No such file or directory\n" +
               "cairn: mv: " + At("none") + ": No such file or directory\n");
  Must({"mv", At("d"), At("e")});
  Must({"test", "-f", At("e/a")});
  EXPECT_EQ(Run({"mv", At("e"), At("e/sub")}).code, 1);
  Must({"test", "-d", At("e")});
}

TEST_F(CliTest, Touch) {
  Must({"touch", At("new")});
  EXPECT_EQ(MustJson({"stat", "--json", At("new")})["length"], 0);
  Put("old", "content");
  const Json before = MustJson({"stat", "--json", At("old")});
  Must({"touch", At("old")});
  const Json after = MustJson({"stat", "--json", At("old")});
  EXPECT_GE(after["mtime_ms"], before["mtime_ms"]);
  EXPECT_EQ(after["length"], 7);
}

TEST_F(CliTest, Permissions) {
  Put("a", "x");
  Must({"mkdir", At("d")});
  Put("d/b", "x");
  const auto mode = [&](const std::string& name) {
    return MustJson({"stat", "--json", At(name)})["mode"].get<std::string>();
  };
  Must({"chmod", "600", At("a")});
  EXPECT_EQ(mode("a"), "0600");
  Must({"chmod", "u+x,g=r", At("a")});
  EXPECT_EQ(mode("a"), "0740");
  Must({"chmod", "-x", At("a")});
  EXPECT_EQ(mode("a"), "0640");
  Must({"chmod", "-R", "o-rx", At("d")});
  EXPECT_EQ(mode("d"), "0750");
  EXPECT_EQ(mode("d/b"), "0640");
  Must({"chown", "-R", "alice:staff", At("d")});
  EXPECT_EQ(MustJson({"stat", "--json", At("d/b")})["owner"], "alice");
  Must({"chgrp", "wheel", At("d/b")});
  EXPECT_EQ(MustJson({"stat", "--json", At("d/b")})["group"], "wheel");
  const CommandResult other = Run({"--user", "bob", "cat", At("d/b")});
  EXPECT_EQ(other.code, 1);
  EXPECT_TRUE(other.err.starts_with("cairn: cat: " + At("d/b") + ": Permission denied"))
      << other.err;
}

TEST_F(CliTest, Usage) {
  Put("a", "12345");
  Must({"mkdir", At("d")});
  Put("d/b", "123");
  EXPECT_EQ(Must({"du", base_}), "5 15 " + At("a") + "\n3  9 " + At("d") + "\n");
  EXPECT_EQ(Must({"du", At("a")}), "5 15 " + At("a") + "\n");
}

TEST_F(CliTest, Count) {
  Put("a", "12345");
  Must({"mkdir", At("d")});
  Put("d/b", "123");
  EXPECT_EQ(Must({"count", base_}), "2 2 8 " + base_ + "\n");
  EXPECT_EQ(Must({"du", "-s", base_}), "8 24 " + base_ + "\n");
  const std::string df = Must({"df", "-h"});
  EXPECT_EQ(std::count(df.begin(), df.end(), '\n'), 2);
}

TEST_F(CliTest, Find) {
  Put("a.csv", "12345");
  Must({"mkdir", At("d")});
  Put("d/b.csv", "");
  Put("d/c.txt", "x");
  EXPECT_EQ(Must({"find", base_}), base_ + "\n" + At("a.csv") + "\n" + At("d") + "\n" +
                                       At("d/b.csv") + "\n" + At("d/c.txt") + "\n");
  EXPECT_EQ(Must({"find", base_, "-name", "*.csv"}), At("a.csv") + "\n" + At("d/b.csv") + "\n");
  EXPECT_EQ(Must({"find", base_, "--type", "d"}), base_ + "\n" + At("d") + "\n");
  EXPECT_EQ(Must({"find", base_, "-type", "f", "-maxdepth", "1"}), At("a.csv") + "\n");
  EXPECT_EQ(Must({"find", base_, "-size", "+1"}), At("a.csv") + "\n");
  EXPECT_EQ(Run({"find", base_, "-size", "x"}).code, 2);
}

TEST_F(CliTest, HeadAndTail) {
  std::string text;
  for (int i = 1; i <= 100; ++i) text += "line " + std::to_string(i) + "\n";
  Put("t", text);
  EXPECT_EQ(Must({"head", "-n", "2", At("t")}), "line 1\nline 2\n");
  EXPECT_EQ(Must({"head", "-c", "4", At("t")}), "line");
  EXPECT_EQ(Must({"tail", "-n2", At("t")}), "line 99\nline 100\n");
  EXPECT_EQ(Must({"tail", "-n", "+99", At("t")}), "line 99\nline 100\n");
  EXPECT_EQ(Must({"tail", "-c", "4", At("t")}), "100\n");
  const std::string ten = Must({"head", At("t")});
  EXPECT_EQ(std::count(ten.begin(), ten.end(), '\n'), 10);
  Put("u", "u\n");
  EXPECT_EQ(Must({"tail", "-n", "1", At("t"), At("u")}),
            "==> " + At("t") + " <==\nline 100\n\n==> " + At("u") + " <==\nu\n");
}

TEST_F(CliTest, AClosedPipeEndsQuietly) {
  Put("big", Noise(3 << 20));
  const std::string script = "set -o pipefail; \"$0\" cat \"$1\" | head -c 1 >/dev/null";
  auto process =
      Process::Start({.args = {"/bin/bash", "-c", script, BinDir() + "/cairn", At("big")},
                      .env = {{"CAIRN_NAMENODE", cluster_->rpc_address()}, {"HOME", local_.path()}},
                      .stderr_path = local_ / "err"});
  ASSERT_TRUE(process.ok());
  EXPECT_EQ((*process)->Wait(60'000), (ExitState{0, 0}));
  EXPECT_EQ(ReadWholeFile(local_ / "err"), "");
}

}  // namespace
}  // namespace cairn::testing
