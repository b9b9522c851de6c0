// The one line that shows how far a copy is, with rate and time left.
//
// Many workers add to one Progress; the line is drawn by Console when it is asked to, on a
// terminal only. Progress is thread-safe; FormatProgress is a pure function.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace cairn::cli {

struct ProgressNumbers {
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;  // grows while files are still being found
  uint64_t done_files = 0;
  uint64_t total_files = 0;
  int64_t elapsed_ms = 0;
};

// "  42% [=====>      ] 420M of 1000M, 3/10 files, 120M/s, 5s left", at most `columns` wide: the
// bar gives way first. Without a total (standard input) it has bytes and rate alone.
std::string FormatProgress(const ProgressNumbers& numbers, size_t columns);

// "  42% [=====>      ] TEXT": what is done, `part` of 0 to 1, at most `columns` wide.
std::string FormatBar(double part, const std::string& text, size_t columns);
// "5s", "2m05s", "1h03m".
std::string FormatSeconds(uint64_t seconds);

class Progress {
 public:
  void Expect(uint64_t files, uint64_t bytes) {
    total_files_.fetch_add(files, std::memory_order_relaxed);
    total_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  void Moved(uint64_t bytes) { done_bytes_.fetch_add(bytes, std::memory_order_relaxed); }
  void FileDone() { done_files_.fetch_add(1, std::memory_order_relaxed); }

  ProgressNumbers Read(int64_t elapsed_ms) const {
    return {.done_bytes = done_bytes_.load(std::memory_order_relaxed),
            .total_bytes = total_bytes_.load(std::memory_order_relaxed),
            .done_files = done_files_.load(std::memory_order_relaxed),
            .total_files = total_files_.load(std::memory_order_relaxed),
            .elapsed_ms = elapsed_ms};
  }

 private:
  std::atomic<uint64_t> done_bytes_{0};
  std::atomic<uint64_t> total_bytes_{0};
  std::atomic<uint64_t> done_files_{0};
  std::atomic<uint64_t> total_files_{0};
};

}  // namespace cairn::cli
