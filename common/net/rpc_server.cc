#include "common/net/rpc_server.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "common/net/grpc_deadline.h"
#include "common/net/grpc_log.h"
#include "common/net/listen.h"
#include "common/steady_waits.h"

namespace cairn {
namespace {

constexpr int kIdleThreads = 32;

// Above any message of ours (packets of 1-2 MiB, reports in pieces); bounds what one message can
// take of our memory.
constexpr int kMaxRequestBytes = 64 << 20;

// Why gRPC could not bind: it does not say, so the same is tried with a plain socket. 0 when that
// works.
int BindError(const HostPort& address) {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(address.port);
  if (getaddrinfo(address.host.c_str(), port.c_str(), &hints, &found) != 0) return EINVAL;
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, freeaddrinfo);
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  int error = 0;
  if (bind(fd, found->ai_addr, found->ai_addrlen) < 0 || listen(fd, 1) < 0) error = errno;
  close(fd);
  return error;
}

}  // namespace

RpcServer::RpcServer(HostPort address, std::unique_ptr<grpc::Server> server)
    : address_(std::move(address)), server_(std::move(server)) {}

RpcServer::~RpcServer() { Shutdown(0); }

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Start(
    const HostPort& listen, const std::vector<grpc::Service*>& services) {
  KeepWaitsSteady();
  RouteGrpcLog();
  HostPort numeric = listen;
  ASSIGN_OR_RETURN(numeric.host, ResolveListenHost(listen));

  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(numeric.ToString(), grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  builder.SetMaxSendMessageSize(-1);
  // Clients ping every few seconds (common/net/channel.cc), which gRPC would punish by default; and
  // a client that went silent ends its calls.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // Threads of blocking handlers are kept: by default each call is the end of one and the start of
  // another.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, kIdleThreads);
  for (grpc::Service* service : services) builder.RegisterService(service);

  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port <= 0) {
    const int error = BindError(numeric);
    return ListenFailure(listen, error != 0 ? error : EADDRINUSE);
  }
  HostPort address{listen.host, static_cast<uint16_t>(port)};
  return std::unique_ptr<RpcServer>(new RpcServer(std::move(address), std::move(server)));
}

void RpcServer::Shutdown(int64_t grace_ms) { server_->Shutdown(GrpcDeadline(grace_ms)); }

}  // namespace cairn
