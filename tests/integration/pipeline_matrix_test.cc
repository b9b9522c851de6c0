// Every fault of a pipeline's node, at every place of the pipeline, at every stage of a write: the
// writer goes on, the bytes are right, and the cluster heals (P3, P8). Prints how long the writer
// was held up at most. The DataNodes take turns in how they write to disk; with
// CAIRN_TEST_DISK_WRITES=direct or =buffered all of them write that way.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "client/file_system.h"
#include "tests/integration/cluster_view.h"
#include "tests/support/files.h"
#include "tests/support/relay.h"

namespace cairn::testing {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMiB = 1 << 20;
constexpr size_t kBlock = 4 * kMiB;
constexpr size_t kDataNodes = 5;

enum class Fault { kKill, kStop, kSlow, kFull, kCorrupt };
enum class Stage { kOpening, kStreaming, kLast, kClosing };

std::string Name(Fault fault) {
  return std::vector<std::string>{"kill", "stop", "slow", "full",
                                  "corrupt"}[static_cast<size_t>(fault)];
}
std::string Name(Stage stage) {
  return std::vector<std::string>{"opening", "streaming", "last",
                                  "closing"}[static_cast<size_t>(stage)];
}

class PipelineMatrixTest : public ::testing::TestWithParam<Fault> {
 protected:
  static void SetUpTestSuite() {
    auto started = Cluster::Start(
        {.datanodes = 0,
         .namenode_flags = {"--block-size=4M", "--heartbeat-interval=300ms", "--stale-after=1500ms",
                            "--dead-after=5s", "--redundancy-interval=300ms"}});
    ASSERT_TRUE(started.ok()) << started.status();
    cluster_ = *std::move(started);
    for (size_t i = 0; i < kDataNodes; ++i) {
      auto relay = Relay::Start();
      ASSERT_TRUE(relay.ok()) << relay.status();
      const absl::Status added =
          cluster_->AddDataNode({"--advertise=" + (*relay)->address(), "--reserved=0",
                                 "--disk-writes=" + DiskWritesOf(i)});
      ASSERT_TRUE(added.ok()) << added;
      (*relay)->SetTarget(cluster_->datanode(i).Field("data"));
      relays_.push_back(*std::move(relay));
    }
  }
  static std::string DiskWritesOf(size_t node) {
    if (const char* all = std::getenv("CAIRN_TEST_DISK_WRITES"); all != nullptr) return all;
    return node % 2 == 0 ? "direct" : "buffered";
  }
  static void TearDownTestSuite() {
    cluster_.reset();
    relays_.clear();
  }

  void SetUp() override {
    ASSERT_NE(cluster_, nullptr);
    auto fs = FileSystem::Connect({.namenodes = {cluster_->rpc_address()},
                                   .short_circuit = false,
                                   .transfer = {.packet_bytes = 64 << 10}});
    ASSERT_TRUE(fs.ok()) << fs.status();
    fs_ = *std::move(fs);
  }

  // The DataNodes of the pipeline of the file's open block, in its order, which the journal tells.
  std::vector<size_t> Pipeline() {
    std::map<int, std::string> ids;
    std::vector<int> targets;
    for (const std::string& path : FilesIn(cluster_->namenode().data_dir() + "/current")) {
      if (path.find("edits_") == std::string::npos) continue;
      ReadJournal(path, &ids, &targets);
    }
    std::vector<size_t> nodes;
    for (const int target : targets) {
      for (size_t i = 0; i < kDataNodes; ++i) {
        if (cluster_->datanode(i).Field("id") == ids[target]) nodes.push_back(i);
      }
    }
    return nodes;
  }

