// A file descriptor, closed with its owner. Used where sockets, pipes and files are the operating
// system's own; what Cairn keeps on disk goes through an Env (env.h). Not thread-safe; moved, never
// copied.
#pragma once

#include <unistd.h>

#include <utility>

namespace cairn {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd() { Close(); }
  void Close() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace cairn
