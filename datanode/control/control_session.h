// This node's session with its NameNode: registration, heartbeats, reports, commands.
//
// Why: everything that the NameNode knows of this node comes through here, and everything that it
// orders too. A session that is lost begins anew by itself: unknown to the NameNode means register
// again, and changes wait until they are acknowledged. A NameNode of another cluster ends the
// daemon; one of an older epoch is heard but not obeyed. Thread-safe. Made by the composition root.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "common/net/address.h"
#include "common/status.h"
#include "datanode/control/change_queue.h"
#include "datanode/control/command_executor.h"
#include "datanode/control/namenode_link.h"
#include "datanode/control/reporter.h"
#include "datanode/store/replica.h"

namespace cairn {
class BackgroundTask;
class Clock;
class Metrics;
}  // namespace cairn

namespace cairn::datanode {

class Connector;
class NodeNumbers;
class OpenTransfers;
class PeerLatencies;
class RecoveryPeers;
class ReplicaStore;

class ControlSession {
 public:
  struct Options {
    std::vector<HostPort> namenodes;
    HostPort data;                       // where the data service listens
    HostPort http;                       // where pages are served
    std::vector<std::string> advertise;  // host:port; empty: from `data`
    std::vector<std::string> advertise_http;
    std::string rack;
    Reporter::Options reports;
    // Called by the session's threads; must not call back.
    std::function<void()> on_registered;         // every time
    std::function<void(absl::Status)> on_fatal;  // this node cannot go on
  };
  struct Parts {  // all must outlive the session
    ReplicaStore* store = nullptr;
    NodeNumbers* numbers = nullptr;
    OpenTransfers* transfers = nullptr;
    PeerLatencies* latencies = nullptr;
    Connector* connector = nullptr;
    RecoveryPeers* peers = nullptr;
    Clock* clock = nullptr;
    Metrics* metrics = nullptr;
  };

  ControlSession(Options options, Parts parts);
  ~ControlSession();  // Stop()

  // The session's own loops, for the composition root's list: register, heartbeat, report.
  void Start();
  // Ends calls that wait, and joins all threads. Streams must have been cancelled before.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  bool registered() const ABSL_LOCKS_EXCLUDED(mu_);
  // The store's volumes are others now: registers again, which names them and reports what they
  // hold. What a volume that is gone held is lost to the NameNode by that.
  void NoteVolumes() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::Status RegisterIfNeeded() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status TakeRegistration(const std::vector<VolumeInfo>& volumes,
                                const v1::RegisterReply& reply) ABSL_LOCKS_EXCLUDED(mu_);
  void RunHeartbeats(int64_t interval_ms) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Heartbeat() ABSL_LOCKS_EXCLUDED(mu_);
  v1::HeartbeatRequest MakeHeartbeat();
  std::optional<HighestSeen> AtLastContact() const ABSL_LOCKS_EXCLUDED(mu_);
  void KeepLastContact() ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status Report() ABSL_LOCKS_EXCLUDED(mu_);
  void Obey(const v1::Command& command);
  absl::Status CommitRecovery(const RecoveryResult& result);
  // What belongs to a registration, orders and reports, does not outlive it: a NameNode that starts
  // has forgotten what it ordered, and must not hear of replicas that are to go. Enter returns
  // whether `registration` is still the current one; if so, the next one waits until Leave.
  bool Enter(uint64_t registration) ABSL_LOCKS_EXCLUDED(mu_);
  void Leave() ABSL_LOCKS_EXCLUDED(mu_);
  void WaitUntilAllLeft() ABSL_LOCKS_EXCLUDED(mu_);
  // Counts up; 0 when this node is not registered.
  uint64_t registration() const ABSL_LOCKS_EXCLUDED(mu_);
  // Begins the session anew when the NameNode does not know this node. Returns `status`.
  absl::Status NoteOutcome(absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<v1::RegisterRequest> MakeRegistration(
      const std::vector<VolumeInfo>& volumes) const;
  absl::StatusOr<std::vector<std::string>> Advertised(const std::vector<std::string>& given,
                                                      const HostPort& listen) const;

  const Options options_;
  const Parts parts_;
  const uint64_t incarnation_;  // random: tells this start from another
  NameNodeLink link_;
  ChangeQueue changes_;
  Reporter reporter_;
  CommandExecutor commands_;
  std::unique_ptr<BackgroundTask> register_task_;
  std::unique_ptr<BackgroundTask> report_task_;
  // Of the register task's thread and, after it has ended, of Stop.
  std::unique_ptr<BackgroundTask> heartbeat_task_;
  int64_t heartbeat_interval_ms_ = 0;

  mutable Mutex mu_;
  CondVar left_;
  bool registered_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t registrations_ ABSL_GUARDED_BY(mu_) = 0;   // so far
  uint64_t volume_changes_ ABSL_GUARDED_BY(mu_) = 0;  // that were noted
  int inside_ ABSL_GUARDED_BY(mu_) = 0;               // between Enter and Leave
  // What was known before the last request that a NameNode answered.
  std::optional<HighestSeen> at_last_contact_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
