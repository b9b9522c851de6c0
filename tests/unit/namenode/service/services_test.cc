// The services over a real gRPC connection: every conversation once, and what a stranger may send.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include "common/net/channel.h"
#include "common/net/rpc_server.h"
#include "common/net/rpc_status.h"
#include "namenode/monitors/lease_monitor.h"
#include "namenode/service/admin_service.h"
#include "namenode/service/control_service.h"
#include "namenode/service/namenode_service.h"
#include "tests/unit/namenode/namesystem/door_fixture.h"

namespace cairn::namenode {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kDeadlineMs = 10'000;

class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest()
      : forced_(&door_.blocks),
        cluster_(&door_.namesystem, &door_.blocks, &forced_, {}, "cluster-1", 3000),
        callers_(&door_.clock, "root", "supergroup"),
        namenode_service_(&door_.operations, &callers_, &door_.clock, "cluster-1", nullptr),
        control_service_(&cluster_),
        admin_service_(&cluster_, &callers_, nullptr) {
    door_.journal.Flow();
    auto server = RpcServer::Start({"127.0.0.1", 0},
                                   {&namenode_service_, &control_service_, &admin_service_});
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const auto channel = MakeChannel(server_->address().ToString(), ChannelPurpose::kMetadata);
    namenode_ = v1::NameNode::NewStub(channel);
    control_ = v1::DataNodeControl::NewStub(channel);
    admin_ = v1::Admin::NewStub(channel);
  }
  ~ServicesTest() override { server_->Shutdown(0); }

  void FillCaller(v1::Caller* caller, const std::string& user = "root") {
    caller->set_user(user);
    caller->set_client_id(std::string(16, 'c'));
    caller->set_call_id(++call_id_);
  }
  // Calls `method` of `stub` with a caller and returns its status.
  template <typename Stub, typename Request, typename Reply>
  absl::Status Call(Stub& stub,
                    grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Reply*),
                    Request request, Reply* reply, const std::string& user = "root") {
    FillCaller(request.mutable_caller(), user);
    grpc::ClientContext context;
    SetupContext(context, kDeadlineMs);
    return FromRpcStatus((stub.*method)(&context, request, reply), "the server");
  }
  absl::StatusOr<v1::RegisterReply> RegisterNode(const std::string& id, uint64_t highest_block = 0,
                                                 std::optional<v1::HighestKnown> at_contact = {}) {
    v1::RegisterRequest request;
    request.set_node_id(id);
    request.set_incarnation(1);
    request.set_highest_block_id(highest_block);
    if (at_contact) *request.mutable_at_last_contact() = *at_contact;
    request.add_addresses("127.0.0.1:1");
    v1::StorageInfo* storage = request.add_storages();
    storage->set_id("storage-" + id);
    storage->set_capacity_bytes(1 << 30);
    storage->set_remaining_bytes(1 << 30);
    grpc::ClientContext context;
    SetupContext(context, kDeadlineMs);
    v1::RegisterReply reply;
    RETURN_IF_ERROR(FromRpcStatus(control_->Register(&context, request, &reply), "the server"));
    return reply;
  }
  absl::Status Heartbeat(const std::string& id, v1::HeartbeatReply* reply) {
    v1::HeartbeatRequest request;
    request.set_node_id(id);
    request.set_incarnation(1);
    grpc::ClientContext context;
    SetupContext(context, kDeadlineMs);
    return FromRpcStatus(control_->Heartbeat(&context, request, reply), "the server");
  }
  absl::Status Commit(const v1::CommitRecoveryRequest& request) {
    grpc::ClientContext context;
    SetupContext(context, kDeadlineMs);
    v1::CommitRecoveryReply reply;
    return FromRpcStatus(control_->CommitRecovery(&context, request, &reply), "the server");
  }
  absl::Status SendReport(const std::vector<v1::FullReportPiece>& pieces) {
    grpc::ClientContext context;
    SetupContext(context, kDeadlineMs);
    v1::FullReportReply reply;
    auto writer = control_->FullReport(&context, &reply);
    for (const auto& piece : pieces) writer->Write(piece);
    writer->WritesDone();
    return FromRpcStatus(writer->Finish(), "the server");
  }

  Door door_;
  ForcedSafeMode forced_;
  ClusterOperations cluster_;
  CallerResolver callers_;
  NameNodeService namenode_service_;
  ControlService control_service_;
  AdminService admin_service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::NameNode::Stub> namenode_;
  std::unique_ptr<v1::DataNodeControl::Stub> control_;
  std::unique_ptr<v1::Admin::Stub> admin_;
  uint64_t call_id_ = 0;
};

