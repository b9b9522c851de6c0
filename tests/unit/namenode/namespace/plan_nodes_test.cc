// What administrators say of DataNodes.
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

class PlanNodesTest : public FsTest {
 protected:
  PlanNodesTest() { RegisterNodes(2); }

  absl::Status Set(NodeNumber node, AdminState wanted, const Caller& by = Superuser()) {
    return Do(PlanSetAdminState(state, by, {node, wanted}));
  }
  AdminState Of(NodeNumber node) { return state.registry().FindNode(node)->admin; }
};

TEST_F(PlanNodesTest, ANodeLeavesAndComesBack) {
  const Digest before = state.digest();
  ASSERT_THAT(Set(1, AdminState::kDecommissioning), Succeeds());
  EXPECT_EQ(Of(1), AdminState::kDecommissioning);
  EXPECT_EQ(Of(2), AdminState::kInService);
  EXPECT_NE(state.digest(), before);
  ASSERT_THAT(Do(PlanEndDecommission(state, 1)), Succeeds());
  EXPECT_EQ(Of(1), AdminState::kDecommissioned);
  ASSERT_THAT(Set(1, AdminState::kMaintenance), Succeeds());
  EXPECT_EQ(Of(1), AdminState::kMaintenance);
  ASSERT_THAT(Set(1, AdminState::kInService), Succeeds());
  EXPECT_EQ(state.registry().digest(), state.registry().RecomputeDigest());
  EXPECT_EQ(Of(1), AdminState::kInService);
}

TEST_F(PlanNodesTest, WhatIsSoAlreadyIsNoEdit) {
  const TxId before = state.applied_txid();
  ASSERT_THAT(Set(1, AdminState::kInService), Succeeds());
  ASSERT_THAT(Do(PlanEndDecommission(state, 1)), Succeeds());
  ASSERT_THAT(Do(PlanEndDecommission(state, 9)), Succeeds());
  EXPECT_EQ(state.applied_txid(), before);
  ASSERT_THAT(Set(1, AdminState::kDecommissioning), Succeeds());
  ASSERT_THAT(Do(PlanEndDecommission(state, 1)), Succeeds());
  EXPECT_EQ(state.applied_txid(), before + 2);
  ASSERT_THAT(Set(1, AdminState::kDecommissioning), Succeeds());
  EXPECT_EQ(Of(1), AdminState::kDecommissioned);
  EXPECT_EQ(state.applied_txid(), before + 2);
}

TEST_F(PlanNodesTest, OnlySuperusersMayAndOnlyOfKnownNodes) {
  EXPECT_THAT(Set(1, AdminState::kMaintenance, User("ann", {"staff"})),
              Fails(kPermissionDenied, "superuser"));
  EXPECT_THAT(Set(3, AdminState::kMaintenance), Fails(kNotFound, "number 3"));
}

// A node that registers again, with another rack and a new disk, stays what it was.
TEST_F(PlanNodesTest, ARegistrationChangesNothingOfIt) {
  ASSERT_THAT(Set(1, AdminState::kMaintenance), Succeeds());
  ASSERT_THAT(Do(PlanRegisterNode(state, {"node-1", "/other", {"node-1-a", "new"}})), Succeeds());
  EXPECT_EQ(Of(1), AdminState::kMaintenance);
  EXPECT_EQ(state.registry().digest(), state.registry().RecomputeDigest());
}

TEST_F(PlanNodesTest, TheBlockRoomIsTold) {
  const EditRecord record{1, std::nullopt, SetAdminStateEdit{2, AdminState::kMaintenance}, {}};
  const auto effects = Apply(state, state.applied_txid() + 1, record);
  ASSERT_THAT(effects.status(), Succeeds());
  ASSERT_EQ(effects->size(), 1u);
  EXPECT_EQ(effects->front().kind, BlockEffect::Kind::kAdminState);
  EXPECT_EQ(effects->front().node, 2u);
  EXPECT_EQ(effects->front().admin, AdminState::kMaintenance);
}

}  // namespace
}  // namespace cairn::namenode
