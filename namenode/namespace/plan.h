// Plans: what a request would do to the state, decided without doing it.
//
// A plan reads the state and answers with an edit and its answer, or with a refusal; either way
// with `observed`, the highest txid among what it looked at, so that no answer leaves before what
// it reveals is durable (P2). The namesystem calls plans under its lock and carries the edit out
// through Apply. Reads are plans without an edit. All functions are pure. Paths are absolute, as
// users write them; they are checked here (P7).
//
// Refusals, as POSIX and HDFS name them: NOT_FOUND "No such file or directory"; ALREADY_EXISTS
// "File exists"; FAILED_PRECONDITION "Not a directory", "Is a directory", "Directory not empty";
// PERMISSION_DENIED "Permission denied: ..."; INVALID_ARGUMENT for paths, names and values beyond
// their limits; RESOURCE_EXHAUSTED (kQuotaExceeded) where usage would grow beyond a quota.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/consistency.h"
#include "namenode/namespace/edit.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

class FsState;

struct Planned {
  absl::Status status;  // a refusal when not OK; then there is no edit
  std::optional<Edit>
      edit;  // absent: nothing changes (e.g. mkdir -p of what is there), `answer` holds
  Answer answer;
  TxId observed = 0;
};

template <typename T>
struct ReadResult {
  absl::StatusOr<T> value = absl::UnknownError("not read");
  TxId observed = 0;
};

// --- Mutations
// --------------------------------------------------------------------------------------

struct MkdirsRequest {
  std::string path;
  uint32_t mode = kDefaultDirMode;
  bool create_parents = false;  // an existing directory is fine then
};
Planned PlanMkdirs(const FsState&, const Caller&, const MkdirsRequest&, const Facts&);

struct CreateRequest {
  std::string path;
  uint32_t mode = kDefaultFileMode;
  uint32_t replication = 0;  // 0: default
  uint64_t block_size = 0;   // 0: default
  bool overwrite = false;
  bool unpublished = false;
  bool with_block = false;  // facts.targets hold its pipeline
  ClientId holder{};
  Consistency consistency = Consistency::kStrong;
};
Planned PlanCreate(const FsState&, const Caller&, const CreateRequest&, const Facts&);

struct AddBlockRequest {
  INodeId inode = 0;
  ClientId holder{};
  std::vector<FinishedBlock> finished;
};
Planned PlanAddBlock(const FsState&, const Caller&, const AddBlockRequest&, const Facts&);

struct AbandonBlockRequest {
  INodeId inode = 0;
  ClientId holder{};
  BlockId block = 0;
};
Planned PlanAbandonBlock(const FsState&, const Caller&, const AbandonBlockRequest&, const Facts&);

struct CompleteRequest {
  INodeId inode = 0;
  ClientId holder{};
  std::vector<FinishedBlock> finished;
  std::string publish_as;  // empty: keeps its name
  bool overwrite = false;
  int64_t mtime_ms = 0;  // 0: now
  int64_t atime_ms = 0;
  std::optional<uint32_t> mode;
};
Planned PlanComplete(const FsState&, const Caller&, const CompleteRequest&, const Facts&);

struct AbandonFileRequest {
  INodeId inode = 0;
  ClientId holder{};
};
// Removes a new file. One that was appended to is no longer its writer's to remove: its lease ends,
// and the NameNode settles it.
Planned PlanAbandonFile(const FsState&, const Caller&, const AbandonFileRequest&, const Facts&);

struct NewStampRequest {
  INodeId inode = 0;
  ClientId holder{};
  Block block;  // id, current generation
};
// facts.targets: nodes to add to the survivors, may be empty. Answers NewStampAnswer.
Planned PlanNewStamp(const FsState&, const Caller&, const NewStampRequest&, const Facts&);

struct UpdatePipelineRequest {
  INodeId inode = 0;
  ClientId holder{};
  Block block;                     // id, generation until now
  GenerationStamp generation = 0;  // from NewStamp
  std::vector<NodeNumber> nodes;   // from now on, in order
};
Planned PlanUpdatePipeline(const FsState&, const Caller&, const UpdatePipelineRequest&,
                           const Facts&);

struct AppendRequest {
  std::string path;
  ClientId holder{};
  Consistency consistency = Consistency::kStrong;
};
// facts.targets and targets_block: see ReadLastBlock. Answers AppendedAnswer. An open file is
// kBeingWritten, or kRecoveryInProgress when the NameNode holds it.
Planned PlanAppend(const FsState&, const Caller&, const AppendRequest&, const Facts&);

struct TruncateRequest {
  std::string path;
  uint64_t length = 0;
};
// The same; answers TruncatedAnswer.
Planned PlanTruncate(const FsState&, const Caller&, const TruncateRequest&, const Facts&);

// --- Recovery (plan_recovery.cc): the NameNode's own, without a caller

// Ends the lease of `holder` on the file; no edit when it does not hold it (any more).
Planned PlanTakeOver(const FsState&, INodeId inode, const ClientId& holder);
// A new recovery of the first open block of a file that the NameNode holds; answers NewStampAnswer.
// No edit when it does not hold the file.
Planned PlanBeginRecovery(const FsState&, INodeId inode);
// `block`: as recovered, with the recovery's stamp. FAILED_PRECONDITION when that is not the newest
// recovery of the block or lacks bytes that were held for sure (before an append), NOT_FOUND when
// its file is gone; no edit when it was committed before.
Planned PlanCommitRecovery(const FsState&, const Block& block,
                           const std::vector<StorageNumber>& storages);
