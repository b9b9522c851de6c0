// A whole DataNode against a NameNode of the test's own: registration, heartbeats, reports,
// commands, and what happens when that NameNode forgets, restarts, or is the wrong one.
#include <absl/algorithm/container.h>
#include <gmock/gmock.h>

#include "datanode/control/namenode_link.h"
#include "datanode/datanode.h"
#include "tests/unit/datanode/control/fake_namenode.h"
#include "tests/unit/datanode/service/test_node.h"

namespace cairn::datanode {
namespace {

using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using State = FakeNameNode::State;

class ControlSessionTest : public testing::Test {
 protected:
  void Start(std::vector<std::string> dirs = {"/d0"}) {
    DataNodeOptions options;
    options.data_dirs = std::move(dirs);
    options.namenodes = {HostPort{"127.0.0.1", 1}, namenode_.address()};  // the first is dead
    options.reserved_bytes = 0;
    options.rack = "/r1";
    options.listen.port = 0;
    options.http.port = 0;
    options.on_fatal = [this](absl::Status status) {
      MutexLock lock(mu_);
      fatal_ = std::move(status);
    };
    auto node = DataNode::Start(options, &env_, clock_.get());
    ASSERT_TRUE(node.ok()) << node.status();
    node_ = *std::move(node);
  }
  void StartRegistered(std::vector<std::string> dirs = {"/d0"}) {
    Start(std::move(dirs));
    ASSERT_TRUE(node_->WaitUntilRegistered(20'000));
  }
  absl::Status fatal() {
    MutexLock lock(mu_);
    return fatal_;
  }
  // Writes a replica through the node's own data service.
  void Write(const Block& block, const std::string& bytes) {
    EXPECT_EQ(WriteReplica(node_->data_address().ToString(), block, bytes).node(), 7u);
  }
  template <typename F>
  bool EventuallyAtNameNode(F condition) {
    return Eventually([&] { return namenode_.With(condition); });
  }
  void Order(const v1::Command& command) {
    namenode_.With([&](State& s) { s.commands.push_back(command); });
  }
  static v1::Command DeleteOf(const Block& block) {
    v1::Command command;
    v1::Block* out = command.mutable_delete_replicas()->add_blocks();
    out->set_id(block.id);
    out->set_generation(block.generation);
    return command;
  }

  FaultEnv env_;
  const std::unique_ptr<Clock> clock_ = NewSystemClock();
  FakeNameNode namenode_;
  Mutex mu_;
  absl::Status fatal_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<DataNode> node_;
};

TEST_F(ControlSessionTest, RegistersAndReports) {
  StartRegistered({"/d0", "/d1"});
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.heartbeats > 2; }));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.full_reports == 2; }));
  namenode_.With([&](State& s) {
    const v1::RegisterRequest& request = s.registrations.front();
    EXPECT_EQ(request.cluster_id(), "");
    EXPECT_EQ(request.node_id(), node_->id());
    EXPECT_THAT(request.addresses(), ElementsAre(node_->data_address().ToString()));
    EXPECT_EQ(request.http_address(), node_->http_address().ToString());
    EXPECT_EQ(request.rack(), "/r1");
    EXPECT_NE(request.host(), "");
    EXPECT_NE(request.incarnation(), 0u);
    EXPECT_EQ(request.storages_size(), 2);
    EXPECT_EQ(s.last_heartbeat.storages(0).number(), 20u);
    EXPECT_EQ(s.last_heartbeat.storages(1).number(), 21u);
  });
}

TEST_F(ControlSessionTest, HeartbeatsCount) {
  StartRegistered();
  Write({5, 1, 1 << 20}, BytesOf(5, 10'000));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) {
    return s.last_heartbeat.bytes_written() == 10'000 && s.last_heartbeat.write_requests() == 1;
  }));
  namenode_.With([](State& s) {
    EXPECT_EQ(s.last_heartbeat.bytes_read(), 0u);
    EXPECT_EQ(s.last_heartbeat.errors(), 0u);
    EXPECT_EQ(s.last_heartbeat.peers_size(), 0);  // nobody is behind it
  });
}

TEST_F(ControlSessionTest, ReportsChangesAtOnceAndInOrder) {
  StartRegistered();
  Write({5, 1, 1 << 20}, BytesOf(5, 10'000));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.changes.size() == 1; }));
  Order(DeleteOf({5, 2, 0}));  // another generation: not this one
  Order(DeleteOf({5, 1, 0}));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.changes.size() == 2; }));
  namenode_.With([](State& s) {
    EXPECT_THAT(s.changes, ElementsAre("received 5/1 storage 20", "deleted 5/1 storage 20"));
  });
}

