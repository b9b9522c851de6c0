// A NameNode's control service that records what it is told and says what the test wants.
#pragma once

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "common/mutex.h"
#include "common/net/rpc_server.h"
#include "common/net/rpc_status.h"
#include "common/status.h"
#include "proto/control.grpc.pb.h"

namespace cairn::datanode {

class FakeNameNode final : public v1::DataNodeControl::Service {
 public:
  struct State {
    std::string cluster_id = "test-cluster";
    uint64_t epoch = 1;
    bool known = false;            // the node: else it must register
    absl::Status register_status;  // what calls answer, if not OK
    absl::Status report_status;
    uint32_t heartbeat_interval_ms = 20;
    std::deque<v1::Command> commands;  // for the next heartbeat
    bool hold_commands = false;        // the answer that brings them waits
    // What came in.
    std::vector<v1::RegisterRequest> registrations;
    int heartbeats = 0;
    v1::HeartbeatRequest last_heartbeat;
    std::vector<uint64_t> failed_copies;  // of all heartbeats
    int lose_failed_copies = 0;           // so many heartbeats that tell of some fail
    std::vector<std::string> changes;     // "received 5/1 storage 20"
    int full_reports = 0;
    std::vector<int> pieces;                          // replicas in each piece, of all full reports
    std::map<uint32_t, std::set<uint64_t>> reported;  // blocks of the last full report by storage
    std::set<uint64_t> open, waiting;                 // of those, of all storages
    std::vector<std::string> bad;
    std::vector<std::string> recoveries;  // "5/9 of 100 bytes on 20 21"
  };

  explicit FakeNameNode(uint16_t port = 0) { Serve(port); }
  ~FakeNameNode() override { Stop(); }

  void Serve(uint16_t port) { server_ = *RpcServer::Start({"127.0.0.1", port}, {this}); }
  void Stop() {
    if (server_ != nullptr) server_->Shutdown(0);
    server_.reset();
  }
  const HostPort& address() const { return server_->address(); }

  // Runs f(State&) under the lock and returns its result.
  template <typename F>
  auto With(F f) {
    MutexLock lock(mu_);
    return f(state_);
  }

  grpc::Status Register(grpc::ServerContext*, const v1::RegisterRequest* request,
                        v1::RegisterReply* reply) override {
    MutexLock lock(mu_);
    state_.registrations.push_back(*request);
    if (!state_.register_status.ok()) return ToRpcStatus(state_.register_status);
    state_.known = true;
    reply->set_cluster_id(state_.cluster_id);
    reply->set_node_number(7);
    for (int i = 0; i < request->storages_size(); ++i) {
      reply->add_storage_numbers(static_cast<uint32_t>(20 + i));
    }
    reply->set_epoch(state_.epoch);
    reply->set_heartbeat_interval_ms(state_.heartbeat_interval_ms);
    return grpc::Status::OK;
  }
  grpc::Status Heartbeat(grpc::ServerContext*, const v1::HeartbeatRequest* request,
                         v1::HeartbeatReply* reply) override {
    MutexLock lock(mu_);
    if (!state_.known) return Unknown();
    if (request->failed_copies_size() > 0 && state_.lose_failed_copies > 0) {
      --state_.lose_failed_copies;
      return {grpc::StatusCode::UNAVAILABLE, "lost"};
    }
    ++state_.heartbeats;
    state_.last_heartbeat = *request;
    state_.failed_copies.insert(state_.failed_copies.end(), request->failed_copies().begin(),
                                request->failed_copies().end());
    reply->set_epoch(state_.epoch);
    while (!state_.commands.empty()) {
      *reply->add_commands() = state_.commands.front();
      state_.commands.pop_front();
    }
    while (reply->commands_size() > 0 && state_.hold_commands) {
      released_.WaitFor(mu_, std::chrono::milliseconds(5));
    }
    return grpc::Status::OK;
  }
  grpc::Status FullReport(grpc::ServerContext*, grpc::ServerReader<v1::FullReportPiece>* reader,
                          v1::FullReportReply*) override {
    v1::FullReportPiece piece;
    std::set<uint64_t> blocks, open, waiting;
    std::vector<int> sizes;
    bool last = false;
    while (reader->Read(&piece)) {
      blocks.insert(piece.block_ids().begin(), piece.block_ids().end());
      for (const uint32_t place : piece.open()) open.insert(piece.block_ids(place));
      for (const uint32_t place : piece.waiting()) waiting.insert(piece.block_ids(place));
      sizes.push_back(piece.block_ids_size());
      last = piece.last();
    }
    MutexLock lock(mu_);
    if (!state_.known) return Unknown();
    if (!state_.report_status.ok()) return ToRpcStatus(state_.report_status);
    if (!last || piece.total() != blocks.size()) {
      return ToRpcStatus(absl::InvalidArgumentError("an unfinished report"));
    }
    ++state_.full_reports;
    state_.pieces.insert(state_.pieces.end(), sizes.begin(), sizes.end());
    state_.reported[piece.storage()] = std::move(blocks);
    state_.open = std::move(open);
    state_.waiting = std::move(waiting);
    return grpc::Status::OK;
  }
  grpc::Status IncrementalReport(grpc::ServerContext*, const v1::IncrementalReportRequest* request,
                                 v1::IncrementalReportReply*) override {
    MutexLock lock(mu_);
    if (!state_.known) return Unknown();
    if (!state_.report_status.ok()) return ToRpcStatus(state_.report_status);
    for (const v1::ReplicaChange& change : request->changes()) {
      const char* kinds[] = {"received ", "deleted ", "waiting "};
      state_.changes.push_back(kinds[change.kind()] + NameOf(change.block()) + " storage " +
                               std::to_string(change.storage()));
    }
    return grpc::Status::OK;
  }
  grpc::Status BadReplica(grpc::ServerContext*, const v1::BadReplicaRequest* request,
                          v1::BadReplicaReply*) override {
    MutexLock lock(mu_);
    if (!state_.known) return Unknown();
    state_.bad.push_back(NameOf(request->block()));
    return grpc::Status::OK;
  }
  grpc::Status CommitRecovery(grpc::ServerContext*, const v1::CommitRecoveryRequest* request,
                              v1::CommitRecoveryReply*) override {
    MutexLock lock(mu_);
    if (!state_.known) return Unknown();
    std::string text =
        NameOf(request->block()) + " of " + std::to_string(request->block().length()) + " bytes on";
    for (const uint32_t storage : request->storages()) text += " " + std::to_string(storage);
    state_.recoveries.push_back(std::move(text));
    return grpc::Status::OK;
  }

 private:
  static grpc::Status Unknown() {
    return ToRpcStatus(WithKind(absl::NotFoundError("register first"), ErrorKind::kUnknownNode));
  }
  static std::string NameOf(const v1::Block& block) {
    return std::to_string(block.id()) + "/" + std::to_string(block.generation());
  }

  Mutex mu_;
  CondVar released_;
  State state_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<RpcServer> server_;
};

}  // namespace cairn::datanode
