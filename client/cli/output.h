// Standard output, buffered, whose reader may go away.
//
// `cairn cat /big | head -n 1`: when the reader has enough, the command ends quietly. The first
// failure sticks: status() tells it, and nothing is written after it. Not thread-safe: only a
// command's own thread prints.
#pragma once

#include <string>
#include <string_view>

#include "common/status.h"

namespace cairn::cli {

class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  void Write(std::string_view text);
  void Flush();
  // OK, or why it cannot be written: CANCELLED when nobody reads any more.
  const absl::Status& status() const { return status_; }

 private:
  void WriteAll(std::string_view text);

  const int fd_;
  std::string buffer_;
  absl::Status status_;
};

}  // namespace cairn::cli
