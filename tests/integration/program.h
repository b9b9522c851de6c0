// Runs one of the programs to its end, for tests of what it says and leaves behind.
//
// Why: a daemon that must refuse to start is run like any command: arguments in, exit status and
// one line out. Daemons get free ports and a log of their own, so that stderr holds nothing but
// their last word. Header only; each test has its own TempDir.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/cluster.h"
#include "tests/support/process.h"

namespace cairn::testing {

class Programs {
 public:
  using Env = std::map<std::string, std::string>;

  explicit Programs(const TempDir* dir) : dir_(dir) {}

  // Runs `program` with exactly these arguments until it ends; code -1 when it had to be killed.
  CommandResult Run(const std::string& program, std::vector<std::string> args, const Env& env = {},
                    int64_t timeout_ms = 30'000) {
    const std::string base = *dir_ / ("run" + std::to_string(runs_++));
    Process::Spec spec{.args = std::move(args),
                       .env = env,
                       .stdout_path = base + ".out",
                       .stderr_path = base + ".err"};
    spec.env.emplace("HOME", dir_->path());
    spec.args.insert(spec.args.begin(), BinDir() + "/" + program);
    CommandResult result;
    absl::StatusOr<std::unique_ptr<Process>> process = Process::Start(spec);
    if (!process.ok()) {
      result.err = MessageOf(process.status());
      return result;
    }
    if (const auto state = (*process)->Wait(timeout_ms)) result.code = state->code;
    (*process)->Kill();
    result.out = ReadWholeFile(spec.stdout_path);
    result.err = ReadWholeFile(spec.stderr_path);
    return result;
  }

  // The same for a daemon: free ports unless `args` say otherwise (the last one counts), and its
  // log in a file.
  CommandResult RunDaemon(const std::string& program, const std::vector<std::string>& args,
                          const Env& env = {}) {
    std::vector<std::string> all = {"--listen",    "127.0.0.1:0", "--http",
                                    "127.0.0.1:0", "--log-file",  *dir_ / (program + ".log")};
    all.insert(all.end(), args.begin(), args.end());
    return Run(program, all, env);
  }

 private:
  const TempDir* const dir_;
  int runs_ = 0;
};

// It ended with `code` and one line on stderr, its own, that holds all of `parts`; nothing on
// stdout.
inline void ExpectOneLine(const CommandResult& result, int code, const std::string& program,
                          const std::vector<std::string>& parts) {
  EXPECT_EQ(result.code, code) << result.err;
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  EXPECT_TRUE(result.err.starts_with(program + ": ")) << result.err;
  for (const std::string& part : parts) {
    EXPECT_NE(result.err.find(part), std::string::npos)
        << "'" << part << "' is not in: " << result.err;
  }
}

}  // namespace cairn::testing
