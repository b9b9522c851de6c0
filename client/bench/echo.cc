#include "client/bench/echo.h"

#include <fmt/format.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <utility>

#include "common/net/address.h"
#include "common/net/channel.h"
#include "common/net/rpc_server.h"
#include "common/net/rpc_status.h"
#include "common/strings.h"
#include "proto/namenode.grpc.pb.h"

namespace cairn::bench {
namespace {

constexpr int64_t kCallMs = 30'000;

void FillStatus(v1::FileStatus* status) {
  status->set_type(v1::FileStatus::FILE);
  status->set_replication(3);
  status->set_block_size(128 << 20);
  status->set_owner("root");
  status->set_group("supergroup");
  status->set_mode(0644);
  status->set_mtime_ms(1'700'000'000'000);
  status->set_atime_ms(1'700'000'000'000);
  status->set_inode(1'000'000);
}

}  // namespace

class EchoServer::Service final
    : public v1::NameNode::WithCallbackMethod_GetFileInfo<
          v1::NameNode::WithCallbackMethod_List<v1::NameNode::Service>> {
 public:
  Service() {
    FillStatus(info_.mutable_status());
    for (int i = 0; i < kListEntries; ++i) {
      v1::FileStatus* entry = list_.add_entries();
      FillStatus(entry);
      entry->set_name(fmt::format("f{:019}", i));
    }
  }

  grpc::ServerUnaryReactor* GetFileInfo(grpc::CallbackServerContext* context,
                                        const v1::GetFileInfoRequest*,
                                        v1::GetFileInfoReply* reply) override {
    *reply = info_;
    return Finished(context);
  }
  grpc::ServerUnaryReactor* List(grpc::CallbackServerContext* context, const v1::ListRequest*,
                                 v1::ListReply* reply) override {
    *reply = list_;
    return Finished(context);
  }

 private:
  static grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context) {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  v1::GetFileInfoReply info_;
  v1::ListReply list_;
};

EchoServer::EchoServer() : service_(std::make_unique<Service>()) {}
EchoServer::~EchoServer() = default;

absl::StatusOr<std::unique_ptr<EchoServer>> EchoServer::Start() {
  std::unique_ptr<EchoServer> echo(new EchoServer());
  ASSIGN_OR_RETURN(echo->server_,
                   RpcServer::Start(HostPort{"127.0.0.1", 0}, {echo->service_.get()}));
  return echo;
}

std::string EchoServer::address() const { return server_->address().ToString(); }

class EchoClient::Impl {
 public:
  explicit Impl(const std::string& address)
      : address_(address),
        client_id_(RandomBytes16()),
        stub_(v1::NameNode::NewStub(MakeChannel(address, ChannelPurpose::kMetadata))) {}

  template <typename Request, typename Reply>
  absl::Status Call(grpc::Status (v1::NameNode::Stub::*method)(grpc::ClientContext*, const Request&,
                                                               Reply*),
                    const std::string& path) {
    const auto request = RequestFor<Request>(path);
    Reply reply;
    grpc::ClientContext context;
    SetupContext(context, kCallMs);
    return FromRpcStatus(((*stub_).*method)(&context, request, &reply), address_);
  }

  // `begin` is given gRPC's callback, and begins the call.
  template <typename Request, typename Reply, typename Begin>
  void BeginCall(const std::string& path, Done done, const Begin& begin) {
    struct Call {
      grpc::ClientContext context;
      Request request;
      Reply reply;
      Done done;
    };
    auto call = std::make_shared<Call>();
    call->request = RequestFor<Request>(path);
    call->done = std::move(done);
    SetupContext(call->context, kCallMs);
    begin(*stub_->async(), call.get(), [this, call](const grpc::Status& status) {
      call->done(FromRpcStatus(status, address_));
    });
  }

 private:
  template <typename Request>
  Request RequestFor(const std::string& path) const {
    Request request;
    request.mutable_caller()->set_user("root");
    request.mutable_caller()->set_client_id(client_id_);
    request.mutable_caller()->set_host("localhost");
    request.set_path(path);
    return request;
  }

  const std::string address_;
  const std::string client_id_;
  const std::unique_ptr<v1::NameNode::Stub> stub_;
};

EchoClient::EchoClient(const std::string& address) : impl_(std::make_unique<Impl>(address)) {}
EchoClient::~EchoClient() = default;

absl::Status EchoClient::GetFileInfo(const std::string& path) {
  return impl_->Call(&v1::NameNode::Stub::GetFileInfo, path);
}
absl::Status EchoClient::List(const std::string& path) {
  return impl_->Call(&v1::NameNode::Stub::List, path);
}

void EchoClient::BeginGetFileInfo(const std::string& path, Done done) {
  impl_->BeginCall<v1::GetFileInfoRequest, v1::GetFileInfoReply>(
      path, std::move(done), [](auto& stub, auto* call, auto ended) {
        stub.GetFileInfo(&call->context, &call->request, &call->reply, std::move(ended));
      });
}
void EchoClient::BeginList(const std::string& path, Done done) {
  impl_->BeginCall<v1::ListRequest, v1::ListReply>(
      path, std::move(done), [](auto& stub, auto* call, auto ended) {
        stub.List(&call->context, &call->request, &call->reply, std::move(ended));
      });
}

}  // namespace cairn::bench
