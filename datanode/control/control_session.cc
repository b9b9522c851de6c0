#include "datanode/control/control_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/background_task.h"
#include "common/clock.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/strings.h"
#include "common/units.h"
#include "datanode/control/local_address.h"
#include "datanode/pipeline/node_numbers.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/pipeline/peer_latencies.h"
#include "datanode/store/replica_store.h"
#include "proto/control.pb.h"
#include "proto/types.pb.h"

namespace cairn::datanode {
namespace {

constexpr int64_t kMinHeartbeatMs = 10;
constexpr int64_t kMaxHeartbeatMs = 60'000;

// Retries go on at least every two seconds: a NameNode that comes back is found at once.
BackgroundTask::Options Every(int64_t interval_ms) {
  BackgroundTask::Options options;
  options.interval_ms = interval_ms;
  options.max_backoff_ms = 2'000;
  return options;
}

void AddStorages(const std::vector<VolumeInfo>& volumes, const NodeNumbers& numbers,
                 google::protobuf::RepeatedPtrField<v1::StorageInfo>* out) {
  for (const VolumeInfo& volume : volumes) {
    v1::StorageInfo* info = out->Add();
    info->set_id(volume.storage_id);
    info->set_path(volume.path);
    info->set_capacity_bytes(volume.capacity_bytes);
    info->set_used_bytes(volume.used_bytes);
    info->set_remaining_bytes(volume.remaining_bytes);
    info->set_failed(volume.failed);
    info->set_blocks(volume.blocks);
    info->set_number(numbers.storage(volume.index));
    info->set_slow_us(volume.slow_us);
    info->set_others_us(volume.others_us);
  }
}

Block ToBlock(const v1::Block& block) {
  return {.id = block.id(), .generation = block.generation(), .length = block.length()};
}

std::vector<Target> ToTargets(const google::protobuf::RepeatedPtrField<v1::NodeAddress>& nodes) {
  std::vector<Target> targets;
  for (const v1::NodeAddress& node : nodes) {
    targets.push_back({.number = node.number(),
                       .id = node.id(),
                       .addresses = {node.addresses().begin(), node.addresses().end()}});
  }
  return targets;
}

// What no retry will change.
bool IsFinal(const absl::Status& status) {
  return absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status);
}

}  // namespace

