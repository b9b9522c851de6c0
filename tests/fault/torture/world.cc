#include "tests/fault/torture/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <utility>

#include <nlohmann/json.hpp>

#include "tests/integration/cluster_view.h"
#include "tests/support/files.h"
#include "tests/support/history.h"

namespace cairn::testing {
namespace {

constexpr uint64_t kDiskBytes = 256 << 20;
constexpr int64_t kEndMs = 120'000;  // for what clients do at the end of their time

// The name of a replica's data file and its checksum file's, which has the generation.
std::set<std::string> NamesOn(const Daemon& datanode) {
  std::set<std::string> names;
  for (const std::string& path :
       FilesBelow(datanode.data_dir() + "/current/finalized",
                  [](std::string_view name) { return name.starts_with("blk_"); })) {
    names.insert(std::filesystem::path(path).filename());
  }
  return names;
}

std::string ClientHost(int slot) { return fmt::format("c{}", slot); }

}  // namespace

absl::StatusOr<std::unique_ptr<World>> World::Make(const Options& options) {
  auto world = std::unique_ptr<World>(new World(options));
  RETURN_IF_ERROR(world->SetUp());
  return world;
}

World::~World() {
  clients_.clear();
  cluster_.reset();
  disks_.clear();
}

std::string World::LogOf(int client) const {
  return fmt::format("{}/client{}.history", options_.dir, client);
}

absl::Status World::SetUp() {
  Cluster::Options cluster{
      .datanodes = options_.datanodes,
      .namenode_flags = {"--block-size=128K", "--heartbeat-interval=300ms", "--stale-after=1s",
                         "--dead-after=5s", "--redundancy-interval=300ms", "--lease-soft-limit=2s",
                         "--lease-hard-limit=5s"},
      .datanode_flags = {"--reserved=0"},
      .dir = options_.dir};
  if (NeedsHosts(options_.kinds)) {
    std::vector<std::string> names = {"nn", "client"};
    for (int i = 0; i < options_.datanodes; ++i) names.push_back(fmt::format("dn{}", i));
    for (int i = 0; i < options_.clients; ++i) names.push_back(ClientHost(i));
    ASSIGN_OR_RETURN(hosts_, NetHosts::Make(names));
    cluster.place = hosts_->Placing();
  }
  if (options_.kinds.contains(FaultKind::kFill)) {
    for (int i = 0; i < options_.datanodes; ++i) {
      ASSIGN_OR_RETURN(auto disk,
                       SmallDisk::Mount(fmt::format("{}/dn{}", options_.dir, i), kDiskBytes));
      disks_.push_back(std::move(disk));
    }
  }
  ASSIGN_OR_RETURN(cluster_, Cluster::Start(cluster));
  clients_.resize(static_cast<size_t>(options_.clients));
  lives_of_.resize(clients_.size());
  return absl::OkStatus();
}

absl::Status World::StartClients(int64_t until_us) {
  until_us_ = until_us;
  for (int slot = 0; slot < options_.clients; ++slot) RETURN_IF_ERROR(StartClient(slot));
  return absl::OkStatus();
}

absl::Status World::StartClient(int slot) {
  // Numbers tell the slot, and are the same whatever happens to other clients.
  const int client = 1 + slot + options_.clients * lives_of_[static_cast<size_t>(slot)]++;
  ++lives_;
  const int64_t seconds = std::max<int64_t>(0, until_us_ - History::NowUs()) / 1'000'000 + 1;
  const Place place = hosts_ == nullptr ? Place{} : hosts_->Placing()(ClientHost(slot));
  ASSIGN_OR_RETURN(
      clients_[static_cast<size_t>(slot)],
      Process::Start(
          {.args = {BinDir() + "/../tests/torture_client", cluster_->rpc_address(),
                    std::to_string(options_.seed), std::to_string(client),
                    std::to_string(options_.clients), LogOf(client), std::to_string(seconds)},
           .stderr_path = options_.dir + "/clients.log",
           .net_namespace = place.net_namespace}));
  return absl::OkStatus();
}

std::vector<Daemon*> World::DaemonsOf(const Fault& fault) {
  switch (fault.target) {
    case TargetKind::kNameNode:
      return {&cluster_->namenode()};
    case TargetKind::kDataNode:
      return {&cluster_->datanode(static_cast<size_t>(fault.index))};
    case TargetKind::kAllDataNodes: {
      std::vector<Daemon*> all;
      for (size_t i = 0; i < cluster_->datanodes(); ++i) all.push_back(&cluster_->datanode(i));
      return all;
    }
    case TargetKind::kClient:
      break;
  }
  return {};
}

std::string World::HostOf(const Fault& fault) const {
  if (fault.target == TargetKind::kNameNode) return "nn";
  if (fault.target == TargetKind::kClient) return ClientHost(fault.index);
  return fmt::format("dn{}", fault.index);
}

absl::Status World::BeginProcess(const Fault& fault) {
  const bool stop = fault.kind == FaultKind::kStop;
  for (Daemon* daemon : DaemonsOf(fault)) {
    if (stop) {
      daemon->Signal(SIGSTOP);
    } else {
      daemon->Kill();
    }
  }
  if (fault.target != TargetKind::kClient) return absl::OkStatus();
  clients_[static_cast<size_t>(fault.index)]->Signal(stop ? SIGSTOP : SIGKILL);
  return absl::OkStatus();
}

absl::Status World::EndProcess(const Fault& fault) {
  const bool stop = fault.kind == FaultKind::kStop;
  for (Daemon* daemon : DaemonsOf(fault)) {
    if (stop) {
      daemon->Signal(SIGCONT);
    } else {
      RETURN_IF_ERROR(daemon->Launch());
      launched_.insert(daemon);
    }
  }
  if (fault.target != TargetKind::kClient) return absl::OkStatus();
  if (!stop) return StartClient(fault.index);
  clients_[static_cast<size_t>(fault.index)]->Signal(SIGCONT);
  return absl::OkStatus();
}

absl::Status World::BeginNetwork(const Fault& fault) {
  const std::string host = HostOf(fault);
  switch (fault.kind) {
    case FaultKind::kCut:
      return hosts_->Cut(host);
    case FaultKind::kOneWay:
      return fault.variant == 0 ? hosts_->DropSent(host) : hosts_->DropReceived(host);
    case FaultKind::kLoss:
      return hosts_->Lose(host, static_cast<double>(fault.variant) / 100);
    case FaultKind::kSlow:
      return hosts_->Slow(host, static_cast<int64_t>(fault.variant) * 1'000'000);
    default:
      flapping_.push_back({fault});
      return absl::OkStatus();
  }
}

void World::Flap(int64_t now_us) {
  for (Flapping& flapping : flapping_) {
    if (flapping.next_us > now_us) continue;
    flapping.next_us = now_us + static_cast<int64_t>(flapping.fault.variant) * 1'000;
    const std::string host = HostOf(flapping.fault);
    flapping.cut = !flapping.cut;
    (flapping.cut ? hosts_->Cut(host) : hosts_->Heal(host)).IgnoreError();
  }
}

// Of a block with two more good replicas on disks, and once a block: what is lost then is Cairn's
// doing.
void World::Rot(const Fault& fault) {
  std::map<std::string, int> copies;  // by name
  for (size_t i = 0; i < cluster_->datanodes(); ++i) {
    for (const std::string& name : NamesOn(cluster_->datanode(i))) ++copies[name];
  }
  std::map<std::string, int> generations;  // checksum files of all copies, by block
  for (const auto& [name, count] : copies) {
    if (name.ends_with(".meta")) ++generations[name.substr(0, name.rfind('_'))];
  }
  std::vector<std::string> eligible;
  for (const std::string& path :
       FinalizedFiles(cluster_->datanode(static_cast<size_t>(fault.index)))) {
    const std::string name = std::filesystem::path(path).filename();
    std::error_code gone;
    const bool empty = std::filesystem::file_size(path, gone) == 0 || gone;
    if (!empty && copies[name] >= 3 && generations[name] == 1 && !rotten_.contains(name)) {
      eligible.push_back(path);
    }
  }
  if (eligible.empty()) return;
  const std::string& path = eligible[fault.variant % eligible.size()];
  std::error_code gone;
  const uint64_t size = std::filesystem::file_size(path, gone);
  if (gone || size == 0) return;
  try {
    FlipByte(path, static_cast<int64_t>(fault.variant % size));
    rotten_.insert(std::filesystem::path(path).filename());
  } catch (const std::exception&) {
    // It was removed in this moment.
  }
}

absl::Status World::Begin(const Fault& fault) {
  times_.push_back({fault, History::NowUs(), 0});
  switch (fault.kind) {
    case FaultKind::kKill:
    case FaultKind::kStop:
      return BeginProcess(fault);
    case FaultKind::kRot:
      Rot(fault);
      return absl::OkStatus();
    case FaultKind::kFill:
      return disks_[static_cast<size_t>(fault.index)]->Fill();
    default:
      return BeginNetwork(fault);
  }
}

absl::Status World::End(const Fault& fault) {
  absl::Status status;
  switch (fault.kind) {
    case FaultKind::kKill:
    case FaultKind::kStop:
      status = EndProcess(fault);
      break;
    case FaultKind::kRot:
      break;
    case FaultKind::kFill:
      status = disks_[static_cast<size_t>(fault.index)]->Empty();
      break;
    default:
      std::erase_if(flapping_, [&](const Flapping& other) { return other.fault == fault; });
      status = hosts_->Heal(HostOf(fault));
      break;
  }
  for (FaultTime& time : times_) {
    if (time.fault != fault || time.end_us != 0) continue;
    time.end_us = History::NowUs();
    Log(time);
  }
  return status;
}

void World::Log(const FaultTime& time) const {
  const nlohmann::json line = {
      {"plan", ToString(time.fault)}, {"start_us", time.start_us}, {"end_us", time.end_us}};
  std::ofstream(options_.dir + "/faults.log", std::ios::app) << line.dump() << "\n";
}

absl::Status World::Settle() {
  for (Daemon* daemon : launched_) RETURN_IF_ERROR(daemon->AwaitReady(60'000));
  std::vector<Daemon*> all = DaemonsOf({.target = TargetKind::kAllDataNodes});
  all.push_back(&cluster_->namenode());
  for (Daemon* daemon : all) {
    if (daemon->running()) continue;
    return absl::InternalError(
        fmt::format("{} ended by itself; its log is {}", daemon->name(), daemon->log_path()));
  }
  for (const auto& client : clients_) {
    if (!client->Wait(kEndMs).has_value()) return absl::DeadlineExceededError("a client hangs");
  }
  RETURN_IF_ERROR(cluster_->AwaitSafeModeOff());
  // What was acknowledged may be on those alone that are on their way back.
  const auto all_there = [&] {
    return ReportNumber(*cluster_, "nodes_failed") == 0 &&
           ReportNumber(*cluster_, "nodes_recovering") == 0;
  };
  if (!WaitUntil(kEndMs, all_there)) return absl::DeadlineExceededError("a DataNode stays away");
  return absl::OkStatus();
}

}  // namespace cairn::testing
