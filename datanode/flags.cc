#include "datanode/flags.h"

#include <fmt/format.h>

#include <set>

#include "datanode/store/small_log_format.h"

namespace cairn::datanode {
namespace {

constexpr uint16_t kNameNodePort = 8020;
constexpr uint16_t kDataPort = 9866;
constexpr uint16_t kHttpPort = 9864;
constexpr int64_t kMinScanPeriodMs = 1'000;
constexpr uint64_t kMinScanRate = 4 << 10;
constexpr int64_t kMinLatencyWindowMs = 1'000;

template <typename T>
absl::StatusOr<T> For(std::string_view flag, absl::StatusOr<T> value) {
  if (value.ok()) return value;
  return UsageError(fmt::format("--{}: {}", flag, MessageOf(value.status())));
}

absl::StatusOr<std::vector<std::string>> Addresses(std::string_view flag,
                                                   const std::vector<std::string>& items,
                                                   uint16_t port) {
  std::vector<std::string> out;
  for (const std::string& item : items) {
    ASSIGN_OR_RETURN(const HostPort address, For(flag, ParseHostPort(item, port)));
    if (address.IsWildcard() || address.port == 0) {
      return UsageError(fmt::format("--{}: {} is no address that others can reach", flag, item));
    }
    out.push_back(address.ToString());
  }
  return out;
}

DiskWrites ToDiskWrites(std::string_view name) {  // one of the choices
  if (name == "direct") return DiskWrites::kDirect;
  return name == "buffered" ? DiskWrites::kBuffered : DiskWrites::kAuto;
}

absl::Status CheckDirs(const std::vector<std::string>& dirs) {
  if (dirs.empty()) {
    return UsageError("--data-dir is missing; give the directory (one per disk) for the blocks");
  }
  std::set<std::string> seen;
  for (const std::string& dir : dirs) {
    if (!seen.insert(dir).second) {
      return UsageError(fmt::format("--data-dir: {} is given twice", dir));
    }
  }
  return absl::OkStatus();
}

}  // namespace

void DataNodeFlags::Declare(OptionTable& table) {
  table.AddList("data-dir", &data_dir, "where the blocks are kept, one directory per disk")
      .Value("DIR[,DIR...]");
  table.AddList("namenode", &namenode, "the NameNodes of the cluster")
      .Value("HOST:PORT[,...]")
      .Default("127.0.0.1:8020");
  table.AddString("rack", &rack, "where this node stands").Value("/REGION/RACK");
  table.AddSize("capacity", &capacity, "space for blocks on each data directory; 0: the disk's");
  table.AddSize("reserved", &reserved, "space that is left free on each disk");
  table.AddString("listen", &listen, "address of the data service").Value("HOST:PORT");
  table.AddString("http", &http, "address of the status pages").Value("HOST:PORT");
  table.AddList("advertise", &advertise, "data addresses that others are told, tried in order")
      .Value("HOST:PORT[,...]")
      .Default("that of --listen");
  table.AddList("advertise-http", &advertise_http, "page addresses that others are told")
      .Value("HOST:PORT[,...]")
      .Default("that of --http");
  table.AddInt("failed-volumes-tolerated", &failed_volumes_tolerated, -1, 1'000,
               "the node goes on with this many failed data directories; -1: all but one");
  table.AddSize("transfer-memory", &transfer_memory, "bounds the open block streams, 2M each");
  table
      .AddString(
          "local-socket", &local_socket,
          "Unix socket at which clients on this host get the files of replicas, to read them "
          "without a connection")
      .Value("PATH|off")
      .Default("local.sock in the first data directory");
  table.AddChoice("disk-writes", &disk_writes, {"auto", "direct", "buffered"},
                  "past the page cache (O_DIRECT) or through it; auto: streams past it, the rest "
                  "through it");
  table.AddSize("small-replica-max", &small_replica_max,
                "replicas up to this are made durable together, in a log on each disk; 0: never");
  table.AddDuration("scan-period", &scan_period,
                    "every replica is read and verified once in this time; 0: none is");
  table.AddSize("scan-rate", &scan_rate,
                "bytes a second of each data directory that this may read; more where the period "
                "would not be kept");
  table.AddDuration("peer-latency-window", &peer_latency_window,
                    "how far back the NameNode is told what packets to other DataNodes took, which "
                    "shows it those that are slow");
}

absl::StatusOr<DataNodeOptions> DataNodeFlags::ToOptions() const {
  DataNodeOptions options;
  RETURN_IF_ERROR(CheckDirs(data_dir));
  options.data_dirs = data_dir;
  const std::vector<std::string> defaults = {"127.0.0.1"};
  ASSIGN_OR_RETURN(
      options.namenodes,
      For("namenode", ParseHostPortList(namenode.empty() ? defaults : namenode, kNameNodePort)));
  if (!rack.empty() && rack.front() != '/') {
    return UsageError(
        fmt::format("--rack: {} does not begin with a slash, as in /dc1/rack7", rack));
  }
  options.rack = rack;
  options.capacity_bytes = capacity;
  options.reserved_bytes = reserved;
  ASSIGN_OR_RETURN(options.listen, For("listen", ParseHostPort(listen, kDataPort)));
  ASSIGN_OR_RETURN(options.http, For("http", ParseHostPort(http, kHttpPort)));
  ASSIGN_OR_RETURN(options.advertise, Addresses("advertise", advertise, options.listen.port));
  ASSIGN_OR_RETURN(options.advertise_http,
                   Addresses("advertise-http", advertise_http, options.http.port));
  const auto tolerated = static_cast<int>(failed_volumes_tolerated);
  if (tolerated >= static_cast<int>(data_dir.size())) {
    return UsageError(
        fmt::format("--failed-volumes-tolerated: {} of {} data directories would leave none",
                    tolerated, data_dir.size()));
  }
  options.failed_volumes_tolerated = tolerated;
  if (transfer_memory < (2 << 20)) {
    return UsageError("--transfer-memory: at least 2M, which is one stream");
  }
  options.transfer_memory_bytes = transfer_memory;
  options.local_reads = local_socket != "off";
  if (options.local_reads) options.local_socket = local_socket;
  if (!options.local_socket.empty() && options.local_socket.front() != '/') {
    return UsageError(fmt::format("--local-socket: {} is neither an absolute path nor off",
                                  options.local_socket));
  }
  options.disk_writes = ToDiskWrites(disk_writes);
  if (small_replica_max > kMaxSmallReplicaBytes) {
    return UsageError("--small-replica-max: at most 4M; 0 turns the log off");
  }
  options.small_replica_max_bytes = small_replica_max;
  if (scan_period != 0 && scan_period < kMinScanPeriodMs) {
    return UsageError("--scan-period: 0, or at least 1s");
  }
  options.scan_period_ms = scan_period;
  if (scan_rate < kMinScanRate) {
    return UsageError("--scan-rate: at least 4K; --scan-period 0 turns it off");
  }
  options.scan_rate = scan_rate;
  if (peer_latency_window < kMinLatencyWindowMs) {
    return UsageError("--peer-latency-window: at least 1s");
  }
  options.peer_latency_window_ms = peer_latency_window;
  return options;
}

}  // namespace cairn::datanode
