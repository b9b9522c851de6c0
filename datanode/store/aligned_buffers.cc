#include "datanode/store/aligned_buffers.h"

#include "common/env.h"

namespace cairn::datanode {

AlignedBuffers::Lease AlignedBuffers::Take() {
  Memory memory;
  {
    MutexLock lock(mu_);
    if (used_ == most_) return {this, nullptr};
    ++used_;
    if (!idle_.empty()) {
      memory = std::move(idle_.back());
      idle_.pop_back();
      return {this, std::move(memory)};
    }
  }
  memory.reset(static_cast<char*>(std::aligned_alloc(kDirectAlignment, kBufferBytes)));
  if (memory == nullptr) {
    MutexLock lock(mu_);
    --used_;
  }
  return {this, std::move(memory)};
}

void AlignedBuffers::Return(Memory memory) {
  MutexLock lock(mu_);
  --used_;
  idle_.push_back(std::move(memory));
}

}  // namespace cairn::datanode