TEST_F(ServicesTest, DirectoriesAreMadeListedAndRefused) {
  v1::MkdirsRequest mkdirs;
  mkdirs.set_path("/a");
  v1::MkdirsReply made;
  EXPECT_EQ(Call(*namenode_, &v1::NameNode::Stub::Mkdirs, mkdirs, &made), absl::OkStatus());
  EXPECT_EQ(MessageOf(Call(*namenode_, &v1::NameNode::Stub::Mkdirs, mkdirs, &made)), "File exists");

  v1::ListRequest list;
  list.set_path("/");
  v1::ListReply page;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::List, list, &page), absl::OkStatus());
  ASSERT_EQ(page.entries_size(), 1);
  EXPECT_EQ(page.entries(0).name(), "a");
  EXPECT_EQ(page.entries(0).mode(), 0755u);  // 0777 less the umask
}

TEST_F(ServicesTest, ACallWithoutAUserIsRefused) {
  v1::GetFileInfoRequest request;
  request.set_path("/");
  v1::GetFileInfoReply reply;
  EXPECT_THAT(MessageOf(Call(*namenode_, &v1::NameNode::Stub::GetFileInfo, request, &reply, "a/b")),
              HasSubstr("no valid user"));
}

TEST_F(ServicesTest, ANodeRegistersReportsAndIsGivenBlocks) {
  const absl::StatusOr<v1::RegisterReply> first = RegisterNode("n1");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->cluster_id(), "cluster-1");
  ASSERT_EQ(first->storage_numbers_size(), 1);
  ASSERT_TRUE(RegisterNode("n2").ok());

  v1::FullReportPiece piece;
  piece.set_node_id("n1");
  piece.set_incarnation(1);
  piece.set_storage(first->storage_numbers(0));
  EXPECT_FALSE(SendReport({piece}).ok());  // cut before its last piece
  v1::FullReportPiece last = piece;
  last.set_last(true);
  EXPECT_FALSE(SendReport({last, last}).ok());
  EXPECT_EQ(SendReport({piece, last}), absl::OkStatus());

  v1::HeartbeatRequest heartbeat;
  heartbeat.set_node_id("stranger");
  grpc::ClientContext context;
  SetupContext(context, kDeadlineMs);
  v1::HeartbeatReply reply;
  EXPECT_EQ(KindOf(FromRpcStatus(control_->Heartbeat(&context, heartbeat, &reply), "the server")),
            ErrorKind::kUnknownNode);

  v1::CreateRequest create;
  create.set_path("/f");
  create.set_with_block(true);
  v1::CreateReply created;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::Create, create, &created), absl::OkStatus());
  EXPECT_EQ(created.block().nodes_size(), 2);
  EXPECT_EQ(created.min_replicas(), 2u);
}

TEST_F(ServicesTest, ANodeOfAnotherClusterOrAFutureOneIsNoticed) {
  v1::RegisterRequest request;
  request.set_cluster_id("cluster-2");
  grpc::ClientContext context;
  SetupContext(context, kDeadlineMs);
  v1::RegisterReply reply;
  EXPECT_THAT(MessageOf(FromRpcStatus(control_->Register(&context, request, &reply), "the server")),
              HasSubstr("cluster-2"));

  v1::RegisterRequest later;
  later.set_node_id("n9");
  later.set_incarnation(1);
  later.add_addresses("127.0.0.1:1");
  later.add_storages()->set_id("s9");
  later.set_highest_block_id(1000);
  grpc::ClientContext second;
  SetupContext(second, kDeadlineMs);
  EXPECT_TRUE(control_->Register(&second, later, &reply).ok());
  EXPECT_TRUE(door_.blocks.InSafeMode());
  EXPECT_THAT(door_.blocks.SafeModeNow().reason, HasSubstr("older copy of its journal"));
}

TEST_F(ServicesTest, ANodeThatKnewIdsBeforeTheyWereGivenOutIsNoticed) {
  ASSERT_TRUE(RegisterNode("n1").ok());
  ASSERT_TRUE(RegisterNode("n2").ok());
  for (int i = 0; i < 5; ++i) {
    v1::CreateRequest create;
    create.set_path("/f" + std::to_string(i));
    create.set_with_block(true);
    v1::CreateReply created;
    ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::Create, create, &created), absl::OkStatus());
  }
  ASSERT_TRUE(RegisterNode("n1", 5).ok());  // it may have been given them by now
  EXPECT_FALSE(door_.blocks.InSafeMode());
  // Block 3 may have come to this one with a writer, since it last heard from a NameNode.
  ASSERT_TRUE(RegisterNode("n3", 3, v1::HighestKnown()).ok());
  EXPECT_FALSE(door_.blocks.InSafeMode());
  ASSERT_TRUE(RegisterNode("n4", 3).ok());  // was given out, but not to this one
  EXPECT_TRUE(door_.blocks.InSafeMode());
}

