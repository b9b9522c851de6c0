// Everything at once, for ThreadSanitizer and for deadlocks.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/unit/namenode/blocks/fake_cluster.h"

namespace cairn::namenode {
namespace {

TEST(ThreadsTest, AllCallersAtOnce) {
  constexpr int kRounds = 300;
  constexpr NodeNumber kNodes = 4;
  ManualClock clock;
  std::atomic<TxId> durable{0};
  BlockManager manager(
      {}, &clock, [&] { return durable.load(); }, 1);
  manager.FinishLoading();
  std::vector<std::thread> threads;
  std::atomic<bool> done{false};

  for (NodeNumber number = 1; number <= kNodes; ++number) {
    threads.emplace_back([&, number] {
      NodeRegistration self;
      self.number = number;
      self.id = "node-" + std::to_string(number);
      self.incarnation = number;
      self.addresses = {self.id};
      self.storages = {{number, "s", "/d", 1000 * kMiB, 0, 1000 * kMiB, false}};
      EXPECT_TRUE(manager.Register(self).ok());
      for (BlockId id = 1; id <= kRounds; ++id) {
        const Block block{id, id, kMiB};
        EXPECT_TRUE(manager.Heartbeat(self.id, number, {}).ok());
        EXPECT_TRUE(manager
                        .IncrementalReport(self.id, number, id,
                                           {{ReplicaChange::Kind::kReceived, number, block}})
                        .ok());
        if (id % 50 == 0) {
          EXPECT_TRUE(
              manager.FullReportPiece(self.id, number, number, true, true, {{block, false}}).ok());
        }
      }
    });
  }
  threads.emplace_back([&] {  // the namespace
    for (BlockId id = 1; id <= kRounds; ++id) {
      BlockChange opened;
      opened.block = {id, id, kMiB};
      opened.replication = 2;
      opened.block_size = kMiB;
      opened.pipeline = {1, 2};
      BlockChange closed = opened;
      closed.kind = BlockChange::Kind::kFileClosed;
      std::vector<BlockChange> changes = {opened, closed};
      if (id % 20 == 0) {
        BlockChange admin;
        admin.kind = BlockChange::Kind::kAdminState;
        admin.node = 1 + id / 20 % kNodes;
        admin.admin = static_cast<AdminState>(id / 80 % kAdminStates);
        changes.push_back(admin);
      }
      manager.PushChanges(id, std::move(changes));
      durable.store(id);
      EXPECT_FALSE(manager.InSafeMode());
      TargetRequest request;
      request.count = 2;
      request.min_required = 0;
      EXPECT_TRUE(manager.ChooseTargets(request).ok());
      manager.Locate(id, "", "");
    }
  });
  std::thread monitors([&] {
    while (!done.load()) {
      manager.RunHeartbeatCheck();
      manager.RunReplicationRound();
      manager.Report();
      manager.Health(10);
      manager.FindDecommissioned();
      (void)manager.FindNode("node-1");
    }
  });
  std::thread balancer([&] {
    while (!done.load()) manager.RunBalanceRound();
  });
  std::thread administrator([&] {
    while (!done.load()) {
      EXPECT_TRUE(manager.StartBalancing(10).ok());
      manager.BalanceProgress();
      manager.StopBalancing();
    }
  });
  for (std::thread& thread : threads) thread.join();
  done.store(true);
  monitors.join();
  balancer.join();
  administrator.join();
  manager.RunHeartbeatCheck();
  EXPECT_EQ(manager.Report().blocks, manager.Recount());
  EXPECT_EQ(manager.Report().blocks.total, static_cast<uint64_t>(kRounds));
}

}  // namespace
}  // namespace cairn::namenode
