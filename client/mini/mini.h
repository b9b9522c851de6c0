// A whole cluster in one process: a NameNode and some DataNodes under one folder.
//
// Why: to try Cairn, to develop against it, and to test it, one command or one object is enough.
// Everything is real (servers, journal, replicas on disk), so that a cluster stopped here can be
// started again on its folder. `cairn mini` runs one; so do tests. Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/env.h"
#include "common/status.h"
#include "datanode/datanode.h"
#include "namenode/namenode.h"

namespace cairn::mini {

struct MiniOptions {
  std::string dir;  // D/namenode, D/datanode0, ...; made where needed
  int datanodes = 3;
  // The rest as the daemons take it, less the data directories. The default replication is never
  // more than there are DataNodes.
  namenode::NameNodeOptions namenode;
  datanode::DataNodeOptions datanode;  // their ports are free ones
  int64_t ready_timeout_ms = 30'000;   // for all DataNodes to register
};

class MiniCluster {
 public:
  // All DataNodes are registered when it returns. `env` and `clock` must outlive it.
  static absl::StatusOr<std::unique_ptr<MiniCluster>> Start(MiniOptions options, Env* env,
                                                            Clock* clock);
  ~MiniCluster();  // Stop()
  MiniCluster(const MiniCluster&) = delete;
  MiniCluster& operator=(const MiniCluster&) = delete;

  namenode::NameNode& namenode() { return *namenode_; }
  std::string rpc_address() const { return namenode_->rpc_address().ToString(); }
  std::string http_address() const { return namenode_->http_address().ToString(); }
  size_t datanodes() const { return datanodes_.size(); }
  datanode::DataNode& datanode(size_t index) { return *datanodes_[index]; }
  // The ready file's object: {"role":"mini","pid","rpc","http","datanodes":["host:port",...]}.
  std::string ReadyJson() const;

  // DataNodes first. May be called more than once.
  void Stop();

 private:
  MiniCluster() = default;

  std::unique_ptr<namenode::NameNode> namenode_;
  std::vector<std::unique_ptr<datanode::DataNode>> datanodes_;
};

}  // namespace cairn::mini
