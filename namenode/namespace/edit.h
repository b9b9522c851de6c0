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

// The lease ran out: an unpublished file is removed; another is closed with the blocks that are
// finished.
struct CloseExpiredEdit {
  INodeId inode = 0;
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

struct StartEdit {  // a NameNode began to serve: the epoch rises, so that older commands can be
                    // told
  uint64_t epoch = 0;
};

struct DigestEdit {  // the digest of the state just before this edit; a replay that differs stops
  uint64_t high = 0;
  uint64_t low = 0;
};

using Edit = std::variant<MkdirsEdit, CreateEdit, AddBlockEdit, AbandonBlockEdit, CompleteEdit,
                          CloseExpiredEdit, RenameEdit, DeleteEdit, ReclaimEdit, SetReplicationEdit,
                          SetTimesEdit, SetOwnerEdit, SetPermissionEdit, RegisterNodeEdit,
                          StartEdit, DigestEdit>;

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
using Answer = std::variant<NoAnswer, CreatedAnswer, NewBlockAnswer, RegisteredAnswer>;

// What is journaled: the edit, when, for which call, and what was answered. Internal edits have no
// retry key.
struct EditRecord {
  int64_t time_ms = 0;
  std::optional<RetryKey> retry;
  Edit edit;
  Answer answer;
};

}  // namespace cairn::namenode
