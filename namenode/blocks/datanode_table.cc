#include "namenode/blocks/datanode_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/logging.h"
#include "common/node_name.h"
#include "common/status.h"

namespace cairn::namenode {
namespace {

constexpr double kAlmostFull = 0.10;  // free fraction below which others are preferred
constexpr int kSilentHeartbeats = 3;  // after these another start may take a node's id over

absl::Status UnknownNode(std::string_view id) {
  return WithKind(
      absl::NotFoundError(fmt::format("DataNode {} is not registered; register again", id)),
      ErrorKind::kUnknownNode);
}

// "5 min", "90 s", "400 ms": of an option.
std::string Span(int64_t ms) {
  if (ms % 60'000 == 0) return fmt::format("{} min", ms / 60'000);
  return ms % 1'000 == 0 ? fmt::format("{} s", ms / 1'000) : fmt::format("{} ms", ms);
}

std::string Millis(uint64_t us) { return fmt::format("{:.1f} ms", static_cast<double>(us) / 1000); }

}  // namespace

bool DataNode::awaits_report() const {
  return std::any_of(storages.begin(), storages.end(),
                     [](const Storage* s) { return !s->lost && !s->away && s->stale; });
}

DataNode& DatanodeTable::Make(const NodeRegistration& registration) {
  const auto [node, is_new] = nodes_.Emplace(registration.number);
  if (is_new) {
    node->number = registration.number;
    node->view_index = view_.Add(registration.number, registration.rack, registration.host);
  }
  by_id_[registration.id] = node;
  node->id = registration.id;
  node->rack = registration.rack.empty() ? std::string(kDefaultRack) : registration.rack;
  return *node;
}

Storage& DatanodeTable::MakeStorage(const StorageReport& report) {
  Storage& storage = *storages_.Emplace(report.number).first;
  storage.number = report.number;
  storage.id = report.id;
  return storage;
}

void DatanodeTable::TakeStats(Storage& storage, const StorageReport& report) {
  storage.capacity_bytes = report.capacity_bytes;
  storage.used_bytes = report.used_bytes;
  storage.remaining_bytes = report.remaining_bytes;
  storage.failed = report.failed;
  storage.slow_us = report.slow_us;
  storage.others_us = report.others_us;
}

void DatanodeTable::Load(const NodeRegistration& node, AdminState admin) {
  DataNode& loaded = Make(node);
  loaded.admin = admin;
  for (const StorageReport& report : node.storages) {
    Storage& storage = MakeStorage(report);
    storage.node = &loaded;
    loaded.storages.push_back(&storage);
  }
}

absl::Status DatanodeTable::CheckRegistration(const NodeRegistration& registration,
                                              int64_t now_ms) const {
  const DataNode* node = Find(registration.id);
  if (node == nullptr || !node->alive || node->incarnation == registration.incarnation ||
      node->addresses == registration.addresses) {
    return absl::OkStatus();
  }
  const int64_t silent_ms = now_ms - node->last_heartbeat_ms;
  if (silent_ms >= kSilentHeartbeats * options_.heartbeat_interval_ms) return absl::OkStatus();
  return absl::AlreadyExistsError(fmt::format(
      "DataNode {} already runs at {}; stop that one, or give this one a data directory of its own",
      registration.id, node->addresses.empty() ? "an unknown address" : node->addresses[0]));
}

