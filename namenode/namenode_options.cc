#include "namenode/namenode_options.h"

#include <fmt/core.h>

#include "common/net/address.h"
#include "common/units.h"
#include "namenode/blocks/placement/placement.h"

namespace cairn::namenode {
namespace {

constexpr uint64_t kMinAuditLogBytes = 64 << 10;

absl::Status CheckBlockSize(uint64_t bytes) {
  const Limits limits;
  if (bytes >= limits.min_block_size && bytes <= limits.max_block_size &&
      bytes % limits.min_block_size == 0) {
    return absl::OkStatus();
  }
  return UsageError(fmt::format("--block-size must be a multiple of 4K from {} to {}",
                                FormatSize(limits.min_block_size),
                                FormatSize(limits.max_block_size)));
}

absl::Status CheckMaxBlocks(uint64_t blocks) {
  if (blocks >= 1 && blocks <= kMaxBlocksPerFile) return absl::OkStatus();
  return UsageError(fmt::format("--max-blocks-per-file must be from 1 to {}", kMaxBlocksPerFile));
}

}  // namespace

void NameNodeOptions::Declare(OptionTable& table) {
  const int64_t max_replication = Limits().max_replication;
  table.AddList("data-dir", &data_dirs, "where journal and images are kept; all are synced")
      .Value("DIR[,DIR...]");
  table.AddString("cluster", &cluster, "the cluster's name");
  table.AddBool("no-format", &no_format, "refuse an empty --data-dir instead of formatting it");
  table.AddString("listen", &listen, "address of the RPC service; port 0 takes a free one")
      .Value("HOST:PORT")
      .Check([this] { return ParseHostPort(listen, kRpcPort).status(); });
  table.AddString("http", &http, "address of the HTTP service; port 0 takes a free one")
      .Value("HOST:PORT")
      .Check([this] { return ParseHostPort(http, kHttpPort).status(); });
  table.AddInt("replication", &replication, 1, max_replication, "replicas of a file's blocks");
  table.AddSize("block-size", &block_size, "bytes of a block, a multiple of 4K").Check([this] {
    return CheckBlockSize(block_size);
  });
  table.AddCount("max-blocks-per-file", &max_blocks_per_file, "blocks that a file may have")
      .Check([this] { return CheckMaxBlocks(max_blocks_per_file); });
  table.AddInt("min-replicas", &min_replicas, 1, max_replication,
               "replicas that must be durable before a file is closed");
  table.AddString("superuser", &superuser, "a user who may do everything")
      .Default("the user that runs the NameNode");
  table.AddMode("umask", &umask, "permission bits taken from new files and directories");
  table.AddChoice("placement", &placement, {kPlacements.begin(), kPlacements.end()},
                  "how replicas are placed");
  table.AddDuration("heartbeat-interval", &heartbeat_interval_ms, "how often DataNodes report");
  table.AddDuration("stale-after", &stale_after_ms, "a DataNode this long silent is degraded");
  table.AddDuration("dead-after", &dead_after_ms, "a DataNode this long silent is dead");
  table.AddDuration("redundancy-interval", &redundancy_interval_ms,
                    "how often lost replicas are looked after");
  DeclareHealth(table);
  table.AddDuration("lease-soft-limit", &lease_soft_limit_ms,
                    "within which a writer shows that it lives: it does three times as often");
  table.AddDuration("lease-hard-limit", &lease_hard_limit_ms,
                    "a writer this long silent loses its file");
  table.AddDouble("safe-mode-threshold", &safe_mode_threshold, 0, 1,
                  "share of blocks that must be reported before safe mode ends");
  table.AddDuration("safe-mode-extension", &safe_mode_extension_ms,
                    "how long the threshold must hold");
  table.AddCount("checkpoint-txns", &checkpoint_txns, "edits after which a checkpoint is taken");
  table.AddDuration("checkpoint-interval", &checkpoint_interval_ms,
                    "time after which a checkpoint is taken");
  table.AddSize("reserved", &reserved_bytes,
                "free space of a --data-dir below which safe mode begins");
  table.AddBool("accept-older-journal", &accept_older_journal,
                "go on, counters raised, where DataNodes know of later blocks than the journal: "
                "what it has lost stays lost");
  table.AddDuration("trash-interval", &trash_interval_ms,
                    "how long the trash keeps what users remove; 0: there is no trash");
  table.AddDuration("trash-checkpoint-interval", &trash_checkpoint_interval_ms,
                    "how often what was removed becomes a checkpoint; 0: the same interval");
  DeclareAudit(table);
}

void NameNodeOptions::DeclareHealth(OptionTable& table) {
  table.AddDuration("slow-node-threshold", &slow_node_threshold_ms,
                    "a DataNode to which a packet takes longer than this, and far longer than to "
                    "its peers, is degraded; 0: none is for that");
  table.AddInt("error-limit", &error_limit, 0, 1'000'000'000,
               "a DataNode with this many disk and checksum errors in --error-window is degraded; "
               "0: none is for that");
  table.AddDuration("error-window", &error_window_ms,
                    "how long an error counts toward --error-limit");
}

void NameNodeOptions::DeclareAudit(OptionTable& table) {
  table.AddString("audit-log", &audit_log, "file that gets a line for every call of a client")
      .Value("FILE")
      .Default("none");
  table.AddSize("audit-log-size", &audit_log_bytes, "bytes at which that file becomes FILE.1")
      .Check([this] {
        return audit_log_bytes >= kMinAuditLogBytes
                   ? absl::OkStatus()
                   : UsageError(fmt::format("--audit-log-size must be at least {}",
                                            FormatSize(kMinAuditLogBytes)));
      });
  table.AddInt("audit-log-files", &audit_log_files, 1, 1000,
               "files of the audit log that are kept, FILE itself included");
}

absl::Status NameNodeOptions::Validate() const {
  if (data_dirs.empty()) return UsageError("--data-dir is needed: --data-dir /var/lib/cairn/name");
  if (cluster.empty()) return UsageError("--cluster must not be empty");
  if (heartbeat_interval_ms <= 0) return UsageError("--heartbeat-interval must be above 0");
  if (redundancy_interval_ms <= 0) return UsageError("--redundancy-interval must be above 0");
  if (error_window_ms <= 0) return UsageError("--error-window must be above 0");
  if (lease_soft_limit_ms <= 0) return UsageError("--lease-soft-limit must be above 0");
  if (stale_after_ms <= heartbeat_interval_ms) {
    return UsageError("--stale-after must be longer than --heartbeat-interval");
  }
  if (dead_after_ms < stale_after_ms) {
    return UsageError("--dead-after must not be shorter than --stale-after");
  }
  if (lease_hard_limit_ms < lease_soft_limit_ms) {
    return UsageError("--lease-hard-limit must not be shorter than --lease-soft-limit");
  }
  if (trash_checkpoint_interval_ms > trash_interval_ms) {
    return UsageError("--trash-checkpoint-interval must not be longer than --trash-interval");
  }
  if (checkpoint_txns == 0) return UsageError("--checkpoint-txns must be above 0");
  return absl::OkStatus();
}

}  // namespace cairn::namenode
