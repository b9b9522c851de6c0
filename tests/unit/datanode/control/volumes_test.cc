// A whole DataNode whose volumes come and go, against a NameNode of the test's own: who may change
// them, what the NameNode is told, and what the node shows.
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>

#include "common/net/channel.h"
#include "datanode/datanode.h"
#include "proto/datanode_admin.grpc.pb.h"
#include "tests/support/http_get.h"
#include "tests/unit/datanode/control/fake_namenode.h"
#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using State = FakeNameNode::State;

class VolumesTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> dirs) {
    DataNodeOptions options;
    options.data_dirs = std::move(dirs);
    options.namenodes = {namenode_.address()};
    options.reserved_bytes = 0;
    options.listen.port = 0;
    options.http.port = 0;
    auto node = DataNode::Start(options, &env_, clock_.get());
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = *std::move(node);
    ASSERT_TRUE(node_->WaitUntilRegistered(20'000));
    stub_ = v1::DataNodeAdmin::NewStub(
        MakeChannel(node_->data_address().ToString(), ChannelPurpose::kData));
  }
  absl::Status Add(const std::string& dir, const std::string& user = "root") {
    grpc::ClientContext context;
    SetupContext(context, 60'000);
    v1::AddVolumeRequest request;
    request.mutable_caller()->set_user(user);
    request.set_dir(dir);
    v1::AddVolumeReply reply;
    return FromRpcStatus(stub_->AddVolume(&context, request, &reply), "the node");
  }
  absl::Status Remove(const std::string& volume, bool force = false,
                      const std::string& user = "root") {
    grpc::ClientContext context;
    SetupContext(context, 60'000);
    v1::RemoveVolumeRequest request;
    request.mutable_caller()->set_user(user);
    request.set_volume(volume);
    request.set_force(force);
    v1::RemoveVolumeReply reply;
    return FromRpcStatus(stub_->RemoveVolume(&context, request, &reply), "the node");
  }
  std::vector<std::string> List() {
    grpc::ClientContext context;
    SetupContext(context, 60'000);
    v1::ListVolumesReply reply;
    EXPECT_TRUE(stub_->ListVolumes(&context, v1::ListVolumesRequest(), &reply).ok());
    EXPECT_EQ(reply.node_id(), node_->id());
    std::vector<std::string> paths;
    for (const v1::Volume& volume : reply.volumes()) paths.push_back(volume.path());
    return paths;
  }
  void Write(const Block& block, const std::string& bytes) {
    const v1::NodeAck ack = WriteReplica(node_->data_address().ToString(), block, bytes);
    EXPECT_NE(ack.storage(), 0u);  // whoever is written to has a number
  }
  template <typename F>
  bool EventuallyAtNameNode(F condition) {
    return Eventually([&] { return namenode_.With(condition); });
  }
  std::string Metrics() {
    const auto page = cairn::testing::HttpGet(node_->http_address().ToString(), "/metrics");
    return page.ok() ? page->body : "";
  }

  FaultEnv env_;
  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  FakeNameNode namenode_;
  std::unique_ptr<DataNode> node_;
  std::unique_ptr<v1::DataNodeAdmin::Stub> stub_;
};

TEST_F(VolumesTest, ANewVolumeIsRegisteredReportedAndUsed) {
  Start({"/d0"});
  Write({1, 1, 1 << 20}, "one");
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.full_reports == 1; }));
  ASSERT_TRUE(Add("/d1").ok());
  EXPECT_THAT(List(), ::testing::ElementsAre("/d0", "/d1"));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) {
    return s.registrations.size() == 2 && s.full_reports == 3 &&
           s.last_heartbeat.storages_size() == 2 && s.last_heartbeat.storages(1).number() == 21;
  }));
  namenode_.With([](State& s) {
    const v1::RegisterRequest& again = s.registrations.back();
    EXPECT_EQ(again.incarnation(), s.registrations.front().incarnation());
    ASSERT_EQ(again.storages_size(), 2);
    EXPECT_EQ(again.storages(1).path(), "/d1");
    EXPECT_THAT(s.reported[20], ::testing::ElementsAre(1));
    EXPECT_THAT(s.reported[21], IsEmpty());
  });
  for (BlockId id = 2; id <= 9; ++id) Write({id, 1, 1 << 20}, "more");
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) {
    return std::any_of(s.changes.begin(), s.changes.end(),
                       [](const std::string& c) { return c.ends_with(" storage 21"); });
  }));
  EXPECT_TRUE(Eventually([&] {
    return Metrics().find("cairn_datanode_volume_failed{path=\"/d1\"} 0") != std::string::npos;
  }));
}

