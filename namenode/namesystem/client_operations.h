// What clients may ask for, in domain terms: where the two states meet.
//
// Why: most calls are one plan through the door, but writing and reading blocks need both states:
// placement's choice goes into a plan as a fact, and journaled blocks come back with the nodes that
// hold them. The services translate the wire to these calls and decide nothing. Thread-safe; `done`
// may run on another thread, or before the call returns.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "namenode/blocks/block_manager.h"
#include "namenode/namesystem/namesystem.h"

namespace cairn::namenode {

// What the NameNode was configured with that plans must know.
struct NamespaceConfig {
  std::string cluster;
  Limits limits;
  uint32_t default_replication = 3;
  uint64_t default_block_size = 128ull << 20;
  uint32_t min_replicas = 2;
  uint32_t umask = 022;
  std::string superuser;  // the user that the NameNode runs as
  std::string superuser_group = "supergroup";
  int64_t lease_soft_limit_ms = 60'000;
  int64_t lease_hard_limit_ms = 20 * 60'000;
};

// Who calls, from where, and which call it is.
struct CallContext {
  Caller caller;
  RetryKey key;  // of a mutating call
  std::string host;
  std::string rack;
};

// A block with the nodes to write it to, or to read it from.
struct LocatedBlock {
  Block block;
  uint64_t offset = 0;
  std::vector<NodeAddress> nodes;
  bool open = false;
  bool corrupt = false;
};
struct CreatedFile {
  INodeId inode = 0;
  std::optional<LocatedBlock> block;
  uint32_t replication = 0;
  uint64_t block_size = 0;
  uint32_t min_replicas = 0;
};
struct LocatedFile {
  FileStatus status;
  std::vector<LocatedBlock> blocks;
};

template <typename T>
using Reply = std::function<void(absl::StatusOr<T>)>;
using StatusReply = std::function<void(absl::Status)>;

class ClientOperations {
 public:
  ClientOperations(Namesystem* namesystem, BlockManager* blocks, Clock* clock,
                   NamespaceConfig config);

  const NamespaceConfig& config() const { return config_; }

  // In both, a mode of 0 is the default: 0777 or 0666 less the umask.
  void Mkdirs(const CallContext& call, MkdirsRequest request, StatusReply reply);
  void Create(const CallContext& call, CreateRequest request, Reply<CreatedFile> reply);
  // `excluded`: nodes that failed this writer.
  void AddBlock(const CallContext& call, AddBlockRequest request,
                const std::vector<NodeNumber>& excluded, Reply<LocatedBlock> reply);
  void AbandonBlock(const CallContext& call, AbandonBlockRequest request, StatusReply reply);
  void Complete(const CallContext& call, CompleteRequest request, StatusReply reply);
  void AbandonFile(const CallContext& call, AbandonFileRequest request, StatusReply reply);
  void RenewLease(const CallContext& call);
  void Rename(const CallContext& call, RenameRequest request, StatusReply reply);
  void Delete(const CallContext& call, DeleteRequest request, StatusReply reply);
  void SetReplication(const CallContext& call, std::string path, uint32_t replication,
                      StatusReply reply);
  void SetTimes(const CallContext& call, std::string path, int64_t mtime_ms, int64_t atime_ms,
                StatusReply reply);
  void SetOwner(const CallContext& call, std::string path, std::string owner, std::string group,
                StatusReply reply);
  void SetPermission(const CallContext& call, std::string path, uint32_t mode, StatusReply reply);

  void GetFileInfo(const CallContext& call, const std::string& path, Reply<FileStatus> reply);
  void List(const CallContext& call, const std::string& path, const std::string& start_after,
            uint32_t limit, Reply<ListPage> reply);
  void GetBlockLocations(const CallContext& call, const std::string& path, uint64_t offset,
                         uint64_t length, Reply<LocatedFile> reply);
  void GetContentSummary(const CallContext& call, const std::string& path,
                         Reply<ContentSummary> reply);

 private:
  Facts FactsNow() const;
  void CommitStatus(const CallContext& call, const Namesystem::PlanFn& plan, StatusReply reply);
  absl::StatusOr<std::vector<NodeNumber>> Targets(const CallContext& call, uint32_t replication,
                                                  uint64_t block_size,
                                                  const std::vector<NodeNumber>& excluded);
  LocatedBlock Locate(const NewBlock& block) const;
  LocatedBlock Locate(const BlockInfo& info, const CallContext& call) const;

  Namesystem* const namesystem_;
  BlockManager* const blocks_;
  Clock* const clock_;
  const NamespaceConfig config_;
};

}  // namespace cairn::namenode
