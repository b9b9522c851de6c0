#include "client/bench/raw_sendfile.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <thread>
#include <utility>

#include "client/bench/process_cpu.h"
#include "client/bench/raw_socket.h"
#include "common/crc32c.h"

namespace cairn::bench {
namespace {

absl::StatusOr<uint32_t> ReceiveAll(RawSocket* from, uint64_t bytes, Progress* progress) {
  const AlignedBuffer buffer(Content::kPieceBytes);
  uint32_t crc = 0;
  for (uint64_t offset = 0; offset < bytes; offset += Content::kPieceBytes) {
    const size_t size = std::min(Content::kPieceBytes, bytes - offset);
    RETURN_IF_ERROR(from->Receive(buffer.span().first(size)));
    crc = Crc32cExtend(crc, buffer.first(size));
    progress->done.fetch_add(size, std::memory_order_relaxed);
  }
  return crc;
}

absl::Status Different(std::string_view how) {
  return absl::DataLossError(fmt::format("{} brought other bytes than were written", how));
}

}  // namespace

absl::StatusOr<std::unique_ptr<RawSendfile>> RawSendfile::Open(const std::string& dir,
                                                               const Content& content,
                                                               uint64_t file, uint64_t bytes,
                                                               bool direct,
                                                               const Stopped& stopped) {
  ASSIGN_OR_RETURN(std::unique_ptr<RawFile> raw, RawFile::Create(dir, bytes, direct));
  RETURN_IF_ERROR(raw->Fill(content, file, bytes, stopped));
  return std::unique_ptr<RawSendfile>(new RawSendfile(std::move(raw), bytes));
}

absl::StatusOr<Measured> RawSendfile::Run(uint32_t crc, const Stopped& stopped,
                                          Progress* progress) {
  ASSIGN_OR_RETURN(auto sockets, RawSocket::Pair(stopped));
  RawSocket& reader = sockets.first;
  RawSocket& server = sockets.second;
  const Stopwatch watch(ProcessCpuMicros);
  absl::Status sent;
  std::thread serving([&] {
    sent = server.SendFile(file_->fd(), bytes_);
    if (!sent.ok()) server.Shutdown();
  });
  const absl::StatusOr<uint32_t> received = ReceiveAll(&reader, bytes_, progress);
  const Measured measured = watch.Read();
  if (!received.ok()) reader.Shutdown();
  serving.join();
  RETURN_IF_ERROR(sent);
  RETURN_IF_ERROR(received.status());
  if (*received != crc) return Different("sendfile");
  return measured;
}

absl::StatusOr<Measured> RawSendfile::RunPread(uint32_t crc, const Stopped& stopped,
                                               Progress* progress) {
  const AlignedBuffer buffer(Content::kPieceBytes);
  uint32_t read_crc = 0;
  const Stopwatch watch(ProcessCpuMicros);
  for (uint64_t offset = 0; offset < bytes_;) {
    if (stopped()) return absl::CancelledError("interrupted");
    const size_t wanted = std::min(Content::kPieceBytes, bytes_ - offset);
    // A whole piece, for direct reads are of whole sectors; the file ends with one.
    const ssize_t came =
        pread(file_->fd(), buffer.span().data(), buffer.span().size(), static_cast<off_t>(offset));
    if (came < 0 && errno == EINTR) continue;
    if (came < 0) return ErrnoStatus("pread", errno);
    if (came == 0) return Different("pread");
    const size_t got = std::min(wanted, static_cast<size_t>(came));
    read_crc = Crc32cExtend(read_crc, buffer.first(got));
    offset += got;
    progress->done.fetch_add(got, std::memory_order_relaxed);
  }
  const Measured measured = watch.Read();
  if (read_crc != crc) return Different("pread");
  return measured;
}

}  // namespace cairn::bench
