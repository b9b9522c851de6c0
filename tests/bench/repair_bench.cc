// How fast a cluster of real processes rebuilds what a dead DataNode held, and what that costs
// clients: beside bare copies of as many bytes on the same disk, in the same round.
//
//     repair_bench --mib 4096 --datanodes 5 --rounds 3       JSON lines
//
// A round: bare copies; clients alone; a node dies, and nobody reads or writes; it comes back;
// another one dies while clients are at work; it comes back; a third one is decommissioned, while
// clients are at work again, and taken back. Time counts from the moment at which the NameNode
// misses the node's replicas until it misses none. docs/performance.md says how to read it.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "client/admin_client.h"
#include "client/bench/content.h"
#include "client/bench/raw_file.h"
#include "client/file_system.h"
#include "common/command_line.h"
#include "tests/bench/bench_main.h"
#include "tests/bench/client_load.h"
#include "tests/support/cluster.h"

namespace cairn::bench {
namespace {

using Json = nlohmann::ordered_json;
using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{20};
constexpr int64_t kRestMs = 10 * 60'000;  // for the cluster to come to rest
constexpr int kBareStreams = 4;           // as many as a DataNode copies at once

struct Options {
  uint64_t mib = 1024;
  int64_t datanodes = 5;
  int64_t rounds = 1;
  int64_t readers = 2;
  int64_t writers = 1;
  uint64_t block_size = 64 << 20;
  uint64_t file_mib = 256;
  int64_t alone_ms = 10'000;

  void Declare(OptionTable& table) {
    table.AddCount("mib", &mib, "MiB in files, each byte on three DataNodes");
    table.AddInt("datanodes", &datanodes, 4, 100, "DataNodes, all on the disk of $TMPDIR");
    table.AddInt("rounds", &rounds, 1, 100, "rounds");
    table.AddInt("readers", &readers, 0, 100, "clients that read");
    table.AddInt("writers", &writers, 0, 100, "clients that write");
    table.AddSize("block-size", &block_size, "of the files");
    table.AddCount("file-mib", &file_mib, "MiB of a file");
    table.AddDuration("alone", &alone_ms, "how long the clients are measured by themselves");
  }
};

double SecondsSince(steady_clock::time_point start) {
  return std::chrono::duration<double>(steady_clock::now() - start).count();
}

class RepairBench {
 public:
  explicit RepairBench(const Options& options) : options_(options) {}

  absl::Status Run() {
    testing::Cluster::Options cluster;
    cluster.datanodes = static_cast<int>(options_.datanodes);
    cluster.namenode_flags = {"--dead-after", "10s", "--stale-after", "5s", "--log-level", "warn"};
    cluster.datanode_flags = {"--log-level", "warn", "--reserved", "0"};
    ASSIGN_OR_RETURN(cluster_, testing::Cluster::Start(cluster));
    const ClientOptions client{.namenodes = {cluster_->rpc_address()}};
    ASSIGN_OR_RETURN(fs_, FileSystem::Connect(client));
    ASSIGN_OR_RETURN(admin_, AdminClient::Connect(client));
    RETURN_IF_ERROR(WriteFiles());
    for (int64_t round = 0; round < options_.rounds; ++round) RETURN_IF_ERROR(RunRound());
    return VerifyFiles();
  }

 private:
  struct Repair {
    uint64_t bytes = 0;
    double seconds = 0;
    ClientWork clients;  // meanwhile

    double Rate() const { return static_cast<double>(bytes) / 1e9 / seconds; }
  };

  uint64_t FileBytes() const { return options_.file_mib << 20; }

  absl::Status WriteFiles() {
    RETURN_IF_ERROR(fs_->Mkdirs("/bench/written", /*create_parents=*/true));
    for (uint64_t file = 0; file < std::max<uint64_t>(1, options_.mib / options_.file_mib);
         ++file) {
      files_.push_back(fmt::format("/bench/{}", file));
      CreateOptions create;
      create.block_size = options_.block_size;
      ASSIGN_OR_RETURN(const auto out, fs_->Create(files_.back(), create));
      for (uint64_t offset = 0; offset < FileBytes();) {
        const std::string_view piece = content_.Piece(file, offset, FileBytes());
        RETURN_IF_ERROR(out->Write(piece));
        offset += piece.size();
      }
      RETURN_IF_ERROR(out->Close());
    }
    return AwaitRest();
  }

  // What was repaired is what was written.
  absl::Status VerifyFiles() {
    std::vector<char> buffer(1 << 20);
    for (size_t file = 0; file < files_.size(); ++file) {
      ASSIGN_OR_RETURN(const auto in, fs_->Open(files_[file]));
      for (uint64_t offset = 0; offset < FileBytes();) {
        ASSIGN_OR_RETURN(const size_t count, in->PRead(offset, {buffer.data(), buffer.size()}));
        if (count == 0 || !content_.Matches(file, offset, {buffer.data(), count})) {
          return absl::DataLossError(fmt::format("{} is not what was written", files_[file]));
        }
        offset += count;
      }
    }
    return absl::OkStatus();
  }

