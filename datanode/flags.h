// The flags of cairn-datanode, and what they mean. Not thread-safe: used at the start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/options.h"
#include "common/status.h"
#include "datanode/datanode.h"

namespace cairn::datanode {

struct DataNodeFlags {
  std::vector<std::string> data_dir;
  std::vector<std::string> namenode;
  std::string rack;
  uint64_t capacity = 0;
  uint64_t reserved = 1 << 30;
  std::string listen = "127.0.0.1:9866";
  std::string http = "127.0.0.1:9864";
  std::vector<std::string> advertise;
  std::vector<std::string> advertise_http;
  int64_t failed_volumes_tolerated = -1;
  uint64_t transfer_memory = 512 << 20;
  std::string local_socket;
  std::string disk_writes = "auto";
  uint64_t small_replica_max = 1 << 20;
  int64_t scan_period = int64_t{21} * 24 * 3600 * 1000;
  uint64_t scan_rate = 8 << 20;
  int64_t peer_latency_window = 300'000;

  void Declare(OptionTable& table);
  // Checks the values; kUsage with the flag's name.
  absl::StatusOr<DataNodeOptions> ToOptions() const;
};

}  // namespace cairn::datanode
