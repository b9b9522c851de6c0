// An edit: one change of the journaled state, complete in itself.
//
// plan_* functions make edits, codec/ turns them into bytes and back, Apply (apply.h) is the only
// code that carries them out, live as well as in replay. An edit names inodes and ids, never paths,
// and holds every value that the plan took from outside (time, ids, targets), so that applying it
// needs nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/admin_state.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

struct MkdirsEdit {  // makes a chain of directories below `parent`
  INodeId parent = 0;
  std::vector<std::string> names;
  INodeId first_inode = 0;  // the following ones count up
  std::string owner;
  std::string group;
  uint32_t mode = 0;  // of the last one; those above it get u+wx added, as HDFS does
};

struct CreateEdit {
  INodeId parent = 0;
  std::string name;
  INodeId inode = 0;
  INodeId replaced = 0;  // a file at this name that goes; 0: none
  std::string owner;
  std::string group;
  uint32_t mode = 0;
  uint32_t replication = 0;
  uint64_t block_size = 0;
  ClientId holder{};         // of the lease
  bool unpublished = false;  // a temporary until complete() publishes it
  std::optional<NewBlock> first_block;
  uint32_t min_replicas = 1;  // nodes that a block needs to be finished
};

struct AddBlockEdit {
  INodeId inode = 0;
  std::vector<FinishedBlock> finished;
  NewBlock block;
};

struct AbandonBlockEdit {
  INodeId inode = 0;
  BlockId block = 0;
};

struct CompleteEdit {  // closes the file, and publishes it where new_parent is set
  INodeId inode = 0;
  std::vector<FinishedBlock> finished;
  INodeId new_parent = 0;  // 0: keeps its name
  std::string new_name;
  INodeId replaced = 0;
  int64_t mtime_ms = 0;
  int64_t atime_ms = 0;
  std::optional<uint32_t> mode;
};

// A new stamp for an open block that its pipeline may take; the block's only after UpdatePipeline.
struct NewStampEdit {
  INodeId inode = 0;
  BlockId block = 0;
  GenerationStamp generation = 0;  // the next one
};

struct UpdatePipelineEdit {  // the open block has this stamp and these nodes from now on
  INodeId inode = 0;
  BlockId block = 0;
  GenerationStamp generation = 0;
  std::vector<NodeNumber> pipeline;
};

struct AppendEdit {  // opens a closed file; its last block too, unless that is full
  INodeId inode = 0;
  ClientId holder{};
  uint32_t min_replicas = 1;
  BlockId reopened = 0;              // 0: none
  std::vector<NodeNumber> pipeline;  // of the reopened block: nodes with a good replica
};

// Cuts a closed file. It stays closed when it ends at a block's end; else its last block is opened
// to be cut on its nodes, and the NameNode holds the file.
struct TruncateEdit {
  INodeId inode = 0;
  uint64_t length = 0;               // of the file
  BlockId cut = 0;                   // 0: none
  GenerationStamp recovery = 0;      // the next one; 0 without `cut`, as is the pipeline
  std::vector<NodeNumber> pipeline;  // nodes with a good replica
};

// The lease ends: an unpublished file is removed; one without unfinished blocks is closed (a block
// that was reopened and not touched counts as finished); another is the NameNode's until its blocks
// are recovered.
struct TakeOverEdit {
  INodeId inode = 0;
};

struct BeginRecoveryEdit {  // the stamp that the block will have when it is recovered
  INodeId inode = 0;
  BlockId block = 0;
  GenerationStamp generation = 0;  // the next one
};

// An open block is settled on these storages; one of length 0 goes. One that is shorter than the
// block size ends its file. The file is closed when no open block is left.
struct CommitRecoveryEdit {
  INodeId inode = 0;
  BlockId block = 0;
  GenerationStamp generation = 0;
  uint64_t length = 0;
  std::vector<StorageNumber> storages;
};

struct RaiseCountersEdit {  // past what DataNodes have seen of a newer journal that was lost
  BlockId next_block = 0;
  GenerationStamp next_generation = 0;
  uint64_t epoch = 0;
};

struct RenameEdit {
  INodeId inode = 0;
  INodeId new_parent = 0;
  std::string new_name;
};

struct DeleteEdit {  // detaches the inode; its tree waits to be reclaimed in slices
  INodeId inode = 0;
};

struct ReclaimEdit {  // frees the next inodes of detached trees, in fixed order
  uint32_t max_inodes = 0;
};

