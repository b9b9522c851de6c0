// The balancer's run for people and programs: what `admin balance` prints, and what `--wait` makes
// of it. Pure functions, thread-safe.
#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "client/admin_client.h"

namespace cairn::cli {

// A line for each figure.
std::string BalanceText(const BalanceStatus& status);
// {"state","reason","threshold_percent","mean_percent","most_over_percent","most_under_percent",
// "nodes","nodes_over","nodes_under","bytes_left","moves_done","bytes_moved","moves_failed",
// "moves_in_flight","bytes_in_flight","elapsed_ms","started"}, indented.
std::string BalanceJson(const BalanceStatus& status);
// " 42% [=====>      ] 4.2G moved, 5.8G left, 85M/s, 1m10s left", at most `columns` wide; what the
// run waits for, if anything, instead of the time.
std::string FormatBalance(const BalanceStatus& status, size_t columns);
// Whether the run that was waited for has ended well. FAILED_PRECONDITION: in another way.
absl::StatusOr<bool> Balanced(const BalanceStatus& status);

}  // namespace cairn::cli