ControlSession::ControlSession(Options options, Parts parts)
    : options_(std::move(options)),
      parts_(parts),
      incarnation_(RandomU64()),
      link_(options_.namenodes),
      changes_([this] { report_task_->Wake(); }),
      reporter_(options_.reports, parts.store->node_id(), incarnation_, &link_, parts.store,
                parts.numbers, &changes_, parts.clock),
      commands_({.store = parts.store,
                 .transfers = parts.transfers,
                 .connector = parts.connector,
                 .peers = parts.peers},
                [this](const RecoveryResult& result) { return CommitRecovery(result); }),
      register_task_(std::make_unique<BackgroundTask>(
          "register", Every(1'000), [this] { return RegisterIfNeeded(); }, parts.metrics)),
      report_task_(std::make_unique<BackgroundTask>(
          "report", Every(1'000), [this] { return Report(); }, parts.metrics)) {
  parts_.store->SetObserver(&changes_);
}

ControlSession::~ControlSession() { Stop(); }

void ControlSession::Start() {
  register_task_->Start();
  report_task_->Start();
}

void ControlSession::Stop() {
  link_.Stop();
  register_task_->Stop();
  if (heartbeat_task_ != nullptr) heartbeat_task_->Stop();
  report_task_->Stop();
  commands_.Stop();
  parts_.store->SetObserver(nullptr);
}

bool ControlSession::registered() const { return registration() != 0; }

uint64_t ControlSession::registration() const {
  MutexLock lock(mu_);
  return registered_ ? registrations_ : 0;
}

bool ControlSession::Enter(uint64_t registration) {
  MutexLock lock(mu_);
  if (!registered_ || registration != registrations_) return false;
  ++inside_;
  return true;
}

void ControlSession::Leave() {
  {
    MutexLock lock(mu_);
    --inside_;
  }
  left_.SignalAll();
}

void ControlSession::WaitUntilAllLeft() {
  MutexLock lock(mu_);
  while (inside_ > 0) left_.Wait(mu_);
}

absl::Status ControlSession::NoteOutcome(absl::Status status) {
  if (KindOf(status) != ErrorKind::kUnknownNode) return status;
  KeepLastContact();
  {
    MutexLock lock(mu_);
    registered_ = false;
  }
  register_task_->Wake();
  return status;
}

// --- registration ------------------------------------------------------------------------------

void ControlSession::NoteVolumes() {
  {
    MutexLock lock(mu_);
    registered_ = false;
    ++volume_changes_;
  }
  register_task_->Wake();
}

absl::Status ControlSession::RegisterIfNeeded() {
  uint64_t volume_changes = 0;
  {
    MutexLock lock(mu_);
    if (registered_) return absl::OkStatus();
    volume_changes = volume_changes_;
  }
  WaitUntilAllLeft();
  const std::vector<VolumeInfo> volumes = parts_.store->Volumes();
  ASSIGN_OR_RETURN(const v1::RegisterRequest request, MakeRegistration(volumes));
  const absl::StatusOr<v1::RegisterReply> reply = link_.Register(request);
  if (!reply.ok()) KeepLastContact();  // no heartbeat will, while this node is not registered
  absl::Status status = reply.ok() ? TakeRegistration(volumes, *reply) : reply.status();
  if (status.ok()) {
    LogInfo("registered as node {} with the NameNode at {}, cluster {}", reply->node_number(),
            link_.peer().ToString(), reply->cluster_id());
    parts_.store->NoteEpoch(reply->epoch()).IgnoreError();  // heartbeats say it again
    parts_.store->NoteContact().IgnoreError();              // they too
    {
      MutexLock lock(mu_);
      // Else they have changed again meanwhile, and the next registration has been woken.
      registered_ = volume_changes == volume_changes_;
      ++registrations_;
      at_last_contact_ = HighestSeen{.block_id = request.highest_block_id(),
                                     .generation = request.highest_generation()};
    }
    reporter_.RequestFullReports({});
    report_task_->Wake();
    RunHeartbeats(reply->heartbeat_interval_ms());
    if (options_.on_registered) options_.on_registered();
  } else if (IsFinal(status) && options_.on_fatal) {
    options_.on_fatal(status);
  }
  return status;
}

absl::StatusOr<v1::RegisterRequest> ControlSession::MakeRegistration(
    const std::vector<VolumeInfo>& volumes) const {
  v1::RegisterRequest request;
  request.set_cluster_id(parts_.store->cluster_id());
  request.set_node_id(parts_.store->node_id());
  ASSIGN_OR_RETURN(const auto addresses, Advertised(options_.advertise, options_.data));
  for (const std::string& address : addresses) request.add_addresses(address);
  ASSIGN_OR_RETURN(const auto http, Advertised(options_.advertise_http, options_.http));
  request.set_http_address(http.front());
  request.set_rack(options_.rack);
  AddStorages(volumes, *parts_.numbers, request.mutable_storages());
  const HighestSeen highest = parts_.store->highest();
  request.set_highest_block_id(highest.block_id);
  request.set_highest_generation(highest.generation);
  request.set_highest_epoch(highest.epoch);
  if (const auto contact = AtLastContact(); contact.has_value()) {
    request.mutable_at_last_contact()->set_block_id(contact->block_id);
    request.mutable_at_last_contact()->set_generation(contact->generation);
  }
  request.set_version(CAIRN_VERSION);
  request.set_host(HostName());
  request.set_incarnation(incarnation_);
  return request;
}

absl::StatusOr<std::vector<std::string>> ControlSession::Advertised(
    const std::vector<std::string>& given, const HostPort& listen) const {
  if (!given.empty()) return given;
  HostPort address = listen;
  if (listen.IsWildcard()) {
    ASSIGN_OR_RETURN(address.host, LocalAddressTowards(link_.peer()));
  }
  return std::vector<std::string>{address.ToString()};
}

// `volumes`: as they were in the request.
absl::Status ControlSession::TakeRegistration(const std::vector<VolumeInfo>& volumes,
                                              const v1::RegisterReply& reply) {
  if (reply.node_number() == 0 || reply.cluster_id().empty() ||
      static_cast<size_t>(reply.storage_numbers_size()) != volumes.size()) {
    return absl::InternalError("the NameNode's answer to the registration is incomplete");
  }
  RETURN_IF_ERROR(parts_.store->AdoptCluster(reply.cluster_id()));
  std::vector<StorageNumber> by_volume(volumes.back().index + 1, 0);
  for (size_t i = 0; i < volumes.size(); ++i) {
    by_volume[volumes[i].index] = reply.storage_numbers(static_cast<int>(i));
  }
  parts_.numbers->Set(reply.node_number(), std::move(by_volume));
  parts_.store->StartUsing(volumes);
  return absl::OkStatus();
}

// --- heartbeats and commands -------------------------------------------------------------------

void ControlSession::RunHeartbeats(int64_t interval_ms) {
  interval_ms = std::clamp(interval_ms, kMinHeartbeatMs, kMaxHeartbeatMs);
  if (heartbeat_task_ != nullptr && interval_ms == heartbeat_interval_ms_) {
    heartbeat_task_->Wake();
    return;
  }
  heartbeat_interval_ms_ = interval_ms;
  heartbeat_task_ = std::make_unique<BackgroundTask>(
      "heartbeat", Every(interval_ms), [this] { return Heartbeat(); }, parts_.metrics);
  heartbeat_task_->Start();
}

v1::HeartbeatRequest ControlSession::MakeHeartbeat() {
  v1::HeartbeatRequest request;
  request.set_node_id(parts_.store->node_id());
  request.set_incarnation(incarnation_);
  AddStorages(parts_.store->Volumes(), *parts_.numbers, request.mutable_storages());
  const TransferLoad load = parts_.transfers->load();
  request.set_active_writes(load.active_writes);
  request.set_active_reads(load.active_reads);
  request.set_read_requests(load.read_requests);
  request.set_write_requests(load.write_requests);
  const uint64_t found_bad = changes_.found_bad();
  request.set_errors(load.errors + found_bad);
  request.set_bytes_read(load.bytes_read);
  request.set_bytes_written(load.bytes_written);
  request.set_disk_errors(load.disk_errors);
  request.set_checksum_errors(load.checksum_errors + found_bad);
  for (const PeerLatencies::Peer& peer : parts_.latencies->Report(parts_.clock->SteadyMs())) {
    v1::PeerLatency* const out = request.add_peers();
    out->set_node(peer.node);
    out->set_median_us(peer.median_us);
    out->set_samples(peer.samples);
  }
  for (const BlockId block : commands_.TakeFailedCopies()) request.add_failed_copies(block);
  return request;
}

absl::Status ControlSession::Heartbeat() {
  const uint64_t mine = registration();
  if (mine == 0) return absl::OkStatus();
  const v1::HeartbeatRequest request = MakeHeartbeat();
  const HighestSeen highest = parts_.store->highest();
  const absl::StatusOr<v1::HeartbeatReply> reply = link_.Heartbeat(request);
  if (!reply.ok()) {
    for (const BlockId block : request.failed_copies()) commands_.NoteFailedCopy(block);
  }
  if (!reply.ok() && registration() != mine) return reply.status();  // says nothing of the new one
  if (!reply.ok()) KeepLastContact();
  RETURN_IF_ERROR(NoteOutcome(reply.status()));
  RETURN_IF_ERROR(parts_.store->NoteEpoch(reply->epoch()));
  {
    MutexLock lock(mu_);
    at_last_contact_ = highest;
  }
  if (const absl::Status noted = parts_.store->NoteContact(); !noted.ok()) {
    LogWarn("cannot note that the NameNode answers: {}", MessageOf(noted));
  }
  if (!Enter(mine)) {
    LogInfo("{} orders from before this node registered again were dropped",
            reply->commands_size());
    return absl::OkStatus();
  }
  for (const v1::Command& command : reply->commands()) Obey(command);
  Leave();
  return absl::OkStatus();
}

std::optional<HighestSeen> ControlSession::AtLastContact() const {
  {
    MutexLock lock(mu_);
    if (at_last_contact_.has_value()) return at_last_contact_;
  }
  return parts_.store->lost_contact();  // of the process before this one
}

// What writers bring from now on may come from a NameNode that this node has not heard of.
void ControlSession::KeepLastContact() {
  const std::optional<HighestSeen> known = AtLastContact();
  if (!known.has_value()) return;
  if (const absl::Status kept = parts_.store->NoteContactLost(*known); !kept.ok()) {
    LogWarn("cannot keep what was known of the NameNode: {}", MessageOf(kept));
  }
}

void ControlSession::Obey(const v1::Command& command) {
  if (command.has_delete_replicas()) {
    std::vector<Block> blocks;
    for (const v1::Block& block : command.delete_replicas().blocks()) {
      blocks.push_back(ToBlock(block));
    }
    commands_.Delete(blocks);
  } else if (command.has_copy_replica()) {
    const v1::CopyReplica& copy = command.copy_replica();
    Block block = ToBlock(copy.block());
    block.length = 0;  // any: the replica's own counts
    commands_.Copy(block, ToTargets(copy.targets()));
  } else if (command.has_recover_block()) {
    const v1::RecoverBlock& recover = command.recover_block();
    commands_.Recover({.block = ToBlock(recover.block()),
                       .recovery = recover.recovery_generation(),
                       .members = ToTargets(recover.members()),
                       .cut = recover.cut()});
  } else if (command.has_send_full_report()) {
    const auto& storages = command.send_full_report().storages();
    reporter_.RequestFullReports({storages.begin(), storages.end()});
    report_task_->Wake();
  } else {
    LogWarn("an order of the NameNode is unknown to this version and was ignored");
  }
}

absl::Status ControlSession::CommitRecovery(const RecoveryResult& result) {
  v1::CommitRecoveryRequest request;
  request.set_node_id(parts_.store->node_id());
  request.set_incarnation(incarnation_);
  request.mutable_block()->set_id(result.block.id);
  request.mutable_block()->set_generation(result.block.generation);
  request.mutable_block()->set_length(result.block.length);
  for (const StorageNumber storage : result.storages) request.add_storages(storage);
  return link_.CommitRecovery(request);
}

absl::Status ControlSession::Report() {
  if (!Enter(registration())) return absl::OkStatus();
  const absl::Status reported = NoteOutcome(reporter_.RunOnce());
  Leave();
  return reported;
}

}  // namespace cairn::datanode
