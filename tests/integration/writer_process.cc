// A writer that a test can kill: appends a pattern to a new file and tells what was acknowledged.
//
//     writer_process NAMENODE PATH flush|sync PIECE_BYTES
//
// After every hflush or hsync it prints the file's length on a line of its own. Runs until it is
// killed, or an error ends it with status 1.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "client/file_system.h"
#include "common/status.h"
#include "tests/integration/byte_pattern.h"

namespace cairn::testing {
namespace {

absl::Status Run(const std::string& namenode, std::string_view path, bool sync, size_t piece) {
  ASSIGN_OR_RETURN(const auto fs, FileSystem::Connect({.namenodes = {namenode}}));
  ASSIGN_OR_RETURN(const auto out, fs->Create(path, {.replication = 3}));
  while (true) {
    RETURN_IF_ERROR(out->Write(PatternBytes(out->length(), piece)));
    RETURN_IF_ERROR(sync ? out->HSync() : out->HFlush());
    std::printf("%llu\n", static_cast<unsigned long long>(out->length()));
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace cairn::testing

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const absl::Status status =
      cairn::testing::Run(argv[1], argv[2], std::string_view(argv[3]) == "sync",
                          static_cast<size_t>(std::atoll(argv[4])));
  std::fprintf(stderr, "writer: %s\n", std::string(cairn::MessageOf(status)).c_str());
  return 1;
}