// A writer's life over the wire: a pipeline that changes, an append, a lease that is taken, and the
// recovery that ends it.
TEST_F(ServicesTest, AFileIsWrittenAppendedToTakenAndRecovered) {
  const absl::StatusOr<v1::RegisterReply> node = RegisterNode("n1");
  ASSERT_TRUE(node.ok());
  ASSERT_TRUE(RegisterNode("n2").ok());
  const uint32_t storage = node->storage_numbers(0);
  v1::CreateRequest create;
  create.set_path("/f");
  create.set_with_block(true);
  create.set_consistency(v1::WEAK);
  v1::CreateReply created;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::Create, create, &created), absl::OkStatus());
  EXPECT_EQ(created.min_replicas(), 1u);
  v1::Block block = created.block().block();

  v1::NewStampRequest stamp;
  stamp.set_inode(created.inode());
  *stamp.mutable_block() = block;
  stamp.add_survivors(1);
  stamp.set_additional(1);
  v1::NewStampReply stamped;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::NewStamp, stamp, &stamped), absl::OkStatus());
  ASSERT_EQ(stamped.additional_size(), 1);
  EXPECT_EQ(stamped.additional(0).number(), 2u);
  stamp.add_excluded(2);
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::NewStamp, stamp, &stamped), absl::OkStatus());
  EXPECT_EQ(stamped.additional_size(), 0);

  v1::UpdatePipelineRequest update;
  update.set_inode(created.inode());
  *update.mutable_block() = block;
  update.set_generation(stamped.generation());
  update.add_nodes(1);
  v1::UpdatePipelineReply updated;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::UpdatePipeline, update, &updated),
            absl::OkStatus());
  block.set_generation(stamped.generation());
  block.set_length(5);
  v1::CompleteRequest complete;
  complete.set_inode(created.inode());
  *complete.add_finished()->mutable_block() = block;
  complete.mutable_finished(0)->add_storages(storage);
  v1::CompleteReply completed;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::Complete, complete, &completed),
            absl::OkStatus());

  v1::AppendRequest append;
  append.set_path("/f");
  v1::AppendReply appended;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::Append, append, &appended), absl::OkStatus());
  EXPECT_EQ(appended.inode(), created.inode());
  EXPECT_EQ(appended.length(), 5u);
  EXPECT_EQ(appended.replication(), 3u);
  EXPECT_EQ(appended.min_replicas(), 2u);  // strong
  EXPECT_EQ(appended.block_size(), created.block_size());
  EXPECT_EQ(appended.block().block().generation(), block.generation());
  EXPECT_EQ(appended.block().block().length(), 5u);
  ASSERT_EQ(appended.block().nodes_size(), 1);
  EXPECT_EQ(appended.block().nodes(0).id(), "n1");
  stamp.set_inode(appended.inode());
  *stamp.mutable_block() = block;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::NewStamp, stamp, &stamped), absl::OkStatus());

  v1::RecoverLeaseRequest recover;
  recover.set_path("/f");
  v1::RecoverLeaseReply recovered;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::RecoverLease, recover, &recovered),
            absl::OkStatus());
  EXPECT_FALSE(recovered.closed());
  LeaseMonitor monitor(&door_.clock, &door_.namesystem, &door_.blocks, {}, &door_.metrics);
  ASSERT_EQ(monitor.RunOnce(), absl::OkStatus());
  v1::HeartbeatReply beat;
  ASSERT_EQ(Heartbeat("n1", &beat), absl::OkStatus());
  ASSERT_EQ(beat.commands_size(), 1);
  const v1::RecoverBlock& order = beat.commands(0).recover_block();
  EXPECT_EQ(order.block().id(), block.id());
  EXPECT_EQ(order.block().generation(), block.generation());
  EXPECT_FALSE(order.cut());
  ASSERT_EQ(order.members_size(), 1);
  EXPECT_EQ(order.members(0).addresses(0), "127.0.0.1:1");

  v1::CommitRecoveryRequest commit;
  commit.set_node_id("n1");
  commit.set_incarnation(1);
  *commit.mutable_block() = block;
  commit.mutable_block()->set_generation(order.recovery_generation());
  commit.mutable_block()->set_length(7);
  commit.add_storages(storage);
  ASSERT_EQ(Commit(commit), absl::OkStatus());
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::RecoverLease, recover, &recovered),
            absl::OkStatus());
  EXPECT_TRUE(recovered.closed());

  v1::TruncateRequest truncate;
  truncate.set_path("/f");
  truncate.set_length(3);
  v1::TruncateReply truncated;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::Truncate, truncate, &truncated),
            absl::OkStatus());
  EXPECT_FALSE(truncated.done());
  ASSERT_EQ(monitor.RunOnce(), absl::OkStatus());
  ASSERT_EQ(Heartbeat("n1", &beat), absl::OkStatus());
  ASSERT_EQ(beat.commands_size(), 1);
  EXPECT_TRUE(beat.commands(0).recover_block().cut());
  EXPECT_EQ(beat.commands(0).recover_block().block().length(), 3u);
  EXPECT_TRUE(absl::IsFailedPrecondition(Commit(commit)));  // the recovery before this one
}

