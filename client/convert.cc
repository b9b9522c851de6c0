#include "client/convert.h"

#include "client/connect.h"
#include "proto/admin.pb.h"
#include "proto/namenode.pb.h"

namespace cairn {
namespace {

template <typename Strings>
std::vector<std::string> ToVector(const Strings& in) {
  return {in.begin(), in.end()};
}

DataNodeReport FromReport(const v1::DataNodeReport& in) {
  DataNodeReport out{.id = in.id(),
                     .address = in.address(),
                     .addresses = ToVector(in.addresses()),
                     .http_address = in.http_address(),
                     .rack = in.rack(),
                     .status = in.status(),
                     .reason = in.reason(),
                     .admin_state = in.admin_state(),
                     .blocks_left = in.blocks_left(),
                     .admin_reason = in.admin_reason(),
                     .capacity_bytes = in.capacity_bytes(),
                     .used_bytes = in.used_bytes(),
                     .remaining_bytes = in.remaining_bytes(),
                     .utilization_percent = in.utilization_percent(),
                     .blocks = in.blocks(),
                     .read_requests = in.read_requests(),
                     .write_requests = in.write_requests(),
                     .errors = in.errors(),
                     .bytes_read = in.bytes_read(),
                     .bytes_written = in.bytes_written(),
                     .disk_errors = in.disk_errors(),
                     .checksum_errors = in.checksum_errors(),
                     .packet_latency_us = in.packet_latency_us(),
                     .last_heartbeat_ms_ago = in.last_heartbeat_ms_ago(),
                     .volumes = {}};
  for (const v1::VolumeReport& volume : in.volumes()) {
    out.volumes.push_back({.path = volume.path(),
                           .capacity_bytes = volume.capacity_bytes(),
                           .used_bytes = volume.used_bytes(),
                           .failed = volume.failed(),
                           .slow = volume.slow()});
  }
  return out;
}

ReplicationIssue FromIssue(const v1::ReplicationIssue& in) {
  return {.block_id = in.block_id(),
          .path = in.path(),
          .current_replicas = in.current_replicas(),
          .target_replicas = in.target_replicas(),
          .nodes = ToVector(in.nodes())};
}

}  // namespace

FileStatus FromProto(const v1::FileStatus& in) {
  return {.name = in.name(),
          .type = in.type() == v1::FileStatus::DIRECTORY ? FileType::kDirectory : FileType::kFile,
          .length = in.length(),
          .replication = in.replication(),
          .block_size = in.block_size(),
          .owner = in.owner(),
          .group = in.group(),
          .mode = in.mode(),
          .mtime_ms = in.mtime_ms(),
          .atime_ms = in.atime_ms(),
          .inode = in.inode(),
          .blocks = in.blocks(),
          .children = in.children(),
          .open = in.open()};
}

NodeAddress FromProto(const v1::NodeAddress& in) {
  return {.number = in.number(),
          .id = in.id(),
          .addresses = ToVector(in.addresses()),
          .http_address = in.http_address(),
          .rack = in.rack()};
}

LocatedBlock FromProto(const v1::LocatedBlock& in) {
  LocatedBlock out{.block = {.id = in.block().id(),
                             .generation = in.block().generation(),
                             .length = in.block().length()},
                   .offset = in.offset(),
                   .nodes = {},
                   .open = in.open(),
                   .corrupt = in.corrupt()};
  for (const v1::NodeAddress& node : in.nodes()) {
    if (IsLive(node)) out.nodes.push_back(FromProto(node));
  }
  return out;
}

ContentSummary FromProto(const v1::GetContentSummaryReply& in) {
  ContentSummary summary{.files = in.files(),
                         .directories = in.directories(),
                         .length = in.length(),
                         .space = in.space(),
                         .promised = in.promised()};
  if (in.has_name_quota()) summary.name_quota = in.name_quota();
  if (in.has_space_quota()) summary.space_quota = in.space_quota();
  return summary;
}

ServerDefaults FromProto(const v1::GetServerDefaultsReply& in) {
  return {.cluster = in.cluster(),
          .cluster_id = in.cluster_id(),
          .replication = in.replication(),
          .block_size = in.block_size(),
          .min_replicas = in.min_replicas(),
          .umask = in.umask(),
          .version = in.version(),
          .lease_soft_limit_ms = in.lease_soft_limit_ms(),
          .trash_interval_ms = in.trash_interval_ms()};
}

AdminReport FromProto(const v1::ReportReply& in) {
  const v1::ClusterReport& cluster = in.cluster();
  AdminReport out{.cluster = {.nodes_total = cluster.nodes_total(),
                              .nodes_healthy = cluster.nodes_healthy(),
                              .nodes_degraded = cluster.nodes_degraded(),
                              .nodes_failed = cluster.nodes_failed(),
                              .nodes_recovering = cluster.nodes_recovering(),
                              .files_total = cluster.files_total(),
                              .blocks_total = cluster.blocks_total(),
                              .capacity_bytes = cluster.capacity_bytes(),
                              .used_bytes = cluster.used_bytes(),
                              .remaining_bytes = cluster.remaining_bytes(),
                              .utilization_percent = cluster.utilization_percent(),
                              .default_replication = cluster.default_replication(),
                              .block_size_bytes = cluster.block_size_bytes(),
                              .safe_mode = cluster.safe_mode(),
                              .under_replicated_blocks = cluster.under_replicated_blocks(),
                              .over_replicated_blocks = cluster.over_replicated_blocks(),
                              .corrupt_blocks = cluster.corrupt_blocks(),
                              .missing_blocks = cluster.missing_blocks(),
                              .health_score = cluster.health_score()},
                  .datanodes = {}};
  for (const v1::DataNodeReport& node : in.datanodes()) out.datanodes.push_back(FromReport(node));
  return out;
}

BalanceStatus FromProto(const v1::BalanceReply& in) {
  return {.state = in.state(),
          .reason = in.reason(),
          .threshold_percent = in.threshold_percent(),
          .mean_percent = in.mean_percent(),
          .most_over_percent = in.most_over_percent(),
          .most_under_percent = in.most_under_percent(),
          .nodes = in.nodes(),
          .nodes_over = in.nodes_over(),
          .nodes_under = in.nodes_under(),
          .bytes_left = in.bytes_left(),
          .moves_done = in.moves_done(),
          .bytes_moved = in.bytes_moved(),
          .moves_failed = in.moves_failed(),
          .moves_in_flight = in.moves_in_flight(),
          .bytes_in_flight = in.bytes_in_flight(),
          .elapsed_ms = in.elapsed_ms(),
          .started = in.started()};
}

HealthReport FromProto(const v1::HealthReply& in) {
  HealthReport out;
  for (const v1::ReplicationIssue& issue : in.under_replicated_blocks()) {
    out.under_replicated_blocks.push_back(FromIssue(issue));
  }
  for (const v1::ReplicationIssue& issue : in.over_replicated_blocks()) {
    out.over_replicated_blocks.push_back(FromIssue(issue));
  }
  for (const v1::CorruptIssue& issue : in.corrupt_blocks()) {
    out.corrupt_blocks.push_back(
        {.block_id = issue.block_id(), .path = issue.path(), .node = issue.node()});
  }
  for (const v1::MissingIssue& issue : in.missing_blocks()) {
    out.missing_blocks.push_back({.block_id = issue.block_id(), .path = issue.path()});
  }
  out.totals = {.blocks = in.totals().blocks(),
                .under_replicated = in.totals().under_replicated(),
                .over_replicated = in.totals().over_replicated(),
                .corrupt = in.totals().corrupt(),
                .missing = in.totals().missing()};
  out.truncated = in.truncated();
  out.replication_health_score = in.replication_health_score();
  return out;
}

v1::Consistency ToProto(Consistency consistency) {
  switch (consistency) {
    case Consistency::kEventual:
      return v1::EVENTUAL;
    case Consistency::kWeak:
      return v1::WEAK;
    case Consistency::kStrong:
      break;
  }
  return v1::STRONG;
}

}  // namespace cairn
