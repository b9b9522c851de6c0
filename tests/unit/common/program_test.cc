#include "common/program.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/common/temp_dir.h"

namespace cairn {
namespace {

TEST(ProgramTest, ExitStatus) {
  EXPECT_EQ(ExitStatusOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitStatusOf(absl::NotFoundError("x")), 1);
  EXPECT_EQ(ExitStatusOf(UsageError("x")), 2);
  EXPECT_EQ(ExitStatusOf(WithKind(absl::UnavailableError("x"), ErrorKind::kClusterUnreachable)), 3);
}

TEST(ProgramTest, BeginProgram) {
  TempDir dir;
  const std::string ready = dir / "ready.json";
  std::ofstream(ready) << "old";
  const auto run = [&](std::vector<const char*> argv, std::string* out) {
    argv.insert(argv.begin(), "cairn-datanode");
    CommandLine line("cairn-datanode", "Keeps blocks");
    line.CommandMayBeMissing();
    line.AddCommand("verify", "", 0, 0, "works beside a daemon");
    CommonFlags flags;
    flags.Declare(line);
    ParsedCommand parsed;
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    const auto status =
        BeginProgram(line, static_cast<int>(argv.size()), argv.data(), flags, &parsed);
    *out = testing::internal::GetCapturedStdout() + testing::internal::GetCapturedStderr();
    return status;
  };
  std::string out;
  EXPECT_EQ(run({"--version"}, &out), 0);
  EXPECT_EQ(out, std::string("cairn-datanode ") + CAIRN_VERSION + "\n");
  EXPECT_EQ(run({"--help"}, &out), 0);
  EXPECT_NE(out.find("--ready-file FILE"), std::string::npos);
  EXPECT_EQ(run({"--bogus"}, &out), 2);
  EXPECT_EQ(out, "cairn-datanode: unknown option --bogus; see cairn-datanode --help\n");
  EXPECT_EQ(run({"--log-level", "loud"}, &out), 2);
  EXPECT_EQ(run({"--log-file", "/proc/no/such/log"}, &out), 1);
  EXPECT_EQ(run({"--ready-file", ready.c_str(), "verify"}, &out), std::nullopt);
  EXPECT_TRUE(std::ifstream(ready).good());  // of the daemon beside it
  EXPECT_EQ(run({"--ready-file", ready.c_str()}, &out), std::nullopt);
  EXPECT_FALSE(std::ifstream(ready).good());
}

TEST(ProgramTest, ReadyFile) {
  TempDir dir;
  const auto env = NewPosixEnv();
  const std::string path = dir / "ready.json";
  ASSERT_TRUE(WriteReadyFile(*env, path, R"({"role":"namenode"})").ok());
  EXPECT_EQ(*env->ReadFile(path), "{\"role\":\"namenode\"}\n");
  EXPECT_TRUE(RemoveReadyFile(*env, path).ok());
  EXPECT_TRUE(RemoveReadyFile(*env, path).ok());
  EXPECT_TRUE(WriteReadyFile(*env, "", "{}").ok());
  EXPECT_FALSE(WriteReadyFile(*env, dir / "no/ready.json", "{}").ok());
}

TEST(ProgramTest, UserNameAndAllocator) {
  EXPECT_FALSE(OsUserName().empty());
  TuneProcess();
}

}  // namespace
}  // namespace cairn
