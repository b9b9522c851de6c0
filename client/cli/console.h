// Standard error: one line per failure, and the progress line between them.
//
// Why one owner: a failure must not be written into the middle of the progress line, and many
// workers report. The progress line is drawn on terminals only, five times a second. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "client/cli/progress.h"
#include "common/mutex.h"

namespace cairn::cli {

class Console {
 public:
  Console();

  // Writes `line` and a newline.
  void PrintLine(std::string_view line) ABSL_LOCKS_EXCLUDED(mu_);
  bool is_terminal() const { return is_terminal_; }

 private:
  friend class ProgressLine;
  void Draw(std::string_view line) ABSL_LOCKS_EXCLUDED(mu_);

  const bool is_terminal_;
  Mutex mu_;
  bool drawn_ ABSL_GUARDED_BY(mu_) = false;  // a progress line is on the terminal now
};

// Shows a line while it lives; takes it away at the end. Does nothing where standard error is no
// terminal.
class ProgressLine {
 public:
  // The line after `elapsed_ms`, at most `columns` wide; called on a thread of its own.
  using Format = std::function<std::string(int64_t elapsed_ms, size_t columns)>;

  ProgressLine(Console& console, Format format);
  ProgressLine(Console& console, const Progress& progress);  // of a copy
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);

  Console& console_;
  const Format format_;
  Mutex mu_;
  CondVar end_cv_;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

}  // namespace cairn::cli
