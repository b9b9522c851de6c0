// Hosts on one machine: network namespaces behind a bridge, whose links fail as a test says.
//
//     ASSERT_OK_AND_ASSIGN(auto hosts, NetHosts::Make({"nn", "dn0", "client"}));
//     auto started = Cluster::Start({.place = hosts->Placing()});
//     hosts->Cut("dn0");
//
// Why: a process that is killed says so, with a reset; a network that is cut says nothing, and one
// that loses packets, or carries them one way only, says something misleading. That cannot be had
// on 127.0.0.1.
//
// Linux alone, root alone, with Debian's iproute2 and iptables. Each object has a bridge, a prefix
// and a subnet 10.214.N.0/24 of its own, so that several runs do not meet; N is held by a lock,
// and what a run left that was killed goes when its N is taken the next time. It must outlive the
// processes in its hosts. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/fd.h"
#include "common/status.h"
#include "tests/support/cluster.h"

namespace cairn::testing {

class NetHosts {
 public:
  // The test's own process and others outside of the hosts, which sit on the bridge.
  static constexpr char kHere[] = "here";

  // Names of at most 8 characters; up to 200 of them.
  static absl::StatusOr<std::unique_ptr<NetHosts>> Make(const std::vector<std::string>& names);
  ~NetHosts();  // takes everything down
  NetHosts(const NetHosts&) = delete;
  NetHosts& operator=(const NetHosts&) = delete;

  const std::string& address(const std::string& name) const { return addresses_.at(name); }
  std::string net_namespace(const std::string& name) const { return prefix_ + name; }
  // For Cluster::Options: each process in the host that is called like it. Holds `this`.
  std::function<Place(const std::string&)> Placing() const;

  // --- Faults. Each of them stays until its host is healed; several of a host add up.
  // The host's cable is out: nothing comes or goes. Others are not told.
  absl::Status Cut(const std::string& name);
  // What `from` sends to `to` is lost, not what comes back. One of them may be kHere.
  absl::Status DropOneWay(const std::string& from, const std::string& to);
  // The same between a host and all others.
  absl::Status DropSent(const std::string& name);
  absl::Status DropReceived(const std::string& name);
  // Of the packets that come to the host, this share is lost.
  absl::Status Lose(const std::string& name, double share);
  // At most so many bits a second to the host, and as many from it.
  absl::Status Slow(const std::string& name, int64_t bits_per_s);
  // Ends all faults of the host; those of DropOneWay belong to `from`, or else to `to`.
  absl::Status Heal(const std::string& name);

 private:
  NetHosts(Fd lock, int number);
  absl::Status SetUp(const std::vector<std::string>& names);
  void TakeDown();
  std::string LinkOf(const std::string& name) const { return link_prefix_ + name; }
  absl::Status Filter(const std::string& name, const std::string& rule) const;

  const Fd lock_;                  // of the number
  const int number_;               // of the subnet
  const std::string prefix_;       // of the names of namespaces
  const std::string link_prefix_;  // of the names of links; the kernel takes 15 characters
  const std::string bridge_;
  std::map<std::string, std::string> addresses_;  // by host
};

}  // namespace cairn::testing
