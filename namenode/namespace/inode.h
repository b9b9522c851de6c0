// INodes and blocks as the journaled state keeps them: records of 48 and 20 bytes.
//
// Both live in paged tables by id (common/paged_table.h) and never move. Plans read them through
// FsState; only Apply and StateBuilder change them. What only few have lives elsewhere: what an
// open file or block has beyond this in side tables of FsState, the blocks of a file with more than
// one in a BlockList, names in a NamePool. The widths below are the limits of types.h, which plans,
// Apply and the image's loader check before anything comes here.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "namenode/namespace/block_list.h"
#include "namenode/namespace/children.h"
#include "namenode/namespace/name_pool.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

using PrincipalId = uint32_t;  // a user's or group's name, interned

// What a subtree holds, its root included.
struct Totals {
  uint64_t files = 0;
  uint64_t directories = 0;
  uint64_t length = 0;    // bytes of finished blocks, and of open ones what is known to be held
  uint64_t space = 0;     // bytes times replication
  uint64_t promised = 0;  // times replication too: what open blocks may still grow by

  Totals& operator+=(const Totals& other) {
    files += other.files;
    directories += other.directories;
    length += other.length;
    space += other.space;
    promised += other.promised;
    return *this;
  }
  friend bool operator==(const Totals&, const Totals&) = default;
};

// A file that is being written: its lease.
struct OpenState {
  ClientId holder{};          // kNameNodeHolder: its blocks are being recovered
  bool unpublished = false;   // goes when the lease ends
  uint32_t open_blocks = 0;   // follows from the blocks
  uint32_t min_replicas = 1;  // nodes that a block needs to be finished; 1 unless strong
  bool appended = false;      // had content before this writer came: never removed with it
};

struct DirectoryBody {
  Children children;
  Totals totals;
};

class __attribute__((packed, aligned(8))) INode {
 public:
  explicit INode(NameRef name) : INode() { set_name(name); }
  ~INode();
  INode(const INode&) = delete;
  INode& operator=(const INode&) = delete;

  INodeId id() const { return name_ref().id(); }
  INodeId parent() const { return parent_; }                   // 0: the root, or detached
  std::string_view name() const { return name_ref().name(); }  // empty for the root
  NameRef name_ref() const {
    return NameRef(reinterpret_cast<const unsigned char*>(static_cast<uintptr_t>(name_)));
  }
  int64_t mtime_ms() const { return static_cast<int64_t>(mtime_ms_); }
  int64_t atime_ms() const { return static_cast<int64_t>(atime_ms_); }
  PrincipalId owner() const { return owner_; }
  PrincipalId group() const { return group_; }
  uint32_t mode() const { return mode_; }
  bool is_directory() const { return is_directory_ != 0; }

  // Of a file.
  bool is_open() const { return is_open_ != 0; }  // being written: FsState has its OpenState
  uint64_t block_size() const { return (uint64_t{block_chunks_} + 1) * kChunkBytes; }
  uint32_t replication() const { return replication_; }
  uint64_t length() const { return length_; }  // the sum of its blocks' lengths
  uint64_t space() const { return length() * replication(); }
  // In order; all but the last are block_size long when finished.
  BlockIds blocks() const { return has_list_ ? BlockIds(list()) : BlockIds(BlockId{body_}); }

  // Of a directory.
  const DirectoryBody& dir() const { return *directory(); }
  DirectoryBody& dir() { return *directory(); }

  void set_parent(INodeId parent) { parent_ = parent; }
  void set_name(NameRef name) { name_ = reinterpret_cast<uintptr_t>(name.record()); }
  void set_mtime_ms(int64_t time_ms) { mtime_ms_ = static_cast<uint64_t>(time_ms); }
  void set_atime_ms(int64_t time_ms) { atime_ms_ = static_cast<uint64_t>(time_ms); }
  void set_owner(PrincipalId owner) { owner_ = owner; }
  void set_group(PrincipalId group) { group_ = group; }
  void set_mode(uint32_t mode) { mode_ = mode; }
  void MakeDirectory();  // of a new INode, which is a file until then
  void set_open(bool open) { is_open_ = open ? 1 : 0; }
  void set_block_size(uint64_t bytes) { block_chunks_ = bytes / kChunkBytes - 1; }
  void set_replication(uint32_t replication) { replication_ = replication; }
  void set_length(uint64_t length) { length_ = length; }
  void PushBlock(BlockId id);
  void PopBlock();  // the last one

 private:
  INode();

  DirectoryBody* directory() const {
    return reinterpret_cast<DirectoryBody*>(static_cast<uintptr_t>(body_));
  }
  BlockList* list() const { return reinterpret_cast<BlockList*>(static_cast<uintptr_t>(body_)); }

  // Pointers of a user's process have at most 48 bits on the processors that we know.
  uint64_t parent_ : 48;
  uint64_t mode_ : 10;
  uint64_t is_directory_ : 1;
  uint64_t is_open_ : 1;
  uint64_t has_list_ : 1;  // body_ is a BlockList
  uint64_t name_ : 48;     // a NamePool's record, which holds the INode's id
  uint64_t body_ : 48;     // a DirectoryBody; a BlockList; or the file's only block, 0: none
  uint64_t length_ : 60;
  uint64_t block_chunks_ : 28;  // block size in chunks, less 1
  uint64_t replication_ : 10;
  uint64_t mtime_ms_ : 44;
  uint64_t owner_ : 20;
  uint64_t atime_ms_ : 44;
  uint64_t group_ : 20;
};
static_assert(sizeof(INode) == 48);

struct OpenBlock {
  std::vector<NodeNumber> pipeline;
  GenerationStamp recovery = 0;  // of the newest block recovery; 0: none began
  bool cut = false;              // by a truncation: recovery must end at the length
  bool untouched = false;        // reopened by an append, and no DataNode may have changed it yet
};

class __attribute__((packed, aligned(4))) BlockMeta {
 public:
  BlockMeta(INodeId inode, GenerationStamp generation, uint64_t length, uint32_t index)
      : inode_(inode), generation_(generation), length_(length), index_(index), is_open_(0) {}

  INodeId inode() const { return inode_; }
  GenerationStamp generation() const { return generation_; }
  // While open: known to be held, or the target of a cut.
  uint64_t length() const { return length_; }
  uint32_t index() const { return index_; }       // in the file
  bool is_open() const { return is_open_ != 0; }  // not finished: FsState has its OpenBlock

  void set_place(INodeId inode, uint32_t index) {
    inode_ = inode;
    index_ = index;
  }
  void set_generation(GenerationStamp generation) { generation_ = generation; }
  void set_length(uint64_t length) { length_ = length; }
  void set_open(bool open) { is_open_ = open ? 1 : 0; }

 private:
  uint64_t inode_ : 48;
  uint64_t generation_ : 48;
  uint64_t length_ : 41;
  uint64_t index_ : 20;
  uint64_t is_open_ : 1;
};
static_assert(sizeof(BlockMeta) == 20);

}  // namespace cairn::namenode
