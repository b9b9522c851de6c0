// The plan is the seed's alone, has everything in it, and leaves a cluster that can work.
#include "tests/fault/torture/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace cairn::testing {
namespace {

FaultPlanOptions Options(uint64_t seed, const std::string& kinds) {
  return {.seed = seed,
          .duration_ms = 600'000,
          .dead_after_ms = 5'000,
          .datanodes = 5,
          .clients = 8,
          .kinds = *ParseFaults(kinds)};
}

std::vector<Step> Steps(uint64_t seed, int client, int count) {
  ClientPlan plan(seed, client, 4);
  std::vector<Step> steps;
  for (int i = 0; i < count; ++i) steps.push_back(plan.Next());
  return steps;
}

TEST(TorturePlanTest, StepsComeFromSeedAndClientAlone) {
  EXPECT_EQ(Steps(7, 3, 500), Steps(7, 3, 500));
  EXPECT_NE(Steps(7, 3, 500), Steps(7, 4, 500));
  EXPECT_NE(Steps(7, 3, 500), Steps(8, 3, 500));
}

TEST(TorturePlanTest, StepsAreOfEveryKind) {
  std::set<StepKind> kinds;
  bool overwrites = false;
  bool syncs = false;
  for (const Step& step : Steps(1, 1, 1'000)) {
    kinds.insert(step.kind);
    overwrites = overwrites || step.overwrite;
    for (const WritePiece& piece : step.pieces) {
      syncs = syncs || piece.then == WritePiece::Then::kSync;
      EXPECT_GT(piece.bytes, 0u);
    }
    EXPECT_TRUE(step.path.starts_with("/t"));
  }
  EXPECT_EQ(kinds.size(), 9u);
  EXPECT_TRUE(overwrites && syncs);
}

TEST(TorturePlanTest, FaultsComeFromTheSeedAlone) {
  EXPECT_EQ(PlanFaults(Options(7, "all")), PlanFaults(Options(7, "all")));
  EXPECT_NE(PlanFaults(Options(7, "all")), PlanFaults(Options(8, "all")));
}

TEST(TorturePlanTest, FaultsAreOfEveryKindThatWasAskedFor) {
  std::set<FaultKind> kinds;
  std::set<TargetKind> targets;
  for (const Fault& fault : PlanFaults(Options(1, "all"))) {
    kinds.insert(fault.kind);
    targets.insert(fault.target);
    EXPECT_LE(fault.start_ms, fault.end_ms);
    EXPECT_LE(fault.end_ms, 600'000);
  }
  EXPECT_EQ(kinds.size(), static_cast<size_t>(kFaultKinds));
  EXPECT_EQ(targets.size(), 4u);
  for (const Fault& fault : PlanFaults(Options(1, "kill,flap"))) {
    EXPECT_TRUE(fault.kind == FaultKind::kKill || fault.kind == FaultKind::kFlap);
  }
  EXPECT_TRUE(PlanFaults(Options(1, "none")).empty());
}

TEST(TorturePlanTest, AProcessHasOneTroubleAndMostDataNodesHaveNone) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    std::map<std::pair<TargetKind, int>, int64_t> busy_until_ms;
    for (const Fault& fault : PlanFaults(Options(seed, "all"))) {
      if (fault.kind == FaultKind::kRot) continue;
      std::vector<std::pair<TargetKind, int>> whom = {{fault.target, fault.index}};
      if (fault.target == TargetKind::kAllDataNodes) {
        whom.clear();
        for (int i = 0; i < 5; ++i) whom.emplace_back(TargetKind::kDataNode, i);
      }
      for (const auto& target : whom) {
        EXPECT_LT(busy_until_ms[target], fault.start_ms) << ToString(fault);
        busy_until_ms[target] = fault.end_ms;
      }
      const auto in_trouble =
          std::count_if(busy_until_ms.begin(), busy_until_ms.end(), [&](const auto& entry) {
            return entry.first.first == TargetKind::kDataNode && entry.second >= fault.start_ms;
          });
      EXPECT_TRUE(in_trouble <= 2 || in_trouble == 5) << ToString(fault);
    }
  }
}

TEST(TorturePlanTest, UnknownFaultsAreNamed) {
  const auto kinds = ParseFaults("kill,fire");
  ASSERT_FALSE(kinds.ok());
  EXPECT_NE(kinds.status().message().find("'fire'"), std::string::npos);
  EXPECT_FALSE(ParseFaults("").ok());
  EXPECT_TRUE(NeedsHosts(*ParseFaults("kill,cut")));
  EXPECT_FALSE(NeedsHosts(*ParseFaults("kill,stop,rot,fill")));
}

}  // namespace
}  // namespace cairn::testing
