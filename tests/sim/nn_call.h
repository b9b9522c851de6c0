// ClusterSim::Nn: only for the files of ClusterSim itself.
#pragma once

#include <time.h>

#include "tests/sim/cluster_sim.h"

namespace cairn::sim {

inline double ThreadCpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

template <typename Call>
auto ClusterSim::Nn(Call call, double* also) {
  const double before = ThreadCpuSeconds();
  auto result = call(*manager_);
  const double took = ThreadCpuSeconds() - before;
  counters_.cpu += took;
  if (also != nullptr) *also += took;
  return result;
}

}  // namespace cairn::sim