TEST_F(ControlSessionTest, ChangesWaitForAnAnswer) {
  StartRegistered();
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.full_reports == 1; }));
  namenode_.With([](State& s) { s.report_status = absl::UnavailableError("busy"); });
  Write({5, 1, 1 << 20}, "five");
  Write({6, 1, 1 << 20}, "six");
  namenode_.With([](State& s) {
    EXPECT_THAT(s.changes, IsEmpty());
    s.report_status = absl::OkStatus();
  });
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.changes.size() == 2; }));
}

TEST_F(ControlSessionTest, RegistersAgainWhenItIsUnknown) {
  StartRegistered();
  Write({5, 1, 1 << 20}, "five");
  namenode_.With([](State& s) {
    s.known = false;
    s.reported.clear();
  });
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.registrations.size() >= 2; }));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.reported[20].contains(5); }));
  namenode_.With([](State& s) {
    EXPECT_EQ(s.registrations.back().cluster_id(), "test-cluster");
    EXPECT_EQ(s.registrations.back().highest_block_id(), 5u);
    EXPECT_EQ(s.registrations.back().incarnation(), s.registrations.front().incarnation());
    // At its start it knows nothing of when; later it does, and block 5 may be newer than that.
    EXPECT_FALSE(s.registrations.front().has_at_last_contact());
    EXPECT_TRUE(s.registrations.back().has_at_last_contact());
    EXPECT_LE(s.registrations.back().at_last_contact().block_id(), 5u);
  });
}

TEST_F(ControlSessionTest, OrdersFromBeforeARegistrationAreDropped) {
  StartRegistered();
  Write({5, 1, 1 << 20}, "five");
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.changes.size() == 1; }));
  namenode_.With([](State& s) {
    s.hold_commands = true;
    s.commands.push_back(DeleteOf({5, 1, 0}));
  });
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.commands.empty(); }));
  namenode_.With([](State& s) {
    s.known = false;  // it starts anew while its last answer is on the way
    s.reported.clear();
  });
  Write({6, 1, 1 << 20}, "six");  // the report of which tells the node
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.reported[20].contains(5); }));
  namenode_.With([](State& s) {
    s.hold_commands = false;
    s.heartbeats = 0;
  });
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.heartbeats > 2; }));
  Order(DeleteOf({6, 1, 0}));  // orders are obeyed in turn, and this one is
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) {
    return std::count(s.changes.begin(), s.changes.end(), "deleted 6/1 storage 20") == 1;
  }));
  namenode_.With([](State& s) {
    EXPECT_THAT(s.changes, testing::Not(Contains("deleted 5/1 storage 20")));
    EXPECT_EQ(s.registrations.size(), 2u);
  });
}

TEST_F(ControlSessionTest, FindsANameNodeThatComesBack) {
  StartRegistered();
  const uint16_t port = namenode_.address().port;
  namenode_.Stop();
  Write({5, 1, 1 << 20}, "five");
  namenode_.With([](State& s) { s.heartbeats = 0; });
  namenode_.Serve(port);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.heartbeats > 0; }));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.changes.size() == 1; }));
}

TEST(NameNodeLinkTest, NoCallWaitsForNameNodesThatAreAllGone) {
  NameNodeLink link({HostPort{"127.0.0.1", 1}, HostPort{"127.0.0.1", 2}});
  EXPECT_TRUE(absl::IsUnavailable(link.Heartbeat({}).status()));
  // It has five minutes where there is somebody to take it.
  EXPECT_TRUE(absl::IsUnavailable(link.FullReport([](v1::FullReportPiece*) { return true; })));
}

TEST_F(ControlSessionTest, FullReportsComeInPieces) {
  {
    ReplicaStore::Options options;
    options.data_dirs = {"/d0"};
    options.reserved_bytes = 0;
    const auto store = *ReplicaStore::Open(&env_, options);
    ASSERT_TRUE(store->AdoptCluster(kCluster).ok());
    for (BlockId id = 1; id <= 2'001; ++id) ASSERT_TRUE(Put(*store, {id, 1, 4096}, "x").ok());
  }
  StartRegistered();
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.full_reports == 1; }));
  namenode_.With([](State& s) {
    EXPECT_THAT(s.pieces, ElementsAre(2'000, 1));
    EXPECT_EQ(s.reported[20].size(), 2'001u);
  });
  v1::Command command;
  command.mutable_send_full_report()->add_storages(20);
  Order(command);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.full_reports == 2; }));
}

