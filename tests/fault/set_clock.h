// The wall clock of one daemon, which a test sets: see tests/support/other_clock.cc.
//
// Header only; for tests.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <string>
#include <utility>

#include "tests/support/cluster.h"

namespace cairn::testing {

class SetClock {
 public:
  // It shows the time of this machine. The file stays as long as processes have this clock.
  explicit SetClock(std::string path) : path_(std::move(path)) {
    std::ofstream(path_, std::ios::binary);
    Set(0);
  }

  // So far ahead of this machine's, from now on.
  void Set(int64_t ahead_ms) {
    char bytes[sizeof(ahead_ms)];
    std::memcpy(bytes, &ahead_ms, sizeof(bytes));
    // In place and in one write: processes have it mapped.
    std::fstream(path_, std::ios::binary | std::ios::in | std::ios::out)
        .write(bytes, sizeof(bytes));
  }

  // For a process that is to have it.
  std::map<std::string, std::string> Env() const {
    return {{"LD_PRELOAD", BinDir() + "/../tests/libother_clock.so"},
            {"CAIRN_TEST_CLOCK_FILE", path_}};
  }

 private:
  const std::string path_;
};

}  // namespace cairn::testing
