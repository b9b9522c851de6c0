#include "common/logging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/unit/common/temp_dir.h"

namespace cairn {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

std::string Contents(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(LoggingTest, WritesLinesOfItsLevel) {
  TempDir dir;
  const std::string file = dir / "cairn.log";
  ASSERT_TRUE(InitLogging(LogLevel::kInfo, file).ok());
  LogDebug("not {}", "this");
  LogInfo("registered {} at {}", "dn1", 9866);
  LogError("braces {{}} and {}", std::string("text"));
  EXPECT_FALSE(LogEnabled(LogLevel::kDebug));
  EXPECT_TRUE(LogEnabled(LogLevel::kWarn));
  FlushLog();
  const std::string text = Contents(file);
  EXPECT_THAT(text.substr(0, text.find('\n')),
              MatchesRegex("[0-9-]+ [0-9:]+\\.[0-9][0-9][0-9] info    \\[[0-9]+\\] "
                           "registered dn1 at 9866"));
  EXPECT_THAT(text, HasSubstr("braces {} and text\n"));
  EXPECT_EQ(text.find("not this"), std::string::npos);
  ASSERT_TRUE(InitLogging(LogLevel::kInfo, "").ok());
}

TEST(LoggingTest, ThreadsShareIt) {
  TempDir dir;
  const std::string file = dir / "cairn.log";
  ASSERT_TRUE(InitLogging(LogLevel::kInfo, file).ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int j = 0; j < 100; ++j) LogInfo("thread {} line {}", i, j);
    });
  }
  for (std::thread& thread : threads) thread.join();
  FlushLog();
  const std::string text = Contents(file);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 400);
  ASSERT_TRUE(InitLogging(LogLevel::kInfo, "").ok());
}

TEST(LoggingTest, LevelsAndFilesThatAreWrong) {
  EXPECT_EQ(*ParseLogLevel("trace"), LogLevel::kTrace);
  EXPECT_EQ(*ParseLogLevel("warning"), LogLevel::kWarn);
  EXPECT_FALSE(ParseLogLevel("INFO!").ok());
  const absl::Status status = InitLogging(LogLevel::kInfo, "/proc/no/such/file");
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("/proc/no/such/file"));
}

}  // namespace
}  // namespace cairn
