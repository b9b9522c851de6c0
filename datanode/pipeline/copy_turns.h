// Who goes first on a node that serves clients and copies replicas: they take turns, packet by
// packet.
//
// Why: a dead node's replicas shall be rebuilt as fast as disks and processors allow, and clients
// keep at least half of these meanwhile. A rate in bytes would be wrong on every disk but one.
// Here a packet of a copy waits until a packet of a client has been through since the last copy's,
// or until no client has been at work for a moment: copies never have more turns than clients while
// there are clients, and all of them when there are none. A client that asks for little leaves the
// rest: between its packets copies go on. On both ends: where a copy is read, and where it is
// written. Nobody waits for a disk that hangs.
//
// What is not seen: readers on this host that were given the replica's file. Thread-safe. Used by
// the receivers, the copier and the service.
#pragma once

#include <cstdint>

#include "common/mutex.h"

namespace cairn {
class Counter;
class Metrics;
}  // namespace cairn

namespace cairn::datanode {

class CopyTurns {
 public:
  struct Options {
    int64_t idle_ms = 20;      // clients that did nothing for this long are idle
    int64_t stuck_ms = 1'000;  // ... or were this long at the same packets
  };

  CopyTurns(Options options, Metrics* metrics);

  // Lives while a client's packet is read, or is checked and stored.
  class ClientWork {
   public:
    explicit ClientWork(CopyTurns* turns);
    ~ClientWork();
    ClientWork(const ClientWork&) = delete;
    ClientWork& operator=(const ClientWork&) = delete;

   private:
    CopyTurns* const turns_;
  };

  // Before a packet of a copy is read or stored.
  void Wait() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Ms until clients count as idle; 0: they do.
  int64_t IdleInMs(int64_t now_ms) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  Counter* const waited_;

  Mutex mu_;
  CondVar changed_;
  int working_ ABSL_GUARDED_BY(mu_) = 0;          // packets of clients
  bool their_turn_ ABSL_GUARDED_BY(mu_) = false;  // a copy has had a turn since the last of these
  int64_t last_ms_ ABSL_GUARDED_BY(mu_) = 0;      // when one of them began or ended
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace cairn::datanode
