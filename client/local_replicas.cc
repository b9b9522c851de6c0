#include "client/local_replicas.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <netdb.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "client/connect.h"
#include "common/ids.h"
#include "common/logging.h"
#include "common/net/address.h"
#include "common/net/channel.h"
#include "common/net/rpc_status.h"
#include "common/net/unix_socket.h"
#include "common/status.h"
#include "proto/data_transfer.grpc.pb.h"

namespace cairn {
namespace {

constexpr size_t kMaxReplyBytes = 64 << 10;

// Whether a numeric address is one of this host's interfaces: then a socket can have it.
bool IsOwnAddress(const std::string& host) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return false;
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, freeaddrinfo);
  const Fd probe(socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  return probe.get() >= 0 && bind(probe.get(), found->ai_addr, found->ai_addrlen) == 0;
}

bool IsOwnName(const std::string& host, const std::string& own) {
  return host == "localhost" || (!own.empty() && (host == own || host.starts_with(own + ".")));
}

bool IsFileOf(const Fd& file, uint64_t bytes) {
  struct stat status {};
  return fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<uint64_t>(status.st_size) >= bytes;
}

// The reply's replica; not OK for one that cannot be read here.
absl::StatusOr<LocalReplica> Take(const v1::LocalReadReply& reply, const v1::Block& wanted,
                                  std::vector<Fd> descriptors) {
  const v1::Block& block = reply.block();
  if (reply.checksum_type() != v1::LocalReadReply::CRC32C || reply.chunk_bytes() != kChunkBytes) {
    return absl::UnimplementedError("the replica has checksums of another kind");
  }
  if (block.id() != wanted.id() || block.generation() < wanted.generation() ||
      block.length() < wanted.length() || descriptors.size() != 2) {
    return absl::InternalError("the files are not those of the replica that was asked for");
  }
  LocalReplica replica{.data = std::move(descriptors[0]),
                       .checksums = std::move(descriptors[1]),
                       .length = block.length(),
                       .checksums_offset = reply.checksums_offset(),
                       .tail_crc = reply.tail_crc()};
  const uint64_t whole_chunks = replica.length / kChunkBytes;
  if (!IsFileOf(replica.data, replica.length) ||
      !IsFileOf(replica.checksums, replica.checksums_offset + 4 * whole_chunks)) {
    return absl::InternalError("the files are shorter than the replica");
  }
  return replica;
}

}  // namespace

LocalReplicas::LocalReplicas(Options options, DataNodeChannels* datanodes, Clock* clock)
    : options_(std::move(options)), datanodes_(datanodes), clock_(clock) {}

void LocalReplicas::AddTo(ReadStatistics* statistics) const {
  statistics->local_bytes += local_bytes_.load(std::memory_order_relaxed);
  statistics->remote_bytes += remote_bytes_.load(std::memory_order_relaxed);
  statistics->local_opens += opens_.load(std::memory_order_relaxed);
  statistics->local_fallbacks += fallbacks_.load(std::memory_order_relaxed);
}

absl::StatusOr<LocalReplica> LocalReplicas::Open(const v1::LocatedBlock& block,
                                                 const v1::NodeAddress& node) {
  if (!options_.enabled) return absl::UnavailableError("local reads are switched off");
  if (block.open()) return absl::UnavailableError("the block is still being written");
  ASSIGN_OR_RETURN(const Node known, Find(node));
  absl::Status refused;
  absl::StatusOr<LocalReplica> replica = AskForFiles(known, block, &refused);
  if (!refused.ok()) return refused;
  if (replica.ok()) {
    opens_.fetch_add(1, std::memory_order_relaxed);
  } else {
    Pause(node, replica.status());
  }
  return replica;
}

void LocalReplicas::Pause(const v1::NodeAddress& node, const absl::Status& why) {
  LogDebug("DataNode {} is read over TCP for {} ms: {}", NameOf(node), options_.pause_ms,
           MessageOf(why));
  MutexLock lock(mu_);
  nodes_[node.id()] = Node{.not_before_ms = clock_->SteadyMs() + options_.pause_ms};
}

absl::StatusOr<LocalReplicas::Node> LocalReplicas::Find(const v1::NodeAddress& node) {
  {
    MutexLock lock(mu_);
    if (const auto it = nodes_.find(node.id()); it != nodes_.end()) {
      if (!it->second.socket.empty()) return it->second;
      if (clock_->SteadyMs() < it->second.not_before_ms) {
        return absl::UnavailableError("the node does not serve local reads");
      }
    }
  }
  absl::StatusOr<Node> found = AskForSocket(node);
  if (!found.ok()) {
    Pause(node, found.status());
    return found;
  }
  MutexLock lock(mu_);
  nodes_[node.id()] = *found;
  return found;
}

absl::StatusOr<LocalReplicas::Node> LocalReplicas::AskForSocket(const v1::NodeAddress& node) {
  if (!IsHere(node)) return absl::NotFoundError("it is on another host");
  const int64_t deadline_ms = clock_->SteadyMs() + options_.patience_ms;
  ASSIGN_OR_RETURN(const auto channel, datanodes_->Connect(node, options_.patience_ms));
  grpc::ClientContext context;
  SetupContext(context, std::max<int64_t>(deadline_ms - clock_->SteadyMs(), 1));
  v1::GetLocalSocketReply reply;
  RETURN_IF_ERROR(FromRpcStatus(
      v1::DataTransfer::NewStub(channel)->GetLocalSocket(&context, {}, &reply), NameOf(node)));
  if (reply.path().empty() || reply.instance().empty()) {
    return absl::InternalError("it tells of no socket");
  }
  return Node{.socket = reply.path(), .instance = reply.instance()};
}

// `*refused`: the node has answered, and does not give these files away.
absl::StatusOr<LocalReplica> LocalReplicas::AskForFiles(const Node& known,
                                                        const v1::LocatedBlock& block,
                                                        absl::Status* refused) {
  ASSIGN_OR_RETURN(const Fd socket, ConnectUnix(known.socket));
  v1::LocalReadRequest request;
  request.set_instance(known.instance);
  *request.mutable_block() = block.block();
  request.set_token(block.token());
  request.set_client(options_.client);
  RETURN_IF_ERROR(SendUnix(socket, request.SerializeAsString(), {}));
  ASSIGN_OR_RETURN(UnixMessage message, ReceiveUnix(socket, kMaxReplyBytes, options_.patience_ms));
  v1::LocalReadReply reply;
  if (!reply.ParseFromString(message.bytes)) {
    return absl::InternalError("the answer over its Unix socket is no answer");
  }
  if (reply.instance() != known.instance) {
    return absl::NotFoundError("its Unix socket is another node's, or it was started again");
  }
  if (reply.code() != 0) {
    *refused = WithKind(absl::Status(static_cast<absl::StatusCode>(reply.code()), reply.message()),
                        static_cast<ErrorKind>(reply.kind()));
    return *refused;
  }
  return Take(reply, block.block(), std::move(message.descriptors));
}

bool LocalReplicas::IsHere(const v1::NodeAddress& node) const {
  return std::any_of(
      node.addresses().begin(), node.addresses().end(), [&](const std::string& address) {
        const auto parsed = ParseHostPort(address);
        return parsed.ok() &&
               (IsOwnName(parsed->host, options_.host) || IsOwnAddress(parsed->host));
      });
}

}  // namespace cairn
