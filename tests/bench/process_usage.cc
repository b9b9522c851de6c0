#include "tests/bench/process_usage.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace cairn::bench {
namespace {

std::string ReadProc(pid_t pid, const char* name) {
  std::ifstream in(fmt::format("/proc/{}/{}", pid, name));
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

double CpuSecondsOf(pid_t pid) {
  const std::string stat = ReadProc(pid, "stat");
  // After the program's name, which may hold anything: state is field 3, utime 14, stime 15.
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  uint64_t user = 0;
  uint64_t system = 0;
  fields >> user >> system;
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

uint64_t ResidentBytesOf(pid_t pid) {
  std::istringstream fields(ReadProc(pid, "statm"));
  uint64_t total = 0;
  uint64_t resident = 0;
  fields >> total >> resident;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace cairn::bench
