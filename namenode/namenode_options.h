// The NameNode's flags, each with its default. Read once at the start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/options.h"
#include "common/status.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

inline constexpr uint16_t kRpcPort = 8020;  // HDFS's own
inline constexpr uint16_t kHttpPort = 9870;

struct NameNodeOptions {
  std::vector<std::string> data_dirs;
  std::string cluster = "cairn";
  bool no_format = false;
  std::string listen = "127.0.0.1:8020";
  std::string http = "127.0.0.1:9870";

  int64_t replication = 3;
  uint64_t block_size = 128ull << 20;
  int64_t min_replicas = 2;
  std::string superuser;  // empty: the user that runs the NameNode
  uint32_t umask = 022;
  std::string placement = "rack_aware";

  uint64_t max_blocks_per_file = Limits().max_blocks_per_file;
  int64_t heartbeat_interval_ms = 3'000;
  int64_t stale_after_ms = 10'000;
  int64_t dead_after_ms = 60'000;
  int64_t redundancy_interval_ms = 3'000;
  int64_t slow_node_threshold_ms = 20;
  int64_t error_limit = 10;
  int64_t error_window_ms = 300'000;
  int64_t lease_soft_limit_ms = 60'000;
  int64_t lease_hard_limit_ms = 20 * 60'000;
  double safe_mode_threshold = 0.999;
  int64_t safe_mode_extension_ms = 0;
  uint64_t checkpoint_txns = 1'000'000;
  int64_t checkpoint_interval_ms = 3600 * 1000;
  uint64_t reserved_bytes = 100ull << 20;
  bool accept_older_journal = false;

  int64_t trash_interval_ms = 0;             // 0: no trash
  int64_t trash_checkpoint_interval_ms = 0;  // 0: trash_interval_ms

  std::string audit_log;  // empty: off
  uint64_t audit_log_bytes = 256ull << 20;
  int64_t audit_log_files = 20;

  // The program whose `checkpoint` command writes images; empty: cairn-namenode beside this
  // program.
  std::string checkpoint_program;

  void Declare(OptionTable& table);
  // What no single flag can tell: limits that depend on each other. kUsage.
  absl::Status Validate() const;

 private:
  void DeclareHealth(OptionTable& table);
  void DeclareAudit(OptionTable& table);
};

}  // namespace cairn::namenode
