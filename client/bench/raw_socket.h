// A TCP connection over 127.0.0.1 between two threads of this process: what the baselines of the
// data path move their bytes through.
//
// Calls give up, CANCELLED, soon after they are stopped, and DEADLINE_EXCEEDED when nothing moved
// for two minutes, so that a lost thread cannot hang a benchmark. One thread may send while another
// receives; Shutdown may be called from any.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "client/bench/measure.h"
#include "common/fd.h"
#include "common/status.h"

namespace cairn::bench {

class RawSocket {
 public:
  // Both ends of a new connection.
  static absl::StatusOr<std::pair<RawSocket, RawSocket>> Pair(const Stopped& stopped);

  // All of the pieces, in one call where possible.
  absl::Status Send(std::span<const std::string_view> pieces);
  // Bytes of a file from its beginning, from the page cache to the socket.
  absl::Status SendFile(int fd, uint64_t bytes);
  // Fills `out`; UNAVAILABLE when the other end closes before.
  absl::Status Receive(std::span<char> out);
  // Ends the connection: what waits at either end fails.
  void Shutdown();

 private:
  RawSocket(Fd fd, Stopped stopped) : fd_(std::move(fd)), stopped_(std::move(stopped)) {}
  static absl::StatusOr<RawSocket> Make(Fd fd, const Stopped& stopped);
  // After a call that moved nothing, with its errno: OK to try again. `idle_ms` counts the waiting.
  absl::Status Waited(int error_number, int64_t* idle_ms) const;

  Fd fd_;
  Stopped stopped_;
};

}  // namespace cairn::bench
