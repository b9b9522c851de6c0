// Memory from which the disk can be written directly.
//
// Why: O_DIRECT wants memory at page borders, and payloads come from the network as pieces
// anywhere. The buffers are kept, so that they are touched once. Their number bounds what a disk
// that hangs can hold of them, however many streams there are. Thread-safe. Owned by the store.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "common/mutex.h"

namespace cairn::datanode {

class AlignedBuffers {
 public:
  static constexpr size_t kBufferBytes = 1 << 20;

  // At most `most` buffers are in use at a time.
  explicit AlignedBuffers(size_t most) : most_(most) {}
  AlignedBuffers(const AlignedBuffers&) = delete;
  AlignedBuffers& operator=(const AlignedBuffers&) = delete;

 private:
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  using Memory = std::unique_ptr<char, Free>;

 public:
  // One buffer, until it is destroyed.
  class Lease {
   public:
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (memory_ != nullptr) from_->Return(std::move(memory_));
    }
    explicit operator bool() const { return memory_ != nullptr; }
    std::span<char> span() const { return {memory_.get(), kBufferBytes}; }

   private:
    friend class AlignedBuffers;
    Lease(AlignedBuffers* from, Memory memory) : from_(from), memory_(std::move(memory)) {}

    AlignedBuffers* from_;
    Memory memory_;
  };

  // False when all are in use, or there is no memory.
  Lease Take() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Return(Memory memory) ABSL_LOCKS_EXCLUDED(mu_);

  const size_t most_;
  Mutex mu_;
  size_t used_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<Memory> idle_ ABSL_GUARDED_BY(mu_);
};

}  // namespace cairn::datanode
