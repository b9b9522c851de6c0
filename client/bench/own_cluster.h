// A cluster that is there for one benchmark: a NameNode and DataNodes, separate processes on free
// ports of 127.0.0.1, in a folder of their own.
//
// Why: figures of different days can be compared only when nobody else uses the cluster, and the
// CPU of all processes can be known only of one's own. Started and ended on one thread; address and
// CpuMicros are thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "client/bench/child_process.h"
#include "client/bench/measure.h"
#include "common/status.h"

namespace cairn::bench {

struct OwnClusterOptions {
  int datanodes = 3;
  std::string dir;       // everything is in a new folder in it
  std::string programs;  // the folder of cairn-namenode and cairn-datanode
};

class OwnCluster {
 public:
  // Returns once all DataNodes have registered; with what a daemon said if one ended; CANCELLED
  // when stopped.
  static absl::StatusOr<std::unique_ptr<OwnCluster>> Start(const OwnClusterOptions& options,
                                                           const Stopped& stopped);
  // Ends all (SIGTERM, and SIGKILL to what is left after some seconds), removes the folder.
  ~OwnCluster();
  OwnCluster(const OwnCluster&) = delete;
  OwnCluster& operator=(const OwnCluster&) = delete;

  const std::string& address() const { return address_; }  // of the NameNode, host:port
  double CpuMicros() const;                                // of all daemons
  // Puts all that is synced of the daemons' files out of the page cache.
  absl::Status DropCaches() const;
  // What the daemons' files take on their disk.
  absl::StatusOr<uint64_t> StoredBytes() const;
  // Waits until that is at most `most`: for 30 s, and until stopped.
  absl::Status AwaitStored(uint64_t most, const Stopped& stopped) const;

 private:
  explicit OwnCluster(std::string dir) : dir_(std::move(dir)) {}

  absl::Status StartAll(const OwnClusterOptions& options, const Stopped& stopped);
  // Starts a daemon with these flags beside the common ones.
  absl::Status Launch(const std::string& program, const std::string& name,
                      const std::vector<std::string>& flags);
  // Waits for the ready file of the daemon with this index, and gives its text.
  absl::StatusOr<std::string> AwaitReady(size_t index, const Stopped& stopped);
  absl::Status ForEachFile(const std::function<absl::Status(const std::string&)>& visit) const;
  std::string PathOf(const std::string& name, const std::string& suffix) const;

  const std::string dir_;
  std::string address_;
  std::vector<std::string> names_;                        // of the daemons
  std::vector<std::unique_ptr<ChildProcess>> processes_;  // theirs
};

// The folder of this program.
absl::StatusOr<std::string> OwnFolder();

}  // namespace cairn::bench
