// Many writers at once on one DataNode: all their files are there, in bounded memory.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "client/file_system.h"
#include "tests/integration/cluster_view.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kSize = 3 * (1 << 20) + 12'345;

// In MiB, of all the time that the process has lived.
uint64_t MostMemory(pid_t pid) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string word; status >> word;) {
    uint64_t kib = 0;
    if (word == "VmHWM:" && status >> kib) return kib >> 10;
  }
  return 0;
}

class ManyWritersTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> flags) {
    auto started = Cluster::Start({.datanodes = 1, .datanode_flags = std::move(flags)});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    fs_ = *FileSystem::Connect(
        {.namenodes = {cluster_->rpc_address()}, .timeout_ms = 120'000, .short_circuit = false});
  }

  absl::Status WriteOne(int i) {
    ASSIGN_OR_RETURN(const auto out, fs_->Create(Name(i), {.replication = 1}));
    RETURN_IF_ERROR(out->Write(std::string_view(bytes_).substr(static_cast<size_t>(i))));
    return out->Close();
  }

  absl::Status ReadOne(int i) {
    ASSIGN_OR_RETURN(const auto in, fs_->Open(Name(i)));
    std::string got(bytes_.size(), '\0');
    ASSIGN_OR_RETURN(const size_t n, in->Read(got));
    got.resize(n);
    const bool same = got == std::string_view(bytes_).substr(static_cast<size_t>(i));
    return same ? absl::OkStatus() : absl::DataLossError("other bytes than written");
  }

  // Runs all at once; each must succeed.
  void ForEach(int count, const std::function<absl::Status(int)>& run) {
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        const absl::Status status = run(i);
        EXPECT_TRUE(status.ok()) << Name(i) << ": " << status;
      });
    }
    for (std::thread& thread : threads) thread.join();
  }

  static std::string Name(int i) { return "/f" + std::to_string(i); }

  const std::string bytes_ = RandomBytes(3, kSize);
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<FileSystem> fs_;
};

TEST_F(ManyWritersTest, AsManyAsTheDefaultAllowsStayWithinIt) {
  ASSERT_NO_FATAL_FAILURE(Start({}));
  ForEach(256, [this](int i) { return WriteOne(i); });
  const uint64_t most = MostMemory(cluster_->datanode(0).pid());
  EXPECT_GT(most, 0u);
  EXPECT_LT(most, 700u);  // MiB, of which the packets are 512 at most
  RecordProperty("datanode_mib", static_cast<int>(most));
  std::printf("the DataNode took %d MiB at most\n", static_cast<int>(most));
  for (int i = 0; i < 256; ++i) EXPECT_EQ(ReadOne(i), absl::OkStatus()) << i;
}

// The others wait for their turn.
TEST_F(ManyWritersTest, SoDoMoreThanItsMemoryAllows) {
  ASSERT_NO_FATAL_FAILURE(Start({"--transfer-memory", "16M"}));
  ForEach(64, [this](int i) { return WriteOne(i); });
  ForEach(64, [this](int i) { return ReadOne(i); });
}

}  // namespace
}  // namespace cairn::testing
