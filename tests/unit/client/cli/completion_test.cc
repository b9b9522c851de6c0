#include "client/cli/completion.h"

#include <gtest/gtest.h>

#include <fstream>

#include "client/cli/commands.h"
#include "tests/support/cluster.h"

namespace cairn::cli {
namespace {

using testing::Process;
using testing::ReadWholeFile;
using testing::TempDir;

// What bash offers after `words`.
std::string Complete(const std::string& words) {
  TempDir dir;
  Cli cli;
  AddCommands(cli);
  std::ofstream(dir / "script") << BashCompletion(cli.line()) << "COMP_WORDS=(" << words << ")\n"
                                << "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                                << "_cairn\nprintf '%s ' \"${COMPREPLY[@]}\"\n";
  auto process = Process::Start({.args = {"/bin/bash", dir / "script"},
                                 .stdout_path = dir / "out",
                                 .stderr_path = dir / "err"});
  EXPECT_TRUE(process.ok());
  EXPECT_TRUE(process.ok() && (*process)->Wait(30'000).has_value());
  EXPECT_EQ(ReadWholeFile(dir / "err"), "");
  return ReadWholeFile(dir / "out");
}

TEST(CompletionTest, Commands) {
  EXPECT_EQ(Complete("cairn mk"), "mkdir ");
  EXPECT_NE(Complete("cairn ''").find("locations "), std::string::npos);
  EXPECT_EQ(Complete("cairn --time"), "--timeout ");
}

TEST(CompletionTest, CommandsInTwoWords) {
  EXPECT_EQ(Complete("cairn admin repo"), "report ");
  EXPECT_EQ(Complete("cairn admin repa"), "repair ");
  EXPECT_EQ(Complete("cairn admin repair --ma"), "--max ");
  EXPECT_EQ(Complete("cairn admin safe-mode en"), "enter ");
  EXPECT_EQ(Complete("cairn bench me"), "metadata ");
  EXPECT_EQ(Complete("cairn bench smallfiles --ca"), "--callers ");
  EXPECT_EQ(Complete("cairn admin report --js"), "--json ");
  EXPECT_EQ(Complete("cairn admin quota --sp"), "--space ");
  EXPECT_EQ(Complete("cairn admin vol"), "volumes ");
  EXPECT_EQ(Complete("cairn admin volumes --rem"), "--remove ");
}

TEST(CompletionTest, Options) {
  EXPECT_EQ(Complete("cairn put --bl"), "--block-size ");
  EXPECT_EQ(Complete("cairn --user x ls --rec"), "--recursive ");
}

TEST(CompletionTest, ZshHasTheSameWords) {
  Cli cli;
  AddCommands(cli);
  const std::string script = ZshCompletion(cli.line());
  EXPECT_TRUE(script.starts_with("#compdef cairn\n"));
  EXPECT_NE(script.find("--block-size"), std::string::npos);
}

TEST(HelpTest, EveryCommandHasAnExample) {
  Cli cli;
  AddCommands(cli);
  for (Command& command : cli.line().commands()) {
    EXPECT_FALSE(command.examples().empty()) << command.name();
    EXPECT_NE(cli.line().Help(&command).find("examples:\n  "), std::string::npos);
  }
}

}  // namespace
}  // namespace cairn::cli