std::vector<Storage*> DatanodeTable::Register(const NodeRegistration& registration,
                                              int64_t now_ms) {
  DataNode& node = Make(registration);
  if (node.incarnation != registration.incarnation) {
    node.last_sequence = 0;
    if (node.seen) node.errors.Restarted();
  }
  node.incarnation = registration.incarnation;
  node.addresses = registration.addresses;
  node.http_address = registration.http_address;
  node.host = registration.host;
  node.seen = node.alive = true;
  node.registered_ms = node.last_heartbeat_ms = now_ms;
  node.load = {};
  node.copy_orders.clear();
  node.recovery_orders.clear();
  view_.Move(node.view_index, node.rack, node.host);

  const std::vector<Storage*> before = std::exchange(node.storages, {});
  std::vector<Storage*> lost;
  for (const StorageReport& report : registration.storages) {
    Storage& storage = MakeStorage(report);
    if (storage.node != nullptr && storage.node != &node) {  // a disk that moved
      std::erase(storage.node->storages, &storage);
      Refresh(*storage.node, now_ms);
    }
    storage.node = &node;
    storage.path = report.path;
    TakeStats(storage, report);
    storage.stale = true;
    storage.away = false;
    storage.report_wanted_ms = storage.report_asked_ms = 0;
    storage.window.Reset();
    if (storage.failed && !storage.lost) lost.push_back(&storage);
    storage.lost = storage.failed;
    node.storages.push_back(&storage);
  }
  for (Storage* storage : before) {
    const bool gone = std::count(node.storages.begin(), node.storages.end(), storage) == 0;
    if (!gone || storage->node != &node || storage->lost) continue;
    storage->lost = true;
    storage->away = false;
    lost.push_back(storage);
  }
  Refresh(node, now_ms);
  return lost;
}

std::vector<Storage*> DatanodeTable::SetAdminState(DataNode& node, AdminState admin,
                                                   int64_t now_ms) {
  node.admin = admin;
  std::vector<Storage*> lost;
  if (!node.in_maintenance()) {
    for (Storage* storage : node.storages) {
      if (!std::exchange(storage->away, false)) continue;
      storage->lost = true;
      lost.push_back(storage);
    }
  }
  Refresh(node, now_ms);
  return lost;
}

absl::StatusOr<const DataNode*> DatanodeTable::FindByName(std::string_view name) const {
  if (const DataNode* exact = Find(name)) return exact;
  std::vector<const DataNode*> found;
  ForEach([&](const DataNode& node) {
    if (MayBeNode(name, node.id, node.addresses)) found.push_back(&node);
  });
  if (found.size() == 1) return found.front();
  std::vector<std::string> ids;
  for (const DataNode* node : found) ids.push_back(node->id);
  return NotOneNode(name, ids);
}

std::vector<Storage*> DatanodeTable::Heartbeat(DataNode& node, const HeartbeatReport& report,
                                               int64_t now_ms) {
  node.last_heartbeat_ms = now_ms;
  node.load.active_writes = report.active_writes;
  node.load.active_reads = report.active_reads;
  node.load.read_requests = report.read_requests;
  node.load.write_requests = report.write_requests;
  node.load.errors = report.errors;
  node.load.bytes_read = report.bytes_read;
  node.load.bytes_written = report.bytes_written;
  node.load.disk_errors = report.disk_errors;
  node.load.checksum_errors = report.checksum_errors;
  node.errors.Note({report.disk_errors, report.checksum_errors}, options_.error_window_ms, now_ms);
  slow_.Report(node.number, report.peers, now_ms);
  std::vector<Storage*> lost;
  for (const StorageReport& stats : report.storages) {
    Storage* storage = FindStorage(stats.number);
    if (storage == nullptr || storage->node != &node) continue;
    TakeStats(*storage, stats);
    if (storage->failed && !storage->lost) {
      storage->lost = storage->stale = true;
      storage->window.Reset();
      lost.push_back(storage);
    } else if (!storage->failed && storage->lost && storage->blocks.empty()) {
      storage->lost = false;  // repaired in place; stale until its full report
    }
  }
  Refresh(node, now_ms);
  return lost;
}

