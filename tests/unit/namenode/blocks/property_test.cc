// Random lives of a cluster: the incremental figures are those of a recount at every step, no order
// ever endangers a block, nothing stale is located, no recovery loses what was acknowledged, and
// once the storm is over the cluster heals.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/unit/namenode/blocks/fake_cluster.h"
#include "tests/unit/namenode/blocks/writers.h"

namespace cairn::namenode {
namespace {

class Storm {
 public:
  explicit Storm(uint64_t seed) : random_(seed) {
    for (NodeNumber i = 0; i < kNodes; ++i) cluster_.AddNode(fmt::format("/r{}", i % 3));
  }

  void Step() {
    switch (Draw(21)) {
      case 0:
      case 1:
      case 2:
        return AddBlock();
      case 3:
        return RemoveBlock();
      case 4:
        return SetReplication();
      case 5:
        return FlipPower();
      case 6:
        return Rot();
      case 7:
        return LoseReplica();
      case 8:
        return static_cast<void>(cluster_.FullReport(Up()));
      case 9:
        return cluster_.Restart(Up());
      case 10:
        return OldReplica();
      case 11:
        return OpenBlock();
      case 12:
        return Reopen();
      case 13:
      case 14:
      case 15:
        return writers_.Step();
      case 16:
        return RestartNameNode();
      case 17:
        return ChangeAdminState();
      default:
        return cluster_.Run(3'000);
    }
  }

  // All nodes up and in service, all rotten replicas known: everything that has a good replica
  // heals.
  void CalmDown() {
    for (NodeNumber n = 1; n <= kNodes; ++n) {
      cluster_.SetAdmin(cluster_.node(n), AdminState::kInService);
    }
    for (NodeNumber n = 1; n <= kNodes; ++n) {
      if (!cluster_.node(n).up) cluster_.Restart(cluster_.node(n));
    }
    cluster_.Run(200'000);
    bool settled = false;
    for (int i = 0; i < 100 && !settled; ++i) settled = writers_.SettleAll();
    EXPECT_TRUE(settled);
    EXPECT_TRUE(cluster_.RunUntilSound());
    cluster_.Run(30'000);
    const BlockCounts counts = cluster_.Counts();
    EXPECT_EQ(counts.total, blocks_.size());
    EXPECT_EQ(counts.corrupt + counts.missing, 0u) << "every block kept a good replica";
    for (const auto& [id, known] : blocks_) {
      size_t copies = 0;
      for (NodeNumber n = 1; n <= kNodes; ++n) copies += Holds(cluster_.node(n), known.block);
      EXPECT_EQ(copies, known.replication) << "block " << id;
    }
  }

  void Check() {
    ASSERT_EQ(cluster_.Counts(), cluster_.manager().Recount());
    for (const auto& [id, known] : blocks_) {
      size_t good = 0;
      for (NodeNumber n = 1; n <= kNodes; ++n) good += Holds(cluster_.node(n), known.block);
      ASSERT_GT(good, 0u) << "block " << id << " was lost by an order";
      if (Draw(8) > 0) continue;
      for (const NodeNumber n : cluster_.Where(known.block)) {
        const FakeNode& node = cluster_.node(n);
        // A node that is up and has said all that it knows.
        const bool told = node.up && node.unsent.empty();
        ASSERT_TRUE(!told || Holds(node, known.block)) << "block " << id << " at node " << n;
      }
    }
    writers_.Check();
  }

 private:
  static constexpr NodeNumber kNodes = 7;

  uint64_t Draw(uint64_t below) { return random_() % below; }
  FakeNode& Up() {
    while (true) {
      FakeNode& node = cluster_.node(1 + Draw(kNodes));
      if (node.up) return node;
    }
  }
  std::map<BlockId, KnownBlock>::iterator Any() {
    return std::next(blocks_.begin(), Draw(blocks_.size()));
  }
  static bool Holds(const FakeNode& node, const Block& block) {
    const auto it = node.disk.find(block.id);
    return it != node.disk.end() && it->second.block == block;
  }

  absl::StatusOr<std::vector<NodeNumber>> Targets(uint32_t count) {
    TargetRequest request;
    request.count = count;
    request.block_size = kMiB;
    for (NodeNumber n = 1; n <= kNodes; ++n) {
      if (!cluster_.node(n).up) request.excluded.push_back(n);
    }
    return cluster_.manager().ChooseTargets(request);
  }
  void AddBlock() {
    const uint32_t count = 1 + Draw(4);
    const auto targets = Targets(count);
    if (!targets.ok()) return;
    const Block block = cluster_.AddBlock(*targets, count, Draw(3) > 0);
    blocks_[block.id] = {block, count};
  }
  void OpenBlock() {
    const uint32_t count = 1 + Draw(4);
    const auto targets = Targets(count);
    if (targets.ok()) writers_.OpenNew(*targets, count);
  }
  void Reopen() {
    if (blocks_.empty()) return;
    const BlockId id = Any()->first;
    if (Draw(3) == 0) return writers_.Cut(id);
    writers_.Append(id);
  }
  void RestartNameNode() {
    if (Draw(4) > 0) return;
    for (NodeNumber n = 1; n <= kNodes; ++n) cluster_.node(n).up = true;
    cluster_.RestartNameNode();
    for (NodeNumber n = 1; n <= kNodes; ++n) {
      EXPECT_TRUE(cluster_.Register(cluster_.node(n)).ok());
      EXPECT_TRUE(cluster_.SendIncremental(cluster_.node(n)).ok());  // as DataNodes do: first
      EXPECT_TRUE(cluster_.FullReport(cluster_.node(n)).ok());
    }
  }
  // Two nodes at most are out of service.
  void ChangeAdminState() {
    FakeNode& node = cluster_.node(1 + Draw(kNodes));
    size_t out = 0;
    for (NodeNumber n = 1; n <= kNodes; ++n) {
      out += cluster_.node(n).admin != AdminState::kInService ? 1 : 0;
    }
    if (node.admin != AdminState::kInService || out >= 2) {
      return cluster_.SetAdmin(node, AdminState::kInService);
    }
    cluster_.SetAdmin(node, Draw(2) == 0 ? AdminState::kDecommissioning : AdminState::kMaintenance);
  }
  void RemoveBlock() {
    if (blocks_.size() < 5) return;
    const auto it = Any();
    cluster_.Remove(it->second.block);
    blocks_.erase(it);
  }
  void SetReplication() {
    if (blocks_.empty()) return;
    KnownBlock& known = Any()->second;
    known.replication = 1 + Draw(4);
    cluster_.SetReplication(known.block, known.replication);
  }
  void FlipPower() {
    FakeNode& node = cluster_.node(1 + Draw(kNodes));
    if (!node.up) return cluster_.Restart(node);
    size_t down = 0;
    for (NodeNumber n = 1; n <= kNodes; ++n) down += !cluster_.node(n).up;
    if (down < 2) node.up = false;
  }
  // A replica rots, unless it is the last good one.
  void Rot() {
    if (blocks_.empty()) return;
    const Block block = Any()->second.block;
    FakeNode& node = Up();
    if (!Holds(node, block) || Safe(block) < 2) return;
    const NodeRegistration& self = node.registration;
    // A DataNode tells things in the order of their happening: its having received the replica,
    // too.
    EXPECT_TRUE(cluster_.SendIncremental(node).ok());
    EXPECT_TRUE(
        cluster_.manager().BadReplica(self.id, self.incarnation, node.storage(), block).ok());
    // Its bytes are gone for good: the disk holds a replica of another length.
    node.disk[block.id].block.length = block.length - 1;
  }
  void LoseReplica() {
    if (blocks_.empty()) return;
    const Block block = Any()->second.block;
    FakeNode& node = Up();
    if (!Holds(node, block) || Safe(block) < 2) return;
    node.disk.erase(block.id);
    node.unsent.push_back({ReplicaChange::Kind::kDeleted, node.storage(), block});
  }
  void OldReplica() {  // a generation that was never this block's
    if (blocks_.empty()) return;
    const Block block = Any()->second.block;
    FakeNode& node = Up();
    if (node.disk.contains(block.id)) return;
    cluster_.Receive(node, {block.id, block.generation - 1, block.length});
  }
  // Replicas that exist and are not about to be deleted.
  size_t Safe(const Block& block) {
    size_t safe = 0;
    for (const NodeNumber n : cluster_.Where(block)) {
      safe += cluster_.node(n).up && Holds(cluster_.node(n), block);
    }
    return safe;
  }

  std::mt19937_64 random_;
  FakeCluster cluster_;
  std::map<BlockId, KnownBlock> blocks_;  // of closed files
  Writers writers_{&cluster_, &random_, &blocks_};
};

class PropertyTest : public ::testing::TestWithParam<uint64_t> {};

TEST_P(PropertyTest, FiguresAreRightAndTheClusterHeals) {
  Storm storm(GetParam());
  for (int i = 0; i < 600; ++i) {
    SCOPED_TRACE(fmt::format("step {}", i));
    storm.Step();
    storm.Check();
    if (::testing::Test::HasFatalFailure()) return;
  }
  storm.CalmDown();
  storm.Check();
}

INSTANTIATE_TEST_SUITE_P(Seeds, PropertyTest, ::testing::Range<uint64_t>(1, 13));
// A replica that rots before its node has said that it received it, and a NameNode that starts
// anew.
INSTANTIATE_TEST_SUITE_P(RotAndRestart, PropertyTest, ::testing::Values(29, 198, 283));

}  // namespace
}  // namespace cairn::namenode
