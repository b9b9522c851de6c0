// Small clusters through many storms; tests/sim/cairn_sim.cc has the large ones.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/storm.h"

namespace cairn::sim {
namespace {

constexpr int64_t kMinute = 60'000;

std::string Text(const namenode::BlockCounts& counts) {
  return fmt::format(
      "{} blocks: {} under, {} over, {} corrupt, {} missing, {} misplaced, {} leaving",
      counts.total, counts.under_replicated, counts.over_replicated, counts.corrupt, counts.missing,
      counts.misplaced, counts.leaving);
}

// A storm of half an hour over a cluster of this seed, and the calm after it.
void RunStorm(uint64_t seed) {
  ClusterSim sim({.nodes = static_cast<uint32_t>(8 + seed % 9),
                  .racks = static_cast<uint32_t>(1 + seed % 4),
                  .blocks = 200,
                  .seed = seed});
  Storm storm(&sim, 8'000);
  for (int minute = 0; minute < 30; ++minute) {
    sim.RunFor(kMinute);
    ASSERT_EQ(sim.Counts(), sim.manager().Recount()) << "minute " << minute;
    ASSERT_TRUE(sim.broken().empty()) << sim.broken().front();
  }
  EXPECT_TRUE(storm.CalmDown(240 * kMinute)) << "the cluster did not heal: " << Text(sim.Counts());
  sim.CheckAtRest();
  ASSERT_TRUE(sim.broken().empty()) << sim.broken().front();
  EXPECT_EQ(sim.Counts(), sim.manager().Recount());
  EXPECT_GT(sim.counters().written, 0u);
  EXPECT_GT(sim.counters().copies, 0u);
}

class SimTest : public ::testing::TestWithParam<uint64_t> {};

// Ten lives each.
TEST_P(SimTest, NothingIsLostAndAllHeals) {
  for (uint64_t seed = 10 * GetParam(); seed < 10 * GetParam() + 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    RunStorm(seed);
    if (::testing::Test::HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, SimTest, ::testing::Range<uint64_t>(1, 7));

TEST(SimDeterminismTest, TheSameSeedIsTheSameLife) {
  const auto life = [](uint64_t seed) {
    ClusterSim sim({.seed = seed});
    Storm storm(&sim, 5'000);
    sim.RunFor(20 * kMinute);
    const SimCounters& counters = sim.counters();
    return fmt::format("{} {} {} {}", counters.heartbeats, counters.copies, counters.deletions,
                       counters.written);
  };
  EXPECT_EQ(life(3), life(3));
  EXPECT_NE(life(3), life(4));
}

}  // namespace
}  // namespace cairn::sim