  static std::vector<std::string> FilesIn(const std::string& dir) {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(dir)) {
      paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  void ReadJournal(const std::string& path, std::map<int, std::string>* ids,
                   std::vector<int>* targets) {
    const std::string out = dir_ / "edits";
    WriteWholeFile(out, "");
    auto dump = Process::Start(
        {.args = {BinDir() + "/cairn-namenode", "dump-edits", path}, .stdout_path = out});
    ASSERT_TRUE(dump.ok()) << dump.status();
    ASSERT_TRUE((*dump)->Wait(30'000).has_value());
    std::istringstream lines(ReadWholeFile(out));
    for (std::string line; std::getline(lines, line);) {
      const nlohmann::json edit = nlohmann::json::parse(line, nullptr, false);
      if (edit.is_discarded() || !edit.contains("record")) continue;
      const nlohmann::json& record = edit["record"];
      if (record.contains("register_node")) {
        (*ids)[record["register_node"]["node"]] = record["register_node"]["id"];
      }
      const nlohmann::json created = record.value("created", nlohmann::json::object());
      const nlohmann::json added = record.value("new_block", nlohmann::json::object());
      for (const nlohmann::json& answer : {created, added}) {
        if (answer.contains("block")) *targets = answer["block"]["targets"].get<std::vector<int>>();
      }
    }
  }

  static void LimitFiles(size_t node, rlim_t bytes) {
    rlimit limit;
    ASSERT_EQ(prlimit(cluster_->datanode(node).pid(), RLIMIT_FSIZE, nullptr, &limit), 0);
    limit.rlim_cur = std::min(bytes, limit.rlim_max);
    ASSERT_EQ(prlimit(cluster_->datanode(node).pid(), RLIMIT_FSIZE, &limit, nullptr), 0);
  }

  static void Harm(Fault fault, size_t node) {
    if (fault == Fault::kKill) cluster_->datanode(node).Kill();
    if (fault == Fault::kStop) cluster_->datanode(node).Signal(SIGSTOP);
    if (fault == Fault::kSlow) relays_[node]->Throttle(kMiB);  // about 1% of what the others do
    if (fault == Fault::kFull) LimitFiles(node, 60'000);
    if (fault == Fault::kCorrupt) relays_[node]->FlipAfter(Direction::kToServer, 20'000);
  }
  static void Mend(Fault fault, size_t node) {
    if (fault == Fault::kKill && !cluster_->datanode(node).running()) {
      ASSERT_TRUE(cluster_->datanode(node).Start().ok());
    }
    if (fault == Fault::kStop) cluster_->datanode(node).Signal(SIGCONT);
    if (fault == Fault::kFull) LimitFiles(node, RLIM_INFINITY);
    relays_[node]->Disarm();
    relays_[node]->Pass();
  }

  // Runs `step`, and remembers how long it took if that was the longest.
  absl::Status Timed(const std::function<absl::Status()>& step) {
    const auto began = Clock::now();
    const absl::Status status = step();
    longest_ms_ = std::max<int64_t>(
        longest_ms_,
        std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - began).count());
    return status;
  }

  // In pieces as `cairn put` writes them.
  absl::Status Write(OutputStream& out, std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, 256 << 10);
      RETURN_IF_ERROR(Timed([&] { return out.Write(piece); }));
      bytes.remove_prefix(piece.size());
    }
    return absl::OkStatus();
  }

  // A file of three blocks; the fault comes while the first one is written.
  absl::Status WriteThrough(const std::string& path, const std::string& content, Fault fault,
                            Stage stage, const std::vector<size_t>& places,
                            std::vector<size_t>* harmed) {
    ASSIGN_OR_RETURN(const std::unique_ptr<OutputStream> out,
                     fs_->Create(path, {.replication = 3}));
    const std::vector<size_t> pipeline = Pipeline();
    if (pipeline.size() != 3) return absl::InternalError("no pipeline of three");
    for (const size_t place : places) harmed->push_back(pipeline[place]);
    const auto harm = [&] {
      for (const size_t node : *harmed) Harm(fault, node);
    };
    const std::string_view all = content;
    const size_t before = stage == Stage::kOpening     ? 0
                          : stage == Stage::kStreaming ? 3 * kBlock / 8
                          : stage == Stage::kLast      ? kBlock - (100 << 10)
                                                       : kBlock - 1;
    RETURN_IF_ERROR(Write(*out, all.substr(0, before)));
    if (before > 0) RETURN_IF_ERROR(Timed([&] { return out->HFlush(); }));
    std::thread later;
    if (stage == Stage::kClosing) {
      // Some time while the block is synced and finalized.
      later = std::thread([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(std::hash<std::string>()(path) % 8));
        harm();
      });
    } else {
      harm();
    }
    absl::Status status = Write(*out, all.substr(before));
    if (status.ok()) status = Timed([&] { return out->Close(); });
    if (later.joinable()) later.join();
    return status;
  }

  void RunCase(Fault fault, Stage stage, const std::vector<size_t>& places) {
    const std::string path =
        fmt::format("/{}-{}-{}", Name(fault), Name(stage), fmt::join(places, "+"));
    SCOPED_TRACE(path);
    const std::string content = RandomBytes(++seed_, 2 * kBlock + 77'777);
    longest_ms_ = 0;
    std::vector<size_t> harmed;
    const absl::Status written = WriteThrough(path, content, fault, stage, places, &harmed);
    EXPECT_TRUE(written.ok()) << written;
    // With the nodes still harmed, as a reader would find it.
    if (written.ok() && fault == Fault::kKill) ExpectContent(path, content);
    for (const size_t node : harmed) Mend(fault, node);
    if (written.ok()) ExpectContent(path, content);
    EXPECT_LT(longest_ms_, 60'000) << "the writer hung";
    std::string writers;
    for (const size_t node : harmed) writers += " " + DiskWritesOf(node);
    fmt::print("{:<24} longest wait of the writer {:>6} ms, harmed:{}\n", path, longest_ms_,
               writers);
  }

  void ExpectContent(const std::string& path, const std::string& content) {
    const CommandResult got = cluster_->Cairn({"get", "-f", path, dir_ / "got"});
    EXPECT_EQ(got.code, 0) << got.err;
    EXPECT_TRUE(ReadWholeFile(dir_ / "got") == content) << path << " has other bytes";
  }

  static inline std::unique_ptr<Cluster> cluster_;
  static inline std::vector<std::unique_ptr<Relay>> relays_;
  static inline uint64_t seed_ = 0;
  TempDir dir_;
  std::unique_ptr<FileSystem> fs_;
  int64_t longest_ms_ = 0;
};

TEST_P(PipelineMatrixTest, EveryPlaceAndStage) {
  const std::vector<std::vector<size_t>> places = {{0}, {1}, {2}, {0, 1}, {1, 2}};
  for (const Stage stage : {Stage::kOpening, Stage::kStreaming, Stage::kLast, Stage::kClosing}) {
    for (const std::vector<size_t>& place : places) {
      RunCase(GetParam(), stage, place);
      if (HasFatalFailure()) return;
    }
  }
  EXPECT_TRUE(WaitUntil(240'000, [&] { return IsHealthy(*cluster_); }))
      << cluster_->Cairn({"admin", "health"}).out << cluster_->Cairn({"admin", "nodes"}).out;
  const CommandResult fsck = cluster_->Cairn({"fsck", "/"});
  EXPECT_EQ(fsck.code, 0) << fsck.out;
  EXPECT_TRUE(WaitUntil(240'000, [&] {  // what the failed pipelines left is gone
    size_t open = 0;
    for (size_t i = 0; i < kDataNodes; ++i) open += OpenFiles(cluster_->datanode(i)).size();
    return open == 0;
  }));
}

INSTANTIATE_TEST_SUITE_P(Faults, PipelineMatrixTest,
                         ::testing::Values(Fault::kKill, Fault::kStop, Fault::kSlow, Fault::kFull,
                                           Fault::kCorrupt),
                         [](const auto& info) { return Name(info.param); });

}  // namespace
}  // namespace cairn::testing