struct SetReplicationEdit {
  INodeId inode = 0;
  uint32_t replication = 0;
};
struct SetTimesEdit {
  INodeId inode = 0;
  int64_t mtime_ms = -1;  // -1: leave
  int64_t atime_ms = -1;
};
struct SetOwnerEdit {
  INodeId inode = 0;
  std::string owner;  // empty: leave
  std::string group;
};
struct SetPermissionEdit {
  INodeId inode = 0;
  uint32_t mode = 0;
};

struct SetQuotaEdit {  // of a directory; replaces what it had
  INodeId inode = 0;
  Quota quota;
};

// The blocks of the sources, in this order, become the target's; the sources are gone. All are
// closed, in one directory, with blocks of one size, and full but for the last of the last one.
struct ConcatEdit {
  INodeId target = 0;
  std::vector<INodeId> sources;
};

struct RegisteredStorage {
  StorageNumber number = 0;
  std::string id;  // UUID

  friend bool operator==(const RegisteredStorage&, const RegisteredStorage&) = default;
};
struct RegisterNodeEdit {  // a new DataNode, new storages of a known one, or its new rack
  NodeNumber node = 0;
  std::string id;  // UUID
  std::string rack;
  std::vector<RegisteredStorage> new_storages;
};

struct SetAdminStateEdit {  // of a DataNode that has registered
  NodeNumber node = 0;
  AdminState state = AdminState::kInService;
};

struct StartEdit {  // a NameNode began to serve: the epoch rises, so that older commands can be
                    // told
  uint64_t epoch = 0;
};

struct DigestEdit {  // the digest of the state just before this edit; a replay that differs stops
  uint64_t high = 0;
  uint64_t low = 0;
};

using Edit = std::variant<MkdirsEdit, CreateEdit, AddBlockEdit, AbandonBlockEdit, CompleteEdit,
                          RenameEdit, DeleteEdit, ReclaimEdit, SetReplicationEdit, SetTimesEdit,
                          SetOwnerEdit, SetPermissionEdit, RegisterNodeEdit, StartEdit, DigestEdit,
                          NewStampEdit, UpdatePipelineEdit, AppendEdit, TruncateEdit, TakeOverEdit,
                          BeginRecoveryEdit, CommitRecoveryEdit, RaiseCountersEdit, SetQuotaEdit,
                          ConcatEdit, SetAdminStateEdit>;

// --- Answers: what the caller of a mutating call gets; kept with the edit for retries (P5)
// ----------

struct NoAnswer {
  friend bool operator==(const NoAnswer&, const NoAnswer&) = default;
};
struct CreatedAnswer {
  INodeId inode = 0;
  std::optional<NewBlock> block;
  uint32_t replication = 0;
  uint64_t block_size = 0;
  uint32_t min_replicas = 0;

  friend bool operator==(const CreatedAnswer&, const CreatedAnswer&) = default;
};
struct NewBlockAnswer {
  NewBlock block;
  uint64_t block_size = 0;  // what may be written into it

  friend bool operator==(const NewBlockAnswer&, const NewBlockAnswer&) = default;
};
struct RegisteredAnswer {
  NodeNumber node = 0;
  std::vector<StorageNumber> storages;  // in the order of the request

  friend bool operator==(const RegisteredAnswer&, const RegisteredAnswer&) = default;
};
struct NewStampAnswer {  // of BeginRecovery too, without targets
  GenerationStamp generation = 0;
  std::vector<NodeNumber> targets;  // nodes to take into the pipeline

  friend bool operator==(const NewStampAnswer&, const NewStampAnswer&) = default;
};
struct AppendedAnswer {
  INodeId inode = 0;
  uint64_t length = 0;  // of the file
  uint32_t replication = 0;
  uint64_t block_size = 0;
  uint32_t min_replicas = 0;
  std::optional<NewBlock> block;  // the reopened one, with the generation stamp that it has
  uint64_t block_length = 0;      // of the reopened one

  friend bool operator==(const AppendedAnswer&, const AppendedAnswer&) = default;
};
struct TruncatedAnswer {
  bool done = false;  // false: the last block is still being cut

  friend bool operator==(const TruncatedAnswer&, const TruncatedAnswer&) = default;
};
using Answer = std::variant<NoAnswer, CreatedAnswer, NewBlockAnswer, RegisteredAnswer,
                            NewStampAnswer, AppendedAnswer, TruncatedAnswer>;

// What is journaled: the edit, when, for which call, and what was answered. Internal edits have no
// retry key.
struct EditRecord {
  int64_t time_ms = 0;
  std::optional<RetryKey> retry;
  Edit edit;
  Answer answer;
};

}  // namespace cairn::namenode