  absl::Status RunRound() {
    ASSIGN_OR_RETURN(const double bare, CopyBare());
    ASSIGN_OR_RETURN(auto load, StartClients(options_.readers, options_.writers));
    std::this_thread::sleep_for(std::chrono::milliseconds(options_.alone_ms));
    ASSIGN_OR_RETURN(const ClientWork alone, load->Take());
    load.reset();
    ASSIGN_OR_RETURN(load, StartClients(0, 0));  // one that looks names up is always there
    ASSIGN_OR_RETURN(const Repair quiet, MeasureRepair(load.get()));
    ASSIGN_OR_RETURN(load, StartClients(options_.readers, options_.writers));
    ASSIGN_OR_RETURN(const Repair busy, MeasureRepair(load.get()));
    load.reset();
    ASSIGN_OR_RETURN(load, StartClients(options_.readers, options_.writers));
    ASSIGN_OR_RETURN(const Repair leaving, MeasureDecommission(load.get()));
    load.reset();
    Json row;
    row["bare_gb_per_s"] = bare;
    row["repaired_bytes"] = quiet.bytes;
    row["repair_s"] = quiet.seconds;
    row["repair_gb_per_s"] = quiet.Rate();
    row["share_of_bare"] = quiet.Rate() / bare;
    row["repair_with_clients_s"] = busy.seconds;
    row["repair_with_clients_gb_per_s"] = busy.Rate();
    row["share_of_bare_with_clients"] = busy.Rate() / bare;
    AddRatio("read", alone.ReadRate(), busy.clients.ReadRate(), &row);
    AddRatio("write", alone.WriteRate(), busy.clients.WriteRate(), &row);
    row["decommission_s"] = leaving.seconds;
    row["decommission_gb_per_s"] = leaving.Rate();
    AddRatio("read_beside_decommission", alone.ReadRate(), leaving.clients.ReadRate(), &row);
    AddRatio("write_beside_decommission", alone.WriteRate(), leaving.clients.WriteRate(), &row);
    row["lookups"] = busy.clients.lookups;
    row["lookup_p99_ms"] = {{"clients", alone.p99_ms},
                            {"repair", quiet.clients.p99_ms},
                            {"repair_and_clients", busy.clients.p99_ms}};
    row["lookup_longest_ms"] = {{"clients", alone.longest_ms},
                                {"repair", quiet.clients.longest_ms},
                                {"repair_and_clients", busy.clients.longest_ms}};
    std::puts(row.dump().c_str());
    std::fflush(stdout);
    return absl::OkStatus();
  }

  static void AddRatio(const std::string& name, double alone, double busy, Json* row) {
    if (alone == 0) return;
    (*row)[name + "_gb_per_s"] = {alone, busy};
    (*row)[name + "_share_kept"] = busy / alone;
  }

  absl::StatusOr<std::unique_ptr<ClientLoad>> StartClients(int64_t readers, int64_t writers) {
    return ClientLoad::Start({.namenode = cluster_->rpc_address(),
                              .files = files_,
                              .folder = "/bench/written",
                              .write_bytes = FileBytes(),
                              .block_size = options_.block_size,
                              .readers = static_cast<int>(readers),
                              .writers = static_cast<int>(writers)});
  }

