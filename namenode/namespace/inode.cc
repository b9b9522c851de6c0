#include "namenode/namespace/inode.h"

namespace cairn::namenode {

INode::INode()
    : parent_(0),
      mode_(0),
      is_directory_(0),
      is_open_(0),
      has_list_(0),
      name_(0),
      body_(0),
      length_(0),
      block_chunks_(0),
      replication_(0),
      mtime_ms_(0),
      owner_(0),
      atime_ms_(0),
      group_(0) {}

INode::~INode() {
  if (is_directory_) {
    delete directory();
  } else if (has_list_) {
    delete list();
  }
}

void INode::MakeDirectory() {
  is_directory_ = 1;
  body_ = reinterpret_cast<uintptr_t>(new DirectoryBody);
  dir().totals.directories = 1;
}

void INode::PushBlock(BlockId id) {
  if (has_list_) return list()->Push(id);
  if (body_ == 0) {
    body_ = id;
    return;
  }
  auto* several = new BlockList;
  several->Push(body_);
  several->Push(id);
  body_ = reinterpret_cast<uintptr_t>(several);
  has_list_ = 1;
}

void INode::PopBlock() {
  if (!has_list_) {
    body_ = 0;
    return;
  }
  BlockList* several = list();
  several->Pop();
  if (several->size() > 1) return;
  body_ = (*several)[0];
  has_list_ = 0;
  delete several;
}

}  // namespace cairn::namenode