TEST_F(ControlSessionTest, BadReplicasAreToldWithEveryFullReport) {
  StartRegistered();
  Write({5, 1, 1 << 20}, "five");
  env_.Flip("/d0/current/finalized/subdir0/subdir0/blk_5", 0, 1);
  const auto stub = v1::DataTransfer::NewStub(
      MakeChannel(node_->data_address().ToString(), ChannelPurpose::kData));
  grpc::ClientContext context;
  SetupContext(context, 20'000);
  v1::VerifyBlockRequest request;
  request.mutable_block()->set_id(5);
  request.mutable_block()->set_generation(1);
  v1::VerifyBlockReply reply;
  ASSERT_TRUE(stub->VerifyBlock(&context, request, &reply).ok());
  EXPECT_FALSE(reply.good());
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return !s.bad.empty(); }));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) {
    return s.last_heartbeat.checksum_errors() == 1 && s.last_heartbeat.errors() == 1;
  }));
  node_.reset();
  namenode_.With([](State& s) { s.bad.clear(); });
  StartRegistered();
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return !s.bad.empty(); }));
  namenode_.With([](State& s) {
    EXPECT_THAT(s.bad, Each("5/1"));
    EXPECT_FALSE(s.reported[20].contains(5));
  });
}

TEST_F(ControlSessionTest, CopiesToOtherNodes) {
  StartRegistered();
  Write({5, 1, 1 << 20}, BytesOf(5, 500'000));
  TestNode target(9, {});
  v1::Command command;
  command.mutable_copy_replica()->mutable_block()->set_id(5);
  command.mutable_copy_replica()->mutable_block()->set_generation(1);
  *command.mutable_copy_replica()->add_targets() = target.Address();
  // A copy that finds no connection within its patience fails; the NameNode orders it again.
  const Block whole{5, 1, 500'000};
  const auto patience = std::chrono::seconds(4);
  auto ordered = std::chrono::steady_clock::now() - patience;
  ASSERT_TRUE(Eventually([&] {
    if (const auto now = std::chrono::steady_clock::now(); now - ordered >= patience) {
      Order(command);
      ordered = now;
    }
    return target.store().OpenReader(whole).ok();
  }));
  EXPECT_EQ(*Get(target.store(), whole), BytesOf(5, 500'000));
}

TEST_F(ControlSessionTest, TellsOnceOfACopyThatItCouldNotMake) {
  StartRegistered();
  Write({5, 1, 1 << 20}, BytesOf(5, 1'000));
  v1::Command command;
  command.mutable_copy_replica()->mutable_block()->set_id(6);  // is not here
  command.mutable_copy_replica()->mutable_block()->set_generation(1);
  *command.mutable_copy_replica()->add_targets() = TestNode::AddressOf(9, "127.0.0.1:1");
  Order(command);
  command.mutable_copy_replica()->mutable_block()->set_id(5);  // nobody is there
  Order(command);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.failed_copies.size() == 2; }));
  const int heartbeats = namenode_.With([](State& s) { return s.heartbeats; });
  EXPECT_TRUE(EventuallyAtNameNode([&](State& s) { return s.heartbeats > heartbeats + 3; }));
  namenode_.With([](State& s) { EXPECT_THAT(s.failed_copies, UnorderedElementsAre(5, 6)); });
}

TEST_F(ControlSessionTest, TellsOfFailedCopiesAgainWhenAHeartbeatFails) {
  StartRegistered();
  namenode_.With([](State& s) { s.lose_failed_copies = 2; });
  v1::Command command;
  command.mutable_copy_replica()->mutable_block()->set_id(6);  // is not here
  command.mutable_copy_replica()->mutable_block()->set_generation(1);
  *command.mutable_copy_replica()->add_targets() = TestNode::AddressOf(9, "127.0.0.1:1");
  Order(command);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return !s.failed_copies.empty(); }));
  namenode_.With([](State& s) {
    EXPECT_EQ(s.lose_failed_copies, 0);
    EXPECT_EQ(s.failed_copies, std::vector<uint64_t>{6});
  });
}

TEST_F(ControlSessionTest, ReportsReplicasThatTheirWritersLeft) {
  StartRegistered();
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.full_reports == 1; }));
  TestWriter writer(node_->data_address().ToString());
  {
    TestWriter leaves(node_->data_address().ToString());
    for (TestWriter* each : {&writer, &leaves}) {
      each->Open({each == &writer ? 5u : 6u, 1, 1 << 20}, {});
      each->ReadAck();
      each->Send(TestWriter::Packet(1, 0, "start", false));
      EXPECT_THAT(each->ReadCodes(), ElementsAre(0));
    }
  }
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.changes.size() == 1; }));
  namenode_.With([](State& s) { EXPECT_THAT(s.changes, ElementsAre("waiting 6/1 storage 20")); });
  v1::Command command;
  command.mutable_send_full_report()->add_storages(20);
  Order(command);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.full_reports == 2; }));
  namenode_.With([](State& s) {
    EXPECT_THAT(s.reported[20], ElementsAre(5, 6));
    EXPECT_THAT(s.open, ElementsAre(5, 6));
    EXPECT_THAT(s.waiting, ElementsAre(6));
  });
}

