// A client of a random history: does whatever comes to its mind until its time is up, and writes
// everything down. Tests kill it at any moment.
//
//     history_client NAMENODE CLIENT LOG SECONDS
//
// CLIENT, a number from 1 on, makes its versions and its dice its own.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "tests/integration/recorded_client.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kDirectories = 6;
constexpr uint64_t kNames = 5;
constexpr uint64_t kLargest = 200'000;  // blocks are of 128 KiB
constexpr Version kVersionsPerClient = 1'000'000;

class RandomClient {
 public:
  RandomClient(FileSystem* fs, History* history, int client)
      : random_(static_cast<uint32_t>(client)), client_(fs, history, client) {}

  void Step() {
    if (client_.writing()) return WriteStep();
    const std::string path = AnyPath();
    switch (Below(16)) {
      case 0:
      case 1:
      case 2:
        client_.Publish(path, Below(kLargest), Below(2) == 0, AnyConsistency());
        break;
      case 3:
      case 4:
        client_.Create(path, AnyConsistency());
        break;
      case 5:
      case 6:
        client_.Append(path);
        break;
      case 7:
        client_.Truncate(path, Below(kLargest));
        break;
      case 8:
        client_.Rename(path, path.substr(0, 3) + AnyPath().substr(3));
        break;
      case 9:
        client_.Delete(path, false);
        break;
      case 10:
        client_.List(path.substr(0, 3));
        break;
      case 11:
        client_.Stat(path).status().IgnoreError();
        break;
      default:
        client_.Read(path, Below(3) == 0 ? Below(kLargest) : 0).IgnoreError();
        break;
    }
  }

 private:
  uint64_t Below(uint64_t limit) { return random_() % limit; }
  std::string AnyPath() { return fmt::format("/h{}/f{}", Below(kDirectories), Below(kNames)); }
  Consistency AnyConsistency() {
    return Below(2) == 0 ? Consistency::kStrong : Consistency::kEventual;
  }

  void WriteStep() {
    switch (Below(6)) {
      case 0:
        return client_.Close();
      case 1:
      case 2:
        return client_.Flush(Below(3) == 0);
      default:
        return client_.Write(1 + Below(60'000));
    }
  }

  std::mt19937 random_;
  RecordedClient client_;
};

int Run(const std::string& namenode, int client, const std::string& log, int64_t seconds) {
  // Impatient, so that a test does not end long after its time. Every other one reads over TCP.
  auto fs = FileSystem::Connect({.namenodes = {namenode},
                                 .timeout_ms = 15'000,
                                 .short_circuit = client % 2 == 0,
                                 .transfer = {.packet_bytes = 64 << 10}});
  if (!fs.ok()) return 1;
  History history(static_cast<Version>(client) * kVersionsPerClient, log);
  RandomClient random(fs->get(), &history, client);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (std::chrono::steady_clock::now() < end) random.Step();
  std::_Exit(0);  // without a word to anybody: the file that it writes stays open
}

}  // namespace
}  // namespace cairn::testing

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  return cairn::testing::Run(argv[1], std::atoi(argv[2]), argv[3], std::atoll(argv[4]));
}
