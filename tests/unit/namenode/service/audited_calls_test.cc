// The audit log over a real gRPC connection: calls one by one, in Sessions, and of administrators.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <sstream>

#include "common/line_log.h"
#include "common/net/channel.h"
#include "common/net/rpc_server.h"
#include "common/net/rpc_status.h"
#include "namenode/service/admin_service.h"
#include "namenode/service/namenode_service.h"
#include "tests/support/cluster.h"
#include "tests/unit/namenode/namesystem/door_fixture.h"

namespace cairn::namenode {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr int64_t kDeadlineMs = 10'000;

class AuditedCallsTest : public ::testing::Test {
 protected:
  AuditedCallsTest()
      : forced_(&door_.blocks),
        cluster_(&door_.namesystem, &door_.blocks, &forced_, {}, "cluster-1", 3000),
        callers_(&door_.clock, "root", "supergroup"),
        audit_lines_(OpenAuditLines()),
        audit_(audit_lines_.get(), &door_.clock),
        namenode_service_(&door_.operations, &callers_, &door_.clock, "cluster-1", &audit_),
        admin_service_(&cluster_, &callers_, &audit_) {
    door_.journal.Flow();
    auto server = RpcServer::Start({"127.0.0.1", 0}, {&namenode_service_, &admin_service_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const auto channel = MakeChannel(server_->address().ToString(), ChannelPurpose::kMetadata);
    namenode_ = v1::NameNode::NewStub(channel);
    admin_ = v1::Admin::NewStub(channel);
  }
  ~AuditedCallsTest() override {
    namenode_service_.StopSessions();
    server_->Shutdown(0);
  }

  // Calls `method` of `stub` with a caller and returns its status.
  template <typename Stub, typename Request, typename Reply>
  absl::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                    Request request, Reply* reply, const std::string& user = "root") {
    request.mutable_caller()->set_user(user);
    request.mutable_caller()->set_client_id(std::string(16, 'c'));
    request.mutable_caller()->set_call_id(++call_id_);
    grpc::ClientContext context;
    SetupContext(context, kDeadlineMs);
    return FromRpcStatus((stub.*method)(&context, request, reply), "the server");
  }
  std::unique_ptr<LineLog> OpenAuditLines() {
    LineLogOptions options;
    options.path = temp_ / "audit.log";
    auto lines = LineLog::Open(env_.get(), std::move(options));
    EXPECT_TRUE(lines.ok()) << lines.status();
    return *std::move(lines);
  }
  // The audit log's lines, each from its second word on.
  std::vector<std::string> Audited() {
    audit_lines_->Flush();
    std::vector<std::string> lines;
    std::istringstream text(testing::ReadWholeFile(temp_ / "audit.log"));
    for (std::string line; std::getline(text, line);) {
      lines.push_back(line.substr(line.find(' ') + 1));
    }
    return lines;
  }

  testing::TempDir temp_;
  const std::unique_ptr<Env> env_ = NewPosixEnv();
  Door door_;
  ForcedSafeMode forced_;
  ClusterOperations cluster_;
  CallerResolver callers_;
  const std::unique_ptr<LineLog> audit_lines_;
  AuditLog audit_;
  NameNodeService namenode_service_;
  AdminService admin_service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::NameNode::Stub> namenode_;
  std::unique_ptr<v1::Admin::Stub> admin_;
  uint64_t call_id_ = 0;
};

TEST_F(AuditedCallsTest, EveryCallIsAudited) {
  v1::CreateRequest create;
  create.set_path("/f");
  v1::CreateReply created;
  EXPECT_EQ(Call(*namenode_, &v1::NameNode::Stub::Create, create, &created), absl::OkStatus());
  --call_id_;  // a retry, answered from the cache
  EXPECT_EQ(Call(*namenode_, &v1::NameNode::Stub::Create, create, &created), absl::OkStatus());
  v1::RenameRequest rename;
  rename.set_from("/f");
  rename.set_to("/g h");
  v1::RenameReply renamed;
  EXPECT_TRUE(absl::IsPermissionDenied(
      Call(*namenode_, &v1::NameNode::Stub::Rename, rename, &renamed, "eve")));
  EXPECT_EQ(Call(*namenode_, &v1::NameNode::Stub::Rename, rename, &renamed), absl::OkStatus());
  v1::SetPermissionRequest chmod;
  chmod.set_path("/g h");
  chmod.set_mode(0600);
  v1::SetPermissionReply changed;
  EXPECT_EQ(Call(*namenode_, &v1::NameNode::Stub::SetPermission, chmod, &changed),
            absl::OkStatus());
  v1::GetFileInfoRequest info;
  info.set_path("/none");
  v1::GetFileInfoReply found;
  EXPECT_FALSE(Call(*namenode_, &v1::NameNode::Stub::GetFileInfo, info, &found).ok());
  EXPECT_FALSE(Call(*namenode_, &v1::NameNode::Stub::GetFileInfo, info, &found, "a/b").ok());
  v1::SafeModeRequest safe_mode;
  v1::SafeModeReply mode;
  EXPECT_EQ(Call(*admin_, &v1::Admin::Stub::SafeMode, safe_mode, &mode), absl::OkStatus());
  v1::SetAdminStateRequest decommission;
  decommission.set_node("n 1");
  decommission.set_action(v1::SetAdminStateRequest::DECOMMISSION);
  v1::SetAdminStateReply leaving;
  EXPECT_FALSE(Call(*admin_, &v1::Admin::Stub::SetAdminState, decommission, &leaving, "eve").ok());
  v1::BalanceRequest balance;
  balance.set_action(v1::BalanceRequest::START);
  balance.set_threshold_percent(10);
  v1::BalanceReply balancing;
  EXPECT_FALSE(Call(*admin_, &v1::Admin::Stub::Balance, balance, &balancing, "eve").ok());
  EXPECT_EQ(Call(*admin_, &v1::Admin::Stub::Balance, balance, &balancing), absl::OkStatus());
  EXPECT_TRUE(balancing.started());
  v1::RepairReply repaired;
  EXPECT_EQ(Call(*admin_, &v1::Admin::Stub::Repair, v1::RepairRequest(), &repaired),
            absl::OkStatus());
  EXPECT_THAT(
      Audited(),
      ElementsAre(
          "allowed=true ugi=root ip=127.0.0.1 cmd=create src=/f dst=null "
          "perm=root:supergroup:0644",
          "allowed=true ugi=root ip=127.0.0.1 cmd=create src=/f dst=null perm=null",
          "allowed=false ugi=eve ip=127.0.0.1 cmd=rename src=/f dst=\"/g h\" perm=null "
          "error=PERMISSION_DENIED",
          "allowed=true ugi=root ip=127.0.0.1 cmd=rename src=/f dst=\"/g h\" "
          "perm=root:supergroup:0644",
          "allowed=true ugi=root ip=127.0.0.1 cmd=setPermission src=\"/g h\" dst=null "
          "perm=root:supergroup:0600",
          "allowed=false ugi=root ip=127.0.0.1 cmd=getfileinfo src=/none dst=null perm=null "
          "error=NOT_FOUND",
          "allowed=false ugi=a/b ip=127.0.0.1 cmd=getfileinfo src=/none dst=null perm=null "
          "error=INVALID_ARGUMENT",
          "allowed=true ugi=root ip=127.0.0.1 cmd=safemode_get src=null dst=null perm=null",
          "allowed=false ugi=eve ip=127.0.0.1 cmd=decommission src=\"n 1\" dst=null perm=null "
          "error=PERMISSION_DENIED",
          "allowed=false ugi=eve ip=127.0.0.1 cmd=balance_start src=null dst=null perm=null "
          "error=PERMISSION_DENIED",
          "allowed=true ugi=root ip=127.0.0.1 cmd=balance_start src=null dst=null perm=null",
          "allowed=true ugi=root ip=127.0.0.1 cmd=repair src=null dst=null perm=null"));
}

TEST_F(AuditedCallsTest, CallsOfASessionAreAuditedEachByItself) {
  grpc::ClientContext context;
  SetupContext(context, kDeadlineMs);
  const auto stream = namenode_->Session(&context);
  v1::SessionRequest message;
  message.mutable_caller()->set_user("alice");
  message.mutable_caller()->set_client_id(std::string(16, 's'));
  for (uint64_t number = 1; number <= 2; ++number) {
    v1::SessionCall& call = *message.add_calls();
    call.set_number(number);
    call.set_call_id(number);
    call.mutable_mkdirs()->set_path("/s");
  }
  // A long call, on another thread: before, between or after the others.
  v1::SessionCall& listing = *message.add_calls();
  listing.set_number(3);
  listing.mutable_list()->set_path("/");
  ASSERT_TRUE(stream->Write(message));
  v1::SessionReply reply;
  for (int answers = 0; answers < 3; answers += reply.answers_size()) {
    ASSERT_TRUE(stream->Read(&reply));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
  EXPECT_THAT(Audited(),
              UnorderedElementsAre(
                  "allowed=true ugi=alice ip=127.0.0.1 cmd=mkdirs src=/s dst=null "
                  "perm=alice:supergroup:0755",
                  "allowed=false ugi=alice ip=127.0.0.1 cmd=mkdirs src=/s dst=null perm=null "
                  "error=ALREADY_EXISTS",
                  "allowed=true ugi=alice ip=127.0.0.1 cmd=listStatus src=/ dst=null perm=null"));
}

}  // namespace
}  // namespace cairn::namenode
