// Freeing detached trees, a slice with every edit.
//
// The order is fixed: the oldest detached tree first, in it the first leaf by name. Finding the
// leaf again costs the depth of the tree, so a slice needs no cursor in the state.
#include "common/status.h"
#include "namenode/namespace/apply_internal.h"

namespace cairn::namenode {
namespace {

// A slice also ends after this many blocks for each inode that it may free: a huge file does not
// go at once.
constexpr uint64_t kBlocksPerINode = 4;

}  // namespace

absl::Status Applier::operator()(const ReclaimEdit& edit) {
  uint64_t inodes_left = edit.max_inodes;
  uint64_t blocks_left = edit.max_inodes * kBlocksPerINode;
  while (inodes_left > 0 && !state_.detached_.empty()) {
    const auto [place, root_id] = *state_.detached_.begin();
    INode* inode = state_.inodes_.Find(root_id);
    while (inode != nullptr && inodes_left > 0) {
      if (inode->is_directory() && !inode->dir().children.empty()) {
        inode = state_.inodes_.Find((*inode->dir().children.begin()).id());
        continue;
      }
      if (!inode->is_directory()) {
        for (; !inode->blocks().empty() && blocks_left > 0; --blocks_left) {
          RemoveLastBlock(*inode);
        }
        if (!inode->blocks().empty()) return absl::OkStatus();
      }
      INode* parent = inode->parent() == 0 ? nullptr : state_.inodes_.Find(inode->parent());
      FreeINode(*inode);
      --inodes_left;
      inode = parent;
    }
    if (state_.inodes_.Find(root_id) != nullptr) break;  // goes on in the next slice
    state_.tree_digest_ -= FsState::HashOfDetached(place, root_id);
    state_.detached_.erase(place);
  }
  return absl::OkStatus();
}

void Applier::FreeINode(INode& inode) {
  RemoveFromDigest(inode);
  if (inode.is_open()) {
    DropLease(OpenStateOf(inode).holder, inode.id());
    state_.open_files_.erase(inode.id());
  }
  if (inode.is_directory()) state_.quotas_.Set(inode.id(), {});
  if (inode.parent() != 0) {
    state_.inodes_.Find(inode.parent())->dir().children.Erase(inode.name_ref());
  }
  state_.EraseINode(inode);
}

}  // namespace cairn::namenode
