#include "client/bench/raw_pipeline.h"

#include <array>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "client/bench/process_cpu.h"
#include "client/bench/raw_packet.h"
#include "common/mutex.h"

namespace cairn::bench {
namespace {

constexpr std::array<std::string_view, 1> kAck = {"A"};

absl::Status ReceiveAck(RawSocket* from) {
  char ack = 0;
  return from->Receive({&ack, 1});
}

absl::Status SendAll(RawSocket* to, const Content& content, uint64_t file, uint64_t bytes,
                     Progress* progress) {
  for (uint64_t offset = 0; offset < bytes;) {
    const std::string_view piece = content.Piece(file, offset, bytes);
    const bool last = offset + piece.size() == bytes;
    RETURN_IF_ERROR(SendPacket(to, HeadOf(offset, piece, last), piece));
    offset += piece.size();
    progress->done.fetch_add(piece.size(), std::memory_order_relaxed);
  }
  return ReceiveAck(to);
}

// One connection of the pipeline: the end that sends packets, and the one that gets them.
using Link = std::pair<RawSocket, RawSocket>;

// The first failure is the cause of all others: it ends every connection.
class Failure {
 public:
  explicit Failure(std::vector<Link>* links) : links_(links) {}
  void Note(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_) {
    if (status.ok()) return;
    {
      MutexLock lock(mu_);
      if (!first_.ok()) return;
      first_ = status;
    }
    for (Link& link : *links_) link.first.Shutdown();
  }
  absl::Status first() ABSL_LOCKS_EXCLUDED(mu_) {
    MutexLock lock(mu_);
    return first_;
  }

 private:
  std::vector<Link>* const links_;
  Mutex mu_;
  absl::Status first_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::Status RunHop(RawSocket* in, RawSocket* out, RawFile* file) {
  const AlignedBuffer buffer(kRawPacketBytes);
  PacketHead head;
  while (head.last == 0) {
    RETURN_IF_ERROR(ReceivePacket(in, &head, buffer.span()));
    const std::string_view payload = buffer.first(head.bytes);
    if (out != nullptr) RETURN_IF_ERROR(SendPacket(out, head, payload));
    RETURN_IF_ERROR(CheckPacket(head, payload));
    RETURN_IF_ERROR(file->Write(head.offset, buffer, head.bytes));
  }
  RETURN_IF_ERROR(file->Sync());
  if (out != nullptr) RETURN_IF_ERROR(ReceiveAck(out));
  return in->Send(kAck);
}

absl::StatusOr<std::unique_ptr<RawPipeline>> RawPipeline::Open(const std::string& dir, int hops,
                                                               uint64_t bytes) {
  if (hops < 1 || bytes == 0) return absl::InternalError("a pipeline needs hops and bytes");
  std::unique_ptr<RawPipeline> pipeline(new RawPipeline(dir, bytes));
  for (int i = 0; i < hops; ++i) {
    ASSIGN_OR_RETURN(pipeline->files_.emplace_back(), pipeline->NewFile());
  }
  return pipeline;
}

absl::StatusOr<std::unique_ptr<RawFile>> RawPipeline::NewFile() const {
  return RawFile::Create(dir_, bytes_, /*direct=*/true);
}

absl::StatusOr<Measured> RawPipeline::Run(const Content& content, uint64_t file,
                                          const Stopped& stopped, Progress* progress) {
  std::vector<Link> links;
  for (size_t i = 0; i < files_.size(); ++i) {
    ASSIGN_OR_RETURN(Link link, RawSocket::Pair(stopped));
    links.push_back(std::move(link));
  }
  Failure failure(&links);
  for (auto& written : files_) written.reset();
  const Stopwatch watch(ProcessCpuMicros);
  std::vector<std::thread> hops;
  for (size_t i = 0; i < files_.size(); ++i) {
    RawSocket* const out = i + 1 < links.size() ? &links[i + 1].first : nullptr;
    hops.emplace_back([this, &failure, in = &links[i].second, out, to = &files_[i]] {
      auto file = NewFile();
      if (!file.ok()) return failure.Note(file.status());
      *to = *std::move(file);
      failure.Note(RunHop(in, out, to->get()));
    });
  }
  failure.Note(SendAll(&links[0].first, content, file, bytes_, progress));
  const Measured measured = watch.Read();
  for (std::thread& hop : hops) hop.join();
  RETURN_IF_ERROR(failure.first());
  return measured;
}

absl::Status RawPipeline::Verify(const Content& content, uint64_t file, const Stopped& stopped) {
  for (const auto& written : files_) {
    if (written == nullptr) return absl::FailedPreconditionError("nothing was written");
    RETURN_IF_ERROR(written->Verify(content, file, bytes_, stopped));
  }
  return absl::OkStatus();
}

}  // namespace cairn::bench
