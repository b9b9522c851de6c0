// A TCP relay that a test puts before a daemon, and that fails as networks do.
//
// Why: a node that is slow, cut off, or damages bytes cannot be had from the daemon itself. A
// DataNode is started with `--advertise` of a relay's address, so that clients and the other nodes
// all reach it through the relay, and the test changes the weather while they do.
//
//     auto relay = Relay::Start();
//     cluster.AddDataNode({"--advertise", (*relay)->address()});
//     (*relay)->SetTarget(cluster.datanode(0).Field("data"));
//     (*relay)->Throttle(1 << 20);
//
// Thread-safe. One thread of its own moves the bytes; the destructor resets what is connected.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/mutex.h"
#include "common/status.h"

namespace cairn::testing {

// Of a connection: its client opened it, its server is the relay's target.
enum class Direction { kToServer = 0, kToClient = 1 };

class Relay {
 public:
  // Listens on a free port of 127.0.0.1. Without a target connections are reset.
  static absl::StatusOr<std::unique_ptr<Relay>> Start(std::string target = "");
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  const std::string& address() const { return address_; }
  // "host:port", numeric; of connections from now on.
  void SetTarget(std::string target);

  // --- Modes: each ends the one before ---
  // Forwards everything, also what was held.
  void Pass();
  // In each direction, all connections together move this much at most.
  void Throttle(uint64_t bytes_per_second);
  // Nothing moves, and nobody is told, as when a cable is cut: what is sent stays in the kernel's
  // buffers; new connections seem to work and say nothing.
  void Hold();
  // As when the process is gone: resets what is connected and refuses the rest.
  void Refuse();

  // --- Single faults, beside any mode; a new one of a kind replaces the one before ---
  // Resets (RST to both ends) the connection that moves the `bytes`-th byte from now, after it; 0:
  // before the next byte.
  void ResetAfter(Direction direction, uint64_t bytes);
  // Flips a bit of the byte that follows the next `bytes` ones.
  void FlipAfter(Direction direction, uint64_t bytes);
  // Single faults that have not happened yet never will.
  void Disarm();
  // Resets every connection now.
  void ResetAll();

  // Bytes moved so far, of all connections together.
  uint64_t forwarded(Direction direction) const;
  size_t connections() const;  // open now
  uint64_t accepted() const;   // connections so far
  uint64_t resets() const;     // by ResetAfter, so far
  uint64_t flips() const;      // so far

 private:
  enum class Mode { kPass, kThrottle, kHold, kRefuse };
  // One direction of a connection.
  struct Flow {
    Direction direction;
    int from = -1;
    int to = -1;
    std::vector<char> buffer;
    size_t begin = 0;
    size_t end = 0;
    bool ended = false;  // `from` has sent its last byte
    bool shut = false;   // and `to` was told

    bool Done() const { return ended && begin == end; }
  };
  struct Link {
    int client = -1;
    int server = -1;
    std::array<Flow, 2> flows;
    bool broken = false;  // close it with RST
  };
  // What single faults of a direction are to come, in bytes from now.
  struct Faults {
    std::optional<uint64_t> reset;
    std::optional<uint64_t> flip;
  };

  explicit Relay(std::string target) : target_(std::move(target)) {}
  absl::Status Listen();  // the first time: takes a port
  void Run();
  void SetMode(Mode mode, uint64_t rate);
  void Wake() const;
  int Refill() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);  // returns poll's timeout
  void Accept() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Serve(Link& link) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fill(Link& link, Flow& flow) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Drain(Link& link, Flow& flow) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t Allowed(const Flow& flow) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool FaultBefore(Flow& flow) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static void CloseLink(const Link& link, bool reset);

  std::string address_;
  uint16_t port_ = 0;
  int port_holder_ = -1;  // bound and not listening: keeps the port while connects are refused
  int wake_ = -1;         // eventfd
  std::thread thread_;

  mutable Mutex mu_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::string target_ ABSL_GUARDED_BY(mu_);
  int listener_ ABSL_GUARDED_BY(mu_) = -1;
  Mode mode_ ABSL_GUARDED_BY(mu_) = Mode::kPass;
  uint64_t rate_ ABSL_GUARDED_BY(mu_) = 0;  // bytes a second
  std::array<double, 2> credit_ ABSL_GUARDED_BY(mu_) = {0, 0};
  std::chrono::steady_clock::time_point refilled_ ABSL_GUARDED_BY(mu_);
  std::array<Faults, 2> faults_ ABSL_GUARDED_BY(mu_);
  std::array<uint64_t, 2> forwarded_ ABSL_GUARDED_BY(mu_) = {0, 0};
  std::list<Link> links_ ABSL_GUARDED_BY(mu_);
  uint64_t accepted_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t resets_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t flips_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace cairn::testing
