#include "client/mini/mini.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace cairn::mini {

absl::StatusOr<std::unique_ptr<MiniCluster>> MiniCluster::Start(MiniOptions options, Env* env,
                                                                Clock* clock) {
  auto cluster = std::unique_ptr<MiniCluster>(new MiniCluster);
  RETURN_IF_ERROR(env->CreateDirs(options.dir));
  namenode::NameNodeOptions& namenode = options.namenode;
  namenode.data_dirs = {options.dir + "/namenode"};
  namenode.replication = std::min<int64_t>(namenode.replication, std::max(options.datanodes, 1));
  namenode.min_replicas = std::min(namenode.min_replicas, namenode.replication);
  ASSIGN_OR_RETURN(cluster->namenode_, namenode::NameNode::Start(namenode, env, clock));
  for (int i = 0; i < options.datanodes; ++i) {
    datanode::DataNodeOptions datanode = options.datanode;
    datanode.data_dirs = {fmt::format("{}/datanode{}", options.dir, i)};
    datanode.namenodes = {cluster->namenode_->rpc_address()};
    datanode.listen.port = 0;
    datanode.http.port = 0;
    ASSIGN_OR_RETURN(auto started, datanode::DataNode::Start(std::move(datanode), env, clock));
    cluster->datanodes_.push_back(std::move(started));
  }
  const int64_t deadline_ms = clock->SteadyMs() + options.ready_timeout_ms;
  for (size_t i = 0; i < cluster->datanodes_.size(); ++i) {
    const int64_t left_ms = std::max<int64_t>(deadline_ms - clock->SteadyMs(), 0);
    if (!cluster->datanodes_[i]->WaitUntilRegistered(left_ms)) {
      return absl::DeadlineExceededError(
          fmt::format("DataNode {} did not register within {} s; --log-level info says why", i,
                      options.ready_timeout_ms / 1000));
    }
  }
  return cluster;
}

MiniCluster::~MiniCluster() { Stop(); }

std::string MiniCluster::ReadyJson() const {
  std::vector<std::string> addresses;
  for (const auto& datanode : datanodes_) {
    addresses.push_back(fmt::format("\"{}\"", datanode->data_address().ToString()));
  }
  return fmt::format(R"({{"role":"mini","pid":{},"rpc":"{}","http":"{}","datanodes":[{}]}})",
                     getpid(), rpc_address(), http_address(), fmt::join(addresses, ","));
}

void MiniCluster::Stop() {
  for (const auto& datanode : datanodes_) datanode->Stop();
  if (namenode_ != nullptr) namenode_->Stop();
}

}  // namespace cairn::mini
