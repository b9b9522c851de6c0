// Which NameNodes a client calls, and as whom. A value, thread-safe; for this room alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cairn {

struct NameNodeOptions {
  std::vector<std::string> addresses;  // host:port, at least one
  std::string user;
  std::string host;
  std::string rack;
  int64_t timeout_ms = 30'000;
};

}  // namespace cairn
