#include "client/cli/output.h"

#include <unistd.h>

#include <cerrno>

namespace cairn::cli {
namespace {

constexpr size_t kBufferBytes = 64 << 10;

}  // namespace

void Output::Write(std::string_view text) {
  if (buffer_.size() + text.size() < kBufferBytes) {
    buffer_ += text;
    return;
  }
  Flush();
  WriteAll(text);
}

void Output::Flush() {
  WriteAll(buffer_);
  buffer_.clear();
}

void Output::WriteAll(std::string_view text) {
  while (!text.empty() && status_.ok()) {
    const ssize_t written = write(fd_, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EPIPE) {
      status_ = absl::CancelledError("standard output was closed");
    } else if (errno != EINTR) {
      status_ = ErrnoStatus("standard output", errno);
    }
  }
}

}  // namespace cairn::cli