TEST_F(ServicesTest, WaitingReplicasAreToldApartFromReceivedAndDeletedOnes) {
  const absl::StatusOr<v1::RegisterReply> node = RegisterNode("n1");
  ASSERT_TRUE(node.ok());
  v1::CreateRequest create;
  create.set_path("/f");
  create.set_replication(1);
  create.set_with_block(true);
  v1::CreateReply created;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::Create, create, &created), absl::OkStatus());
  v1::CompleteRequest complete;
  complete.set_inode(created.inode());
  v1::FinishedBlock* finished = complete.add_finished();
  *finished->mutable_block() = created.block().block();
  finished->mutable_block()->set_length(5);
  finished->add_storages(node->storage_numbers(0));
  v1::CompleteReply completed;
  ASSERT_EQ(Call(*namenode_, &v1::NameNode::Stub::Complete, complete, &completed),
            absl::OkStatus());
  const auto good = [&] { return door_.blocks.Report().blocks.missing == 0; };
  EXPECT_TRUE(good());
  v1::IncrementalReportRequest report;
  report.set_node_id("n1");
  report.set_incarnation(1);
  v1::ReplicaChange* change = report.add_changes();
  change->set_storage(node->storage_numbers(0));
  *change->mutable_block() = finished->block();
  const auto send = [&](v1::ReplicaChange::Kind kind) {
    change->set_kind(kind);
    grpc::ClientContext context;
    SetupContext(context, kDeadlineMs);
    v1::IncrementalReportReply reply;
    return FromRpcStatus(control_->IncrementalReport(&context, report, &reply), "the server");
  };
  EXPECT_EQ(send(v1::ReplicaChange::WAITING), absl::OkStatus());
  EXPECT_FALSE(good());
  EXPECT_EQ(door_.blocks.Report().datanodes[0].blocks, 1u);
  EXPECT_EQ(send(v1::ReplicaChange::RECEIVED), absl::OkStatus());
  EXPECT_TRUE(good());
  EXPECT_EQ(send(static_cast<v1::ReplicaChange::Kind>(17)), absl::OkStatus());  // not known here
  EXPECT_TRUE(good());

  v1::FullReportPiece piece;
  piece.set_node_id("n1");
  piece.set_incarnation(1);
  piece.set_storage(node->storage_numbers(0));
  piece.set_last(true);
  piece.add_block_ids(finished->block().id());
  piece.add_generations(finished->block().generation());
  piece.add_lengths(finished->block().length());
  piece.add_open(0);
  piece.add_waiting(0);
  ASSERT_TRUE(RegisterNode("n1").ok());  // its next report is the truth
  v1::FullReportPiece crooked = piece;
  crooked.add_lengths(1);
  EXPECT_EQ(SendReport({crooked}).code(), absl::StatusCode::kInvalidArgument);
  crooked = piece;
  crooked.add_open(1);
  EXPECT_EQ(SendReport({crooked}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(SendReport({piece}), absl::OkStatus());
  EXPECT_FALSE(good());
}

TEST_F(ServicesTest, SuperusersTakeNodesOutOfServiceAndBack) {
  ASSERT_TRUE(RegisterNode("n1").ok());
  v1::SetAdminStateRequest request;
  request.set_node("n");
  request.set_action(v1::SetAdminStateRequest::MAINTENANCE);
  v1::SetAdminStateReply reply;
  const auto call = [&](const std::string& user) {
    return Call(*admin_, &v1::Admin::Stub::SetAdminState, request, &reply, user);
  };
  const auto state = [&] {
    v1::ReportReply report;
    EXPECT_EQ(Call(*admin_, &v1::Admin::Stub::Report, v1::ReportRequest(), &report),
              absl::OkStatus());
    return report.datanodes(0).admin_state();
  };
  EXPECT_TRUE(absl::IsPermissionDenied(call("alice")));
  EXPECT_EQ(state(), "in_service");
  ASSERT_EQ(call("root"), absl::OkStatus());
  EXPECT_EQ(reply.id(), "n1");
  EXPECT_EQ(state(), "maintenance");
  request.set_action(v1::SetAdminStateRequest::RECOMMISSION);
  ASSERT_EQ(call("root"), absl::OkStatus());
  EXPECT_EQ(state(), "in_service");
  request.set_action(v1::SetAdminStateRequest::UNKNOWN);
  EXPECT_TRUE(absl::IsInvalidArgument(call("root")));
  request.set_action(v1::SetAdminStateRequest::DECOMMISSION);
  request.set_node("x");
  EXPECT_TRUE(absl::IsNotFound(call("root")));
  request.set_node("127.0.0.1:1");
  ASSERT_EQ(call("root"), absl::OkStatus());
  EXPECT_EQ(state(), "decommissioning");
}

TEST_F(ServicesTest, HeartbeatsCountersAreReported) {
  ASSERT_TRUE(RegisterNode("n1").ok());
  v1::HeartbeatRequest request;
  request.set_node_id("n1");
  request.set_incarnation(1);
  const auto beat = [&] {
    grpc::ClientContext context;
    SetupContext(context, kDeadlineMs);
    v1::HeartbeatReply reply;
    return FromRpcStatus(control_->Heartbeat(&context, request, &reply), "the server");
  };
  ASSERT_EQ(beat(), absl::OkStatus());
  request.set_errors(15);
  request.set_bytes_read(1'000);
  request.set_bytes_written(2'000);
  request.set_disk_errors(11);
  request.set_checksum_errors(3);
  v1::PeerLatency* const peer = request.add_peers();
  peer->set_node(7);
  peer->set_median_us(1'000);
  peer->set_samples(30);
  ASSERT_EQ(beat(), absl::OkStatus());
  v1::ReportReply report;
  ASSERT_EQ(Call(*admin_, &v1::Admin::Stub::Report, v1::ReportRequest(), &report),
            absl::OkStatus());
  const v1::DataNodeReport& node = report.datanodes(0);
  EXPECT_EQ(node.errors(), 15u);
  EXPECT_EQ(node.bytes_read(), 1'000u);
  EXPECT_EQ(node.bytes_written(), 2'000u);
  EXPECT_EQ(node.disk_errors(), 11u);
  EXPECT_EQ(node.checksum_errors(), 3u);
  EXPECT_EQ(node.packet_latency_us(), 0u);  // nobody measured it
}

TEST_F(ServicesTest, SuperusersRepairByHand) {
  v1::RepairRequest request;
  v1::RepairReply reply;
  EXPECT_TRUE(
      absl::IsPermissionDenied(Call(*admin_, &v1::Admin::Stub::Repair, request, &reply, "alice")));
  request.set_max(5);
  ASSERT_EQ(Call(*admin_, &v1::Admin::Stub::Repair, request, &reply), absl::OkStatus());
  EXPECT_EQ(reply.planned(), 0u);
  EXPECT_EQ(reply.waiting(), 0u);
}

TEST_F(ServicesTest, ReportsCountNodesAndOnlySuperusersChangeSafeMode) {
  ASSERT_TRUE(RegisterNode("n1").ok());
  v1::ReportReply report;
  ASSERT_EQ(Call(*admin_, &v1::Admin::Stub::Report, v1::ReportRequest(), &report),
            absl::OkStatus());
  EXPECT_EQ(report.cluster().nodes_total(), 1u);
  EXPECT_EQ(report.cluster().health_score(), 100.0);
  EXPECT_EQ(report.datanodes(0).id(), "n1");

  v1::SafeModeRequest enter;
  enter.set_action(v1::SafeModeRequest::ENTER);
  v1::SafeModeReply state;
  EXPECT_TRUE(
      absl::IsPermissionDenied(Call(*admin_, &v1::Admin::Stub::SafeMode, enter, &state, "alice")));
  EXPECT_EQ(Call(*admin_, &v1::Admin::Stub::SafeMode, enter, &state), absl::OkStatus());
  EXPECT_TRUE(state.on());
}

}  // namespace
}  // namespace cairn::namenode
