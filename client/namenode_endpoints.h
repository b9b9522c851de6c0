// Where a client's NameNodes are, and the rules of trying a call again.
//
// Why: calls that wait in their caller's thread (NameNodeClient) and calls that wait in none
// (AsyncCalls) have one set of connections, one sequence of call ids, and must judge a failed try
// alike. Thread-safe. For this room alone.
#pragma once

#include <grpcpp/support/status.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "client/call_ids.h"
#include "client/namenode_options.h"
#include "client/namenode_session.h"
#include "proto/admin.grpc.pb.h"
#include "proto/namenode.grpc.pb.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace cairn {

class ChannelCache;

struct NameNodeEndpoint {
  std::string address;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<NameNodeSessions> sessions;
  std::unique_ptr<v1::NameNode::Stub> namenode;  // where the NameNode has no Sessions
  std::unique_ptr<v1::Admin::Stub> admin;
};

// What became of one try.
struct Outcome {
  absl::Status status;
  bool on_the_way = false;  // it failed between us and the NameNode: unknown whether it happened
  bool connected = true;

  bool WorthRetrying() const;
  bool WantsAnotherAddress() const;
};

class NameNodeEndpoints {
 public:
  // The cache must outlive it.
  NameNodeEndpoints(NameNodeOptions options, ChannelCache* channels);

  const NameNodeOptions& options() const { return options_; }
  const std::string& client_id() const { return client_id_; }
  // Who calls, without call_id and done_below.
  v1::Caller Identity() const;
  CallIds& call_ids() { return call_ids_; }

  // Endpoints are constant; they have indexes below size().
  size_t size() const { return endpoints_.size(); }
  const NameNodeEndpoint& at(size_t index) const { return endpoints_[index]; }
  size_t After(size_t index) const { return (index + 1) % endpoints_.size(); }
  // The one that answered last.
  size_t active() const { return active_; }
  void SetActive(size_t index) { active_ = index; }

  Outcome NotConnected(size_t index) const;
  Outcome OutcomeOf(const grpc::Status& status, size_t index) const;
  // How long one try waits for its answer, of the time that is left.
  static int64_t AttemptMs(int64_t left_ms);
  // The pause after so many failures in a row.
  static int64_t PauseMs(int failures);
  // Whether so much time lets the NameNode answer another attempt after the pause. One that is cut
  // short would replace the reason that is known by "did not answer".
  static bool LeavesTime(int64_t left_ms, int64_t pause_ms, int64_t timeout_ms);
  // The error for a call whose time is over.
  absl::Status GiveUp(const Outcome& last, size_t index, int64_t timeout_ms) const;

 private:
  const NameNodeOptions options_;
  const std::string client_id_;
  std::vector<NameNodeEndpoint> endpoints_;  // constant after the constructor
  std::atomic<size_t> active_{0};
  CallIds call_ids_;
};

// How long to connect to one address, before another one's turn.
inline constexpr int64_t kNameNodeConnectMs = 2'000;

// A Session's answer as the unary call would have had it: OK when it has a reply.
grpc::Status StatusOf(const v1::SessionAnswer& answer);

}  // namespace cairn