void DatanodeTable::JudgeSlowness(int64_t now_ms) {
  // Sooner, nothing new is known.
  if (judged_ms_ >= 0 && now_ms - judged_ms_ < options_.heartbeat_interval_ms) return;
  judged_ms_ = now_ms;
  for (const NodeNumber number : slow_.Judge(now_ms)) {
    const DataNode* node = Find(number);
    if (node == nullptr) continue;
    const SlowNodes::Verdict* verdict = slow_.Find(number);
    if (verdict == nullptr) {
      LogInfo("DataNode {} is not slow any more", node->id);
    } else {
      LogWarn("DataNode {} is slow: {} a packet, its peers {}", node->id,
              Millis(verdict->latency_us), Millis(verdict->peers_us));
    }
  }
}

std::vector<DataNode*> DatanodeTable::FindDead(int64_t now_ms) {
  std::vector<DataNode*> dead;
  ForEach([&](DataNode& node) {
    if (node.alive && now_ms - node.last_heartbeat_ms >= options_.dead_after_ms) {
      node.alive = false;
      node.copy_orders.clear();
      node.recovery_orders.clear();
      for (Storage* storage : node.storages) {
        storage->stale = true;
        storage->away = node.in_maintenance() && !storage->lost;
        storage->lost = !storage->away;
        storage->window.Reset();
      }
      dead.push_back(&node);
    }
    Refresh(node, now_ms);
  });
  return dead;
}

DataNode* DatanodeTable::Find(std::string_view id) const {
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? nullptr : it->second;
}

absl::StatusOr<DataNode*> DatanodeTable::Speaker(std::string_view id, uint64_t incarnation) const {
  DataNode* node = Find(id);
  if (node == nullptr || !node->alive || node->incarnation != incarnation) return UnknownNode(id);
  return node;
}

absl::StatusOr<Storage*> DatanodeTable::SpeakerStorage(std::string_view id, uint64_t incarnation,
                                                       StorageNumber number) {
  ASSIGN_OR_RETURN(DataNode * node, Speaker(id, incarnation));
  Storage* storage = FindStorage(number);
  if (storage == nullptr || storage->node != node) {
    return absl::InvalidArgumentError(
        fmt::format("storage {} is not one of DataNode {}", number, id));
  }
  return storage;
}

NodeState DatanodeTable::State(const DataNode& node, int64_t now_ms, std::string* reason) const {
  // `text` is made only if it is wanted: a node's state is looked at for every block.
  const auto because = [&](NodeState state, auto&& text) {
    if (reason != nullptr) *reason = text();
    return state;
  };
  const auto silence = [&] {
    return fmt::format("no heartbeat for {} s", (now_ms - node.last_heartbeat_ms) / 1000);
  };
  if (!node.seen) {
    return because(NodeState::kFailed, [] { return "not seen since the NameNode started"; });
  }
  if (!node.alive) return because(NodeState::kFailed, silence);
  bool any_bad = false;
  bool all_failed = !node.storages.empty();
  bool report_due = false;
  for (const Storage* storage : node.storages) {
    any_bad |= storage->failed || storage->slow_us != 0;
    if (storage->failed) continue;
    all_failed = false;
    report_due |= storage->stale;
  }
  if (all_failed) return because(NodeState::kFailed, [] { return "all volumes failed"; });
  if (Late(node, now_ms)) return because(NodeState::kDegraded, silence);
  if (report_due) {
    return because(NodeState::kRecovering, [] { return "its full block report is awaited"; });
  }
  if (any_bad || slow_.Find(node.number) != nullptr || Erring(node, now_ms)) {
    return because(NodeState::kDegraded, [&] { return WhyDegraded(node, now_ms); });
  }
  return NodeState::kHealthy;
}