TEST_F(ControlSessionTest, RecoversABlockAndTellsItsEnd) {
  StartRegistered();
  TestNode other(9, {});
  TestWriter writer(node_->data_address().ToString());
  writer.Open({5, 1, 1 << 20}, {&other});
  writer.ReadAck();
  writer.Send(TestWriter::Packet(1, 0, BytesOf(5, 5'000), false));
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(0, 0));
  v1::Command command;
  v1::RecoverBlock& recover = *command.mutable_recover_block();
  recover.mutable_block()->set_id(5);
  recover.mutable_block()->set_generation(1);
  recover.set_recovery_generation(8);
  *recover.add_members() = TestNode::AddressOf(7, node_->data_address().ToString());
  *recover.add_members() = other.Address();
  Order(command);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.recoveries.size() == 1; }));
  namenode_.With(
      [](State& s) { EXPECT_THAT(s.recoveries, ElementsAre("5/8 of 5000 bytes on 20 90")); });
  EXPECT_EQ(*Get(other.store(), {5, 8, 0}), BytesOf(5, 5'000));
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) {
    return std::count(s.changes.begin(), s.changes.end(), "received 5/8 storage 20") == 1;
  }));
  // A truncation, and one that nobody can carry out.
  recover.mutable_block()->set_generation(8);
  recover.mutable_block()->set_length(4'097);
  recover.set_cut(true);
  recover.set_recovery_generation(9);
  Order(command);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.recoveries.size() == 2; }));
  recover.mutable_block()->set_length(4'098);
  recover.set_recovery_generation(10);
  Order(command);
  recover.mutable_block()->set_length(4'000);
  recover.set_recovery_generation(11);
  Order(command);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.recoveries.size() == 3; }));
  namenode_.With([](State& s) {
    EXPECT_EQ(s.recoveries[1], "5/9 of 4097 bytes on 20 90");
    EXPECT_EQ(s.recoveries[2], "5/11 of 4000 bytes on 20 90");
  });
}

TEST_F(ControlSessionTest, EventualReplicasAreReportedOnceTheyAreDurable) {
  StartRegistered();
  TestWriter writer(node_->data_address().ToString());
  writer.Open({5, 1, 1 << 20}, {}, {.consistency = v1::EVENTUAL});
  writer.ReadAck();
  const v1::WriteAck last = writer.SendAll(BytesOf(5, 10'000), 1 << 20);
  ASSERT_EQ(last.nodes_size(), 1);
  EXPECT_EQ(NodeOf(last, 0).held_length(), 10'000u);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.changes.size() == 1; }));
  namenode_.With([](State& s) { EXPECT_THAT(s.changes, ElementsAre("received 5/1 storage 20")); });
  node_.reset();
  env_.Crash();
  namenode_.With([](State& s) { s.reported.clear(); });
  StartRegistered();
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.reported[20].contains(5); }));
  EXPECT_TRUE(namenode_.With([](State& s) { return s.open.empty(); }));
}

// Streams that wait for another node, or for their writer, do not hold up the end.
TEST_F(ControlSessionTest, StopsWhateverItsStreamsWaitFor) {
  StartRegistered();
  TestNode other(9, {});
  TestWriter idle(node_->data_address().ToString());
  idle.Open({5, 1, 1 << 20}, {});
  idle.ReadAck();
  TestWriter writer(node_->data_address().ToString());
  writer.Open({6, 1, 64 << 20}, {&other});
  EXPECT_THAT(writer.ReadCodes(), ElementsAre(0, 0));
  const Hang hang(other.env());
  std::thread sender([&] { writer.SendAll(BytesOf(1, 40 << 20), 1 << 20); });
  EXPECT_TRUE(Eventually([&] { return hang.waiting() > 0; }));
  const auto start = std::chrono::steady_clock::now();
  node_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  sender.join();
}

