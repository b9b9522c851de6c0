// A torture's cluster and clients, and the hands that carry out faults on them.
//
// Why: the plan (plan.h) says what happens to whom and when; this is how. What is done, with the
// times at which it really was, goes to DIR/faults.log, a JSON object on a line.
// Processes end with the thread that started them: everything is called from one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/status.h"
#include "tests/fault/net_hosts.h"
#include "tests/fault/small_disk.h"
#include "tests/fault/torture/plan.h"
#include "tests/support/cluster.h"

namespace cairn::testing {

// A fault as it was.
struct FaultTime {
  Fault fault;
  int64_t start_us = 0;  // of the steady clock, as in a history
  int64_t end_us = 0;    // 0: not yet
};

class World {
 public:
  struct Options {
    std::string dir;  // for logs and data; there, and empty
    uint64_t seed = 1;
    int datanodes = 0;
    int clients = 0;
    std::set<FaultKind> kinds;  // what will be needed
  };

  static absl::StatusOr<std::unique_ptr<World>> Make(const Options& options);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  Cluster& cluster() { return *cluster_; }
  std::string LogOf(int client) const;

  // Clients work until this time of the steady clock.
  absl::Status StartClients(int64_t until_us);
  absl::Status Begin(const Fault& fault);
  absl::Status End(const Fault& fault);
  void Flap(int64_t now_us);  // what flaps; called often
  // All faults have ended: every daemon is ready, every client has come to its end.
  absl::Status Settle();

  int lives() const { return lives_; }  // of all clients
  const std::vector<FaultTime>& times() const { return times_; }
  size_t rotten() const { return rotten_.size(); }  // replicas whose bytes were changed

 private:
  explicit World(Options options) : options_(std::move(options)) {}
  absl::Status SetUp();
  absl::Status StartClient(int slot);
  std::vector<Daemon*> DaemonsOf(const Fault& fault);
  std::string HostOf(const Fault& fault) const;
  absl::Status BeginProcess(const Fault& fault);
  absl::Status EndProcess(const Fault& fault);
  absl::Status BeginNetwork(const Fault& fault);
  void Rot(const Fault& fault);
  void Log(const FaultTime& time) const;

  const Options options_;
  std::unique_ptr<NetHosts> hosts_;  // null: everything is on 127.0.0.1
  std::vector<std::unique_ptr<SmallDisk>> disks_;
  std::unique_ptr<Cluster> cluster_;
  std::vector<std::unique_ptr<Process>> clients_;  // [slot]
  std::vector<int> lives_of_;                      // [slot]
  int lives_ = 0;
  int64_t until_us_ = 0;
  std::set<Daemon*> launched_;  // and perhaps not ready
  std::vector<FaultTime> times_;
  struct Flapping {
    Fault fault;
    int64_t next_us = 0;
    bool cut = false;
  };
  std::vector<Flapping> flapping_;
  std::set<std::string> rotten_;  // names of replica files
};

}  // namespace cairn::testing
