// What a cluster of a test looks like: its reports as JSON, and the replicas on its disks.
//
// Not thread-safe, like the cluster itself.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/cluster.h"

namespace cairn::testing {

// The output of `cairn ARGS... --json`; discarded() when the command failed.
nlohmann::json CairnJson(Cluster& cluster, std::vector<std::string> args);

// The number at /cluster/KEY of `admin report`; -1 when there is no answer.
int64_t ReportNumber(Cluster& cluster, const std::string& key);

// Every block has as many good replicas as it should, and none too many.
bool IsHealthy(Cluster& cluster);

// Data files of a DataNode's replicas: whole ones (all, or those of a block), and those that are
// being written.
std::vector<std::string> FinalizedFiles(const Daemon& datanode);
std::vector<std::string> FinalizedFiles(const Daemon& datanode, uint64_t block_id);
std::vector<std::string> OpenFiles(const Daemon& datanode);
// The same of one data directory, where a DataNode has several.
std::vector<std::string> FinalizedFiles(const std::string& data_dir);
std::vector<std::string> OpenFiles(const std::string& data_dir);

// Of all DataNodes.
size_t CountFinalized(Cluster& cluster);

// `cairn put FIFO DESTINATION`, fed by the test: it is in the middle of the file for as long as the
// test wants.
class SlowPut {
 public:
  // `flags` go before the operands.
  SlowPut(Cluster* cluster, std::vector<std::string> flags, const std::string& destination);
  ~SlowPut();
  SlowPut(const SlowPut&) = delete;
  SlowPut& operator=(const SlowPut&) = delete;

  // False when the command ended, or took nothing for a minute.
  bool Feed(std::string_view bytes);
  // Ends the input, and waits for the command's end.
  CommandResult Finish();
  Process& process() { return *process_; }

 private:
  const std::string base_;
  int fd_ = -1;
  std::unique_ptr<Process> process_;
};

}  // namespace cairn::testing