TEST_F(ControlSessionTest, AnOlderEpochIsNotObeyed) {
  namenode_.With([](State& s) { s.epoch = 9; });
  StartRegistered();
  Write({5, 1, 1 << 20}, "five");
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.heartbeats > 0; }));
  namenode_.With([](State& s) {
    s.epoch = 8;
    s.commands.push_back(DeleteOf({5, 1, 0}));
    s.heartbeats = 0;
  });
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.heartbeats > 2; }));
  namenode_.With([](State& s) {
    EXPECT_THAT(s.commands, IsEmpty());
    s.epoch = 10;
    s.heartbeats = 0;
  });
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.heartbeats > 2; }));
  namenode_.With([](State& s) { EXPECT_THAT(s.changes, Not(Contains(HasSubstr("deleted")))); });
  node_.reset();  // the epoch outlives the process
  namenode_.With([](State& s) { s.registrations.clear(); });
  StartRegistered();
  namenode_.With([](State& s) { EXPECT_EQ(s.registrations.back().highest_epoch(), 10u); });
}

TEST_F(ControlSessionTest, WhatWasKnownWhenTheNameNodeFellSilentOutlivesTheProcess) {
  StartRegistered();
  Write({4, 1, 1 << 20}, "four");
  Write({5, 1, 1 << 20}, "five");
  namenode_.With([](State& s) { s.heartbeats = 0; });
  EXPECT_TRUE(EventuallyAtNameNode(  // no report is to come that would be refused first
      [](State& s) { return s.heartbeats > 1 && s.changes.size() == 2 && s.full_reports == 1; }));
  namenode_.With([](State& s) {
    s.known = false;
    s.commands.push_back(DeleteOf({4, 1, 0}));
    s.heartbeat_interval_ms = 60'000;  // none is cut off by the end of the process
  });
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.registrations.size() >= 2; }));
  namenode_.With([](State& s) {
    EXPECT_EQ(s.registrations.back().at_last_contact().block_id(), 5u);
    s.registrations.clear();
  });
  // Nothing is held back once a heartbeat was answered, after which its orders are obeyed.
  EXPECT_TRUE(EventuallyAtNameNode(
      [](State& s) { return absl::c_linear_search(s.changes, "deleted 4/1 storage 20"); }));
  node_.reset();
  StartRegistered();
  namenode_.With([](State& s) {
    EXPECT_FALSE(s.registrations.back().has_at_last_contact());
    EXPECT_EQ(s.registrations.back().highest_block_id(), 5u);
  });
}

TEST_F(ControlSessionTest, AForeignClusterEndsTheNode) {
  StartRegistered();
  node_.reset();
  namenode_.With([](State& s) { s.cluster_id = "another"; });
  Start();
  EXPECT_TRUE(Eventually([&] { return !fatal().ok(); }));
  EXPECT_THAT(MessageOf(fatal()), HasSubstr("belongs to cluster test-cluster"));
  EXPECT_FALSE(node_->WaitUntilRegistered(20'000));
  EXPECT_FALSE(node_->registered());
}

TEST_F(ControlSessionTest, ASecondNodeWithTheSameIdTriesAgain) {
  namenode_.With([](State& s) { s.register_status = absl::AlreadyExistsError("it lives"); });
  Start();
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) { return s.registrations.size() >= 2; }));
  EXPECT_FALSE(node_->registered());
  namenode_.With([](State& s) { s.register_status = absl::OkStatus(); });
  EXPECT_TRUE(node_->WaitUntilRegistered(20'000));
  EXPECT_TRUE(fatal().ok());
}

TEST_F(ControlSessionTest, WhenAllDisksHaveFailedTheNodeEnds) {
  StartRegistered();
  TestWriter writer(node_->data_address().ToString());
  writer.Open({5, 1, 4096}, {});
  writer.ReadAck();
  env_.SetHook([](FaultOp op, const std::string& path) {
    return op == FaultOp::kSync ? ErrnoStatus(path, EIO) : absl::OkStatus();
  });
  writer.Send(TestWriter::Packet(1, 0, "x", true));
  // The scan for replicas may be the first to find the disk out, and end the stream.
  const v1::WriteAck ack = writer.ReadAck();
  for (const v1::NodeAck& node : ack.nodes()) EXPECT_EQ(node.durable_length(), 0u);
  EXPECT_TRUE(EventuallyAtNameNode([](State& s) {
    return s.last_heartbeat.storages_size() == 1 && s.last_heartbeat.storages(0).failed();
  }));
  EXPECT_TRUE(Eventually([&] { return !fatal().ok(); }));
}

}  // namespace
}  // namespace cairn::datanode