TEST_F(VolumesTest, ARemovedVolumeIsGoneFromAllThatIsTold) {
  Start({"/d0", "/d1"});
  for (BlockId id = 1; id <= 8; ++id) Write({id, 1, 1 << 20}, "bytes");
  EXPECT_TRUE(
      EventuallyAtNameNode([](State& s) { return s.full_reports == 2 && s.changes.size() == 8; }));
  EXPECT_TRUE(Eventually([&] { return Metrics().find("{path=\"/d1\"}") != std::string::npos; }));
  namenode_.With([](State& s) { s.reported.clear(); });
  ASSERT_TRUE(Remove("/d1").ok());
  EXPECT_THAT(List(), ::testing::ElementsAre("/d0"));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) {
    return s.registrations.size() == 2 && s.full_reports == 3 &&
           s.last_heartbeat.storages_size() == 1;
  }));
  namenode_.With([](State& s) {
    ASSERT_EQ(s.registrations.back().storages_size(), 1);
    EXPECT_EQ(s.registrations.back().storages(0).path(), "/d0");
    EXPECT_EQ(s.reported.size(), 1u);
    EXPECT_FALSE(s.reported[20].empty());
    EXPECT_LT(s.reported[20].size(), 8u);
  });
  EXPECT_TRUE(Eventually([&] {
    const std::string metrics = Metrics();
    return metrics.find("cairn_datanode_volume_used_bytes{path=\"/d0\"}") != std::string::npos &&
           metrics.find("cairn_datanode_volume_used_bytes{path=\"/d1\"}") == std::string::npos;
  }));

  // And it comes back with what it holds.
  ASSERT_TRUE(Add("/d1").ok());
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) {
    return s.full_reports == 5 && s.reported[20].size() + s.reported[21].size() == 8;
  }));
}

TEST_F(VolumesTest, ChangesOfARemovedVolumeHoldUpNothing) {
  Start({"/d0", "/d1"});
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.full_reports == 2; }));
  namenode_.With([](State& s) { s.report_status = absl::UnavailableError("busy"); });
  for (BlockId id = 1; id <= 8; ++id) Write({id, 1, 1 << 20}, "bytes");
  ASSERT_TRUE(Remove("/d1").ok());
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.registrations.size() == 2; }));
  namenode_.With([](State& s) { s.report_status = absl::OkStatus(); });
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.full_reports == 3; }));
  namenode_.With([](State& s) {
    for (const std::string& change : s.changes) EXPECT_THAT(change, Not(HasSubstr("storage 0")));
    EXPECT_EQ(s.changes.size(), s.reported[20].size());
  });
}

TEST_F(VolumesTest, AnIdleWriterIsEndedByForceAlone) {
  Start({"/d0", "/d1"});
  TestWriter writer(node_->data_address().ToString());
  writer.Open({1, 1, 1 << 20}, {});
  writer.ReadAck();
  // The first volume takes the first replica, or the second: both are tried without force.
  const absl::Status first = Remove("/d0");
  const std::string written = first.ok() ? "/d1" : "/d0";
  if (first.ok()) ASSERT_TRUE(Add("/d0").ok());
  EXPECT_TRUE(EventuallyAtNameNode([&](State& s) {
    return s.last_heartbeat.storages_size() == 2 && s.last_heartbeat.storages(1).number() != 0;
  }));
  const absl::Status refused = Remove(written);
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(MessageOf(refused)), HasSubstr("1 replica is being written there"));
  const absl::Status removed = Remove(written, /*force=*/true);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_EQ(List().size(), 1u);
}

TEST_F(VolumesTest, OnlySuperusersChangeThem) {
  Start({"/d0", "/d1"});
  for (const absl::Status& refused :
       {Add("/d2", "nobody-special"), Remove("/d1", false, "nobody-special")}) {
    EXPECT_TRUE(absl::IsPermissionDenied(refused)) << refused;
    EXPECT_EQ(std::string(MessageOf(refused)),
              "Permission denied: user nobody-special is no superuser");
  }
  EXPECT_TRUE(absl::IsInvalidArgument(Add("/d2", "")));
  EXPECT_EQ(List().size(), 2u);  // asked without a name
  EXPECT_FALSE(*env_.Exists("/d2"));
}

}  // namespace
}  // namespace cairn::datanode