// Past the highest block id, generation stamp and epoch that a DataNode has seen; no edit when the
// counters are above them already.
Planned PlanRaiseCounters(const FsState&, BlockId block, GenerationStamp generation,
                          uint64_t epoch);

struct RenameRequest {
  std::string from;
  std::string to;
};
Planned PlanRename(const FsState&, const Caller&, const RenameRequest&, const Facts&);

struct DeleteRequest {
  std::string path;
  bool recursive = false;
};
Planned PlanDelete(const FsState&, const Caller&, const DeleteRequest&, const Facts&);
Planned PlanReclaim(const FsState&, uint32_t max_inodes);  // no edit when nothing waits

Planned PlanSetReplication(const FsState&, const Caller&, std::string_view path,
                           uint32_t replication, const Facts&);
Planned PlanSetTimes(const FsState&, const Caller&, std::string_view path, int64_t mtime_ms,
                     int64_t atime_ms, const Facts&);
Planned PlanSetOwner(const FsState&, const Caller&, std::string_view path, std::string_view owner,
                     std::string_view group, const Facts&);
Planned PlanSetPermission(const FsState&, const Caller&, std::string_view path, uint32_t mode,
                          const Facts&);

struct SetQuotaRequest {
  std::string path;  // of a directory
  // Unset: left as it is.
  std::optional<QuotaLimit> names;
  std::optional<QuotaLimit> space;
};
// For superusers. A quota may be below what is used: usage then only may not grow.
Planned PlanSetQuota(const FsState&, const Caller&, const SetQuotaRequest&, const Facts&);

struct ConcatRequest {
  std::string target;
  std::vector<std::string> sources;  // in the order in which their blocks follow the target's
};
Planned PlanConcat(const FsState&, const Caller&, const ConcatRequest&, const Facts&);

struct RegisterNodeRequest {
  std::string id;
  std::string rack;
  std::vector<std::string> storage_ids;
};
Planned PlanRegisterNode(const FsState&, const RegisterNodeRequest&);
struct SetAdminStateRequest {
  NodeNumber node = 0;
  // kDecommissioning is no change of a node that is decommissioned already.
  AdminState state = AdminState::kInService;
};
// For superusers. NOT_FOUND for a node that never registered.
Planned PlanSetAdminState(const FsState&, const Caller&, const SetAdminStateRequest&);
// Nothing depends on the node any more. No change if it is not being decommissioned (any more).
Planned PlanEndDecommission(const FsState&, NodeNumber node);
Planned PlanStart(const FsState&);  // the next epoch
Planned PlanDigest(const FsState&);

// --- Reads
// ------------------------------------------------------------------------------------------

ReadResult<FileStatus> ReadFileInfo(const FsState&, const Caller&, std::string_view path,
                                    const Facts&);

struct ListPage {
  std::vector<FileStatus> entries;
  bool has_more = false;
};
ReadResult<ListPage> ReadList(const FsState&, const Caller&, std::string_view path,
                              std::string_view start_after, uint32_t limit, const Facts&);

struct FileBlocks {
  FileStatus status;
  std::vector<BlockInfo> blocks;  // those that overlap the range, by offset
};
ReadResult<FileBlocks> ReadBlocks(const FsState&, const Caller&, std::string_view path,
                                  uint64_t offset, uint64_t length, const Facts&);

struct ContentSummary {
  uint64_t files = 0;
  uint64_t directories = 0;
  uint64_t length = 0;
  uint64_t space = 0;
  uint64_t promised = 0;  // that open blocks may still grow by; counts against a quota of space
  Quota quota;            // of a directory
};
ReadResult<ContentSummary> ReadContentSummary(const FsState&, const Caller&, std::string_view path,
                                              const Facts&);

// What placement must know of an open file before a block can be planned: checked as PlanAddBlock
// would.
struct OpenFileInfo {
  uint32_t replication = 0;
  uint64_t block_size = 0;
  uint32_t min_replicas = 0;  // nodes that a block needs to be finished
  uint64_t blocks = 0;
};
ReadResult<OpenFileInfo> ReadOpenFile(const FsState&, INodeId inode, const ClientId& holder);

struct OpenHolder {
  INodeId inode = 0;
  ClientId holder{};
};
// Who writes the file, for a caller that may; nullopt: it is closed.
ReadResult<std::optional<OpenHolder>> ReadHolder(const FsState&, const Caller&,
                                                 std::string_view path, const Facts&);

inline constexpr uint64_t kToAppend = UINT64_MAX;
// The block that a truncation to `length`, or an append (kToAppend), would open: nullopt when it
// needs none. Its good replicas' nodes become facts.targets, its id, generation and length
// facts.targets_block. Refuses as the plan would.
ReadResult<std::optional<BlockInfo>> ReadLastBlock(const FsState&, const Caller&,
                                                   std::string_view path, uint64_t length,
                                                   const Facts&);

// A file that the NameNode holds, and the first of its open blocks: the next to be recovered.
struct RecoveringFile {
  INodeId inode = 0;
  BlockInfo block;
  TxId observed = 0;  // orders about it wait for this edit (P2)
};
std::vector<RecoveringFile> FilesInRecovery(const FsState&);  // by inode; deleted ones left out

}  // namespace cairn::namenode
