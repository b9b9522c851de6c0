#include "datanode/service/local_reads.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/logging.h"
#include "common/metrics.h"
#include "common/steady_time.h"
#include "common/strings.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/service/convert.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"

namespace cairn::datanode {
namespace {

constexpr int64_t kAcceptPauseMs = 100;        // after a failure: descriptors are short
constexpr size_t kMaxRequestBytes = 16 << 10;  // tokens included

// What a client gets must let it read through the page cache, and no more than that.
bool MayBePassed(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_ACCMODE) == O_RDONLY && (flags & O_DIRECT) == 0;
}

void SetStatus(const absl::Status& status, v1::LocalReadReply* reply) {
  reply->set_code(static_cast<int>(status.code()));
  reply->set_message(std::string(MessageOf(status)));
  reply->set_kind(static_cast<int>(KindOf(status)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<LocalReads>> LocalReads::Start(Options options, ReplicaStore* store,
                                                              OpenTransfers* transfers,
                                                              Metrics* metrics) {
  ASSIGN_OR_RETURN(UnixListener listener, UnixListener::Listen(options.path));
  Fd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (wake.get() < 0) return ErrnoStatus("eventfd", errno);
  return std::unique_ptr<LocalReads>(new LocalReads(std::move(options), std::move(listener),
                                                    std::move(wake), store, transfers, metrics));
}

LocalReads::LocalReads(Options options, UnixListener listener, Fd wake, ReplicaStore* store,
                       OpenTransfers* transfers, Metrics* metrics)
    : options_(std::move(options)),
      listener_(std::move(listener)),
      wake_(std::move(wake)),
      instance_(RandomBytes16()),
      store_(store),
      transfers_(transfers),
      passed_(metrics->AddCounter("cairn_datanode_local_reads_passed_total",
                                  "Replicas whose files were passed to clients on this host.")),
      refused_(metrics->AddCounter("cairn_datanode_local_reads_refused_total",
                                   "Requests of clients on this host that got no files.")),
      thread_([this] { Serve(); }) {}

LocalReads::~LocalReads() { Stop(); }

void LocalReads::Stop() {
  if (!thread_.joinable()) return;
  eventfd_write(wake_.get(), 1);
  thread_.join();
  connections_.clear();
  const UnixListener closed = std::move(listener_);
}

void LocalReads::Serve() {
  pthread_setname_np(pthread_self(), "local-reads");
  std::vector<pollfd> polled;
  while (true) {
    // The wake-up, the listener while there is room, and the connections in their order.
    const int64_t before_ms = SteadyNowMs();
    const bool pauses = before_ms < accept_after_ms_;
    const bool accepts = !pauses && connections_.size() < options_.max_connections;
    polled.assign({{wake_.get(), POLLIN, 0}, {accepts ? listener_.fd() : -1, POLLIN, 0}});
    int64_t wait_ms = pauses ? accept_after_ms_ - before_ms : -1;
    for (const Connection& connection : connections_) {
      polled.push_back({connection.socket.get(), POLLIN, 0});
      const int64_t left_ms = std::max<int64_t>(0, connection.deadline_ms - before_ms);
      wait_ms = wait_ms < 0 ? left_ms : std::min(wait_ms, left_ms);
    }
    if (poll(polled.data(), polled.size(), static_cast<int>(wait_ms)) < 0) continue;  // EINTR
    if (polled[0].revents != 0) return;
    const int64_t now_ms = SteadyNowMs();
    size_t next = 2;
    std::erase_if(connections_, [&](const Connection& connection) {
      const bool has_request = polled[next++].revents != 0;
      if (has_request) Answer(connection.socket);
      return has_request || connection.deadline_ms <= now_ms;
    });
    if (polled[1].revents != 0) Accept();
  }
}

void LocalReads::Accept() {
  absl::StatusOr<Fd> socket = listener_.Accept();
  if (!socket.ok()) {
    accept_after_ms_ = SteadyNowMs() + kAcceptPauseMs;
    return;
  }
  connections_.push_back({*std::move(socket), SteadyNowMs() + options_.request_ms});
}

// One request, one answer: then the connection goes.
void LocalReads::Answer(const Fd& socket) {
  const auto message = ReceiveUnix(socket, kMaxRequestBytes, /*timeout_ms=*/0);
  v1::LocalReadRequest request;
  v1::LocalReadReply reply;
  reply.set_instance(instance_);
  const auto open = [&]() -> absl::StatusOr<std::unique_ptr<ReplicaReader>> {
    RETURN_IF_ERROR(message.status());
    if (!request.ParseFromString(message->bytes)) {
      return absl::InvalidArgumentError("not a request for a replica's files");
    }
    return OpenFor(request, &reply);
  };
  const auto reader = open();
  const auto peer = PeerOf(socket);
  LogDebug("files of block {} for {} (process {} of user {}): {}", request.block().id(),
           request.client(), peer.ok() ? peer->pid : 0, peer.ok() ? peer->uid : 0,
           reader.ok() ? "passed" : MessageOf(reader.status()));
  std::vector<int> descriptors;
  if (reader.ok()) {
    const ReplicaReader::Files files = (*reader)->files();
    descriptors = {files.data, files.checksums};
  } else {
    SetStatus(reader.status(), &reply);
  }
  (reader.ok() ? passed_ : refused_)->Increment();
  if (reader.ok()) transfers_->CountLocalRead();
  SendUnix(socket, reply.SerializeAsString(), descriptors).IgnoreError();  // else it has left
}

// What ReadBlock asks, and then whether the files stay as they are.
absl::StatusOr<std::unique_ptr<ReplicaReader>> LocalReads::OpenFor(
    const v1::LocalReadRequest& request, v1::LocalReadReply* reply) {
  if (request.instance() != instance_) {
    return absl::UnavailableError("this is another DataNode, or it was started again");
  }
  const Block block = FromProto(request.block());
  ASSIGN_OR_RETURN(std::unique_ptr<ReplicaReader> reader, store_->OpenReader(block));
  if (reader->open()) {
    return absl::FailedPreconditionError(
        fmt::format("block {} is being written here; its files are not passed", block.id));
  }
  const ReplicaReader::Files files = reader->files();
  if (!MayBePassed(files.data) || !MayBePassed(files.checksums)) {
    return absl::UnimplementedError(
        fmt::format("block {} is kept in no files that could be passed", block.id));
  }
  ToProto(reader->block(), reply->mutable_block());
  reply->set_checksum_type(v1::LocalReadReply::CRC32C);
  reply->set_chunk_bytes(kChunkBytes);
  reply->set_checksums_offset(kChecksumHeaderBytes);
  reply->set_tail_crc(files.tail_crc);
  return reader;
}

}  // namespace cairn::datanode