  // Reads files and writes new ones, past the page cache, several at once; GB a second.
  absl::StatusOr<double> CopyBare() {
    const std::string& dir = cluster_->dir().path();
    const uint64_t bytes = options_.block_size;
    std::vector<std::unique_ptr<RawFile>> sources;
    for (int i = 0; i < kBareStreams; ++i) {
      ASSIGN_OR_RETURN(auto source, RawFile::Create(dir, bytes, /*direct=*/true));
      RETURN_IF_ERROR(
          source->Fill(content_, static_cast<uint64_t>(i), bytes, [] { return false; }));
      sources.push_back(std::move(source));
    }
    const uint64_t copies = std::max<uint64_t>(kBareStreams, DeadBytes() / bytes);
    std::atomic<uint64_t> next{0};
    std::vector<absl::Status> failures(kBareStreams);
    std::vector<std::thread> threads;
    const auto start = steady_clock::now();
    for (size_t i = 0; i < kBareStreams; ++i) {
      threads.emplace_back([&, i] {
        while (next.fetch_add(1) < copies && failures[i].ok()) {
          failures[i] = CopyOne(*sources[i], dir, bytes);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    const double seconds = SecondsSince(start);
    for (const absl::Status& failure : failures) RETURN_IF_ERROR(failure);
    return static_cast<double>(copies * bytes) / 1e9 / seconds;
  }

  static absl::Status CopyOne(RawFile& source, const std::string& dir, uint64_t bytes) {
    ASSIGN_OR_RETURN(const auto copy, RawFile::Create(dir, bytes, /*direct=*/true));
    const AlignedBuffer buffer(1 << 20);
    for (uint64_t offset = 0; offset < bytes; offset += buffer.span().size()) {
      RETURN_IF_ERROR(source.Read(offset, buffer));
      RETURN_IF_ERROR(copy->Write(offset, buffer, buffer.span().size()));
    }
    return copy->Sync();
  }

  // About what one DataNode holds.
  uint64_t DeadBytes() const {
    return 3 * (options_.mib << 20) / static_cast<uint64_t>(options_.datanodes);
  }

  absl::StatusOr<Repair> MeasureRepair(ClientLoad* clients) {
    Repair repair;
    ASSIGN_OR_RETURN(testing::Daemon* const node, FullestNode());
    node->Kill();
    RETURN_IF_ERROR(Await([](const ClusterReport& c) { return c.under_replicated_blocks > 0; }));
    RETURN_IF_ERROR(clients->Take().status());
    const auto start = steady_clock::now();
    uint64_t blocks = 0;  // what it held is missed all at once
    RETURN_IF_ERROR(Await([&](const ClusterReport& c) {
      blocks = std::max(blocks, c.under_replicated_blocks);
      return c.under_replicated_blocks == 0;
    }));
    repair.bytes = blocks * options_.block_size;
    repair.seconds = SecondsSince(start);
    ASSIGN_OR_RETURN(repair.clients, clients->Take());
    RETURN_IF_ERROR(node->Start());
    RETURN_IF_ERROR(AwaitRest());
    return repair;
  }

  absl::StatusOr<Repair> MeasureDecommission(ClientLoad* clients) {
    Repair repair;
    ASSIGN_OR_RETURN(const testing::Daemon* const node, FullestNode());
    ASSIGN_OR_RETURN(DataNodeReport report, ReportOf(*node));
    uint64_t blocks = 0;
    const auto start = steady_clock::now();
    RETURN_IF_ERROR(clients->Take().status());
    RETURN_IF_ERROR(admin_->Decommission(report.id).status());
    while (report.admin_state != "decommissioned") {
      if (SecondsSince(start) * 1e3 > kRestMs) {
        return absl::DeadlineExceededError("the node is not decommissioned yet: " +
                                           report.admin_reason);
      }
      std::this_thread::sleep_for(kPoll);
      ASSIGN_OR_RETURN(report, ReportOf(*node));
      blocks = std::max(blocks, report.blocks_left);
    }
    repair.bytes = blocks * options_.block_size;
    repair.seconds = SecondsSince(start);
    ASSIGN_OR_RETURN(repair.clients, clients->Take());
    RETURN_IF_ERROR(admin_->Recommission(report.id).status());
    RETURN_IF_ERROR(AwaitRest());
    return repair;
  }

  // One that has been dead holds little for a while; on the disks there is also what was deleted.
  absl::StatusOr<testing::Daemon*> FullestNode() {
    testing::Daemon* fullest = nullptr;
    uint64_t most = 0;
    for (size_t i = 0; i < cluster_->datanodes(); ++i) {
      ASSIGN_OR_RETURN(const DataNodeReport report, ReportOf(cluster_->datanode(i)));
      if (fullest != nullptr && report.blocks <= most) continue;
      fullest = &cluster_->datanode(i);
      most = report.blocks;
    }
    return fullest;
  }

  absl::StatusOr<DataNodeReport> ReportOf(const testing::Daemon& node) {
    ASSIGN_OR_RETURN(AdminReport report, admin_->Report());
    for (DataNodeReport& datanode : report.datanodes) {
      if (datanode.id == node.Field("id")) return std::move(datanode);
    }
    return absl::NotFoundError("the NameNode does not know the DataNode");
  }

  absl::Status AwaitRest() {
    return Await([this](const ClusterReport& c) {
      return c.nodes_healthy == cluster_->datanodes() && c.under_replicated_blocks == 0 &&
             c.over_replicated_blocks == 0;
    });
  }

  absl::Status Await(const std::function<bool(const ClusterReport&)>& reached) {
    const auto start = steady_clock::now();
    while (SecondsSince(start) * 1e3 < kRestMs) {
      ASSIGN_OR_RETURN(const AdminReport report, admin_->Report());
      if (reached(report.cluster)) return absl::OkStatus();
      std::this_thread::sleep_for(kPoll);
    }
    return absl::DeadlineExceededError("the cluster did not get there in time");
  }

  const Options options_;
  const Content content_;
  std::unique_ptr<testing::Cluster> cluster_;
  std::unique_ptr<FileSystem> fs_;
  std::unique_ptr<AdminClient> admin_;
  std::vector<std::string> files_;
};

absl::Status Main(const Options& options) { return RepairBench(options).Run(); }

}  // namespace
}  // namespace cairn::bench

int main(int argc, char** argv) {
  return cairn::bench::BenchMain<cairn::bench::Options>(
      "repair_bench", "Measures how a cluster rebuilds what a dead DataNode held.", argc, argv,
      cairn::bench::Main);
}