std::string DatanodeTable::WhyDegraded(const DataNode& node, int64_t now_ms) const {
  std::vector<std::string> reasons;
  for (const Storage* storage : node.storages) {
    if (storage->failed) {
      reasons.push_back(fmt::format("volume {} failed", storage->path));
    } else if (storage->slow_us != 0) {
      reasons.push_back(fmt::format("volume {} is slow: {} a write or sync, the others {}",
                                    storage->path, Millis(storage->slow_us),
                                    Millis(storage->others_us)));
    }
  }
  if (const SlowNodes::Verdict* slow = slow_.Find(node.number)) {
    reasons.push_back(fmt::format("slow: {} a packet, its peers {}", Millis(slow->latency_us),
                                  Millis(slow->peers_us)));
  }
  if (Erring(node, now_ms)) {
    const ErrorCounts recent = node.errors.Recent(options_.error_window_ms, now_ms);
    std::vector<std::string> kinds;
    if (recent.disk > 0) kinds.push_back(fmt::format("{} disk", recent.disk));
    if (recent.checksum > 0) kinds.push_back(fmt::format("{} checksum", recent.checksum));
    reasons.push_back(
        fmt::format("{} errors in {}", fmt::join(kinds, " and "), Span(options_.error_window_ms)));
  }
  return fmt::format("{}", fmt::join(reasons, "; "));
}

NodeAddress DatanodeTable::AddressOf(const DataNode& node) const {
  return {node.number, node.id, node.addresses, node.http_address, node.rack};
}

DataNodeReport DatanodeTable::Describe(const DataNode& node, int64_t now_ms) const {
  DataNodeReport report;
  report.number = node.number;
  report.id = node.id;
  report.addresses = node.addresses;
  report.http_address = node.http_address;
  report.rack = node.rack;
  report.state = State(node, now_ms, &report.reason);
  report.admin_state = node.admin;
  for (const Storage* storage : node.storages) {
    report.volumes.push_back({storage->path, storage->capacity_bytes, storage->used_bytes,
                              storage->failed, !storage->failed && storage->slow_us != 0});
    if (storage->failed) continue;
    report.capacity_bytes += storage->capacity_bytes;
    report.used_bytes += storage->used_bytes;
    report.remaining_bytes += storage->remaining_bytes;
    report.blocks += storage->blocks.size();
  }
  report.read_requests = node.load.read_requests;
  report.write_requests = node.load.write_requests;
  report.errors = node.load.errors;
  report.bytes_read = node.load.bytes_read;
  report.bytes_written = node.load.bytes_written;
  report.disk_errors = node.load.disk_errors;
  report.checksum_errors = node.load.checksum_errors;
  report.packet_latency_us = slow_.LatencyUs(node.number);
  if (node.seen) report.last_heartbeat_ms_ago = now_ms - node.last_heartbeat_ms;
  return report;
}

bool DatanodeTable::AllReported() const {
  bool all = true;
  nodes_.ForEachFrom(0, [&](uint64_t, const DataNode& node) {
    all = node.admin == AdminState::kDecommissioned || (node.seen && !node.awaits_report());
    return all;
  });
  return all;
}

bool DatanodeTable::LiveReported() const {
  bool all = true;
  nodes_.ForEachFrom(0, [&](uint64_t, const DataNode& node) {
    all = !node.alive || !node.in_service() || !node.awaits_report();
    return all;
  });
  return all;
}

void DatanodeTable::Refresh(const DataNode& node, int64_t now_ms) {
  uint64_t capacity = 0;
  uint64_t remaining = 0;
  for (const Storage* storage : node.storages) {
    if (storage->failed) continue;
    capacity += storage->capacity_bytes;
    remaining += storage->remaining_bytes;
  }
  view_.SetLoad(node.view_index, capacity, remaining - std::min(remaining, node.promised_bytes),
                std::max(node.load.active_writes, node.open_blocks) + node.load.active_reads);
  const NodeState state = State(node, now_ms, nullptr);
  PlacementTier tier = PlacementTier::kPreferred;
  if (state == NodeState::kFailed || !node.in_service()) {
    tier = PlacementTier::kUnusable;
  } else if (Late(node, now_ms)) {
    tier = PlacementTier::kLastResort;
  } else if (state != NodeState::kHealthy ||
             view_.node(node.view_index).FreeFraction() < kAlmostFull) {
    tier = PlacementTier::kSecondary;
  }
  view_.SetTier(node.view_index, tier);
}

}  // namespace cairn::namenode
