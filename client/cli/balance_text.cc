#include "client/cli/balance_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include <nlohmann/json.hpp>

#include "client/cli/progress.h"
#include "common/units.h"

namespace cairn::cli {
namespace {

std::string Line(std::string_view name, std::string_view value) {
  return fmt::format("{:<10} {}\n", name, value);
}

uint64_t Rate(const BalanceStatus& status) {  // bytes a second
  if (status.elapsed_ms <= 0) return 0;
  return static_cast<uint64_t>(static_cast<double>(status.bytes_moved) * 1000 /
                               static_cast<double>(status.elapsed_ms));
}

}  // namespace

std::string BalanceText(const BalanceStatus& status) {
  const bool ran = status.state != "none";
  std::string text =
      Line("state",
           ran ? fmt::format("{}{} {}", status.state, status.state == "running" ? " for" : " after",
                             FormatSeconds(static_cast<uint64_t>(status.elapsed_ms / 1000)))
               : std::string("has not run since the NameNode started"));
  if (!status.reason.empty()) text += Line("reason", status.reason);
  text += Line(
      "use", fmt::format("{:.1f}% on average; the fullest is {:.1f}% over that, the "
                         "emptiest {:.1f}% under",
                         status.mean_percent, status.most_over_percent, status.most_under_percent));
  if (!ran) return text + Line("nodes", fmt::format("{}", status.nodes));
  text +=
      Line("nodes", fmt::format("{}: {} over the threshold of {:g}%, {} under", status.nodes,
                                status.nodes_over, status.threshold_percent, status.nodes_under));
  text += Line("moved", fmt::format("{} replicas, {}; {} failed", status.moves_done,
                                    FormatSize(status.bytes_moved), status.moves_failed));
  text += Line("under way", fmt::format("{} replicas, {}", status.moves_in_flight,
                                        FormatSize(status.bytes_in_flight)));
  return text + Line("left", fmt::format("{} at least", FormatSize(status.bytes_left)));
}

std::string BalanceJson(const BalanceStatus& status) {
  const nlohmann::ordered_json json = {{"state", status.state},
                                       {"reason", status.reason},
                                       {"threshold_percent", status.threshold_percent},
                                       {"mean_percent", status.mean_percent},
                                       {"most_over_percent", status.most_over_percent},
                                       {"most_under_percent", status.most_under_percent},
                                       {"nodes", status.nodes},
                                       {"nodes_over", status.nodes_over},
                                       {"nodes_under", status.nodes_under},
                                       {"bytes_left", status.bytes_left},
                                       {"moves_done", status.moves_done},
                                       {"bytes_moved", status.bytes_moved},
                                       {"moves_failed", status.moves_failed},
                                       {"moves_in_flight", status.moves_in_flight},
                                       {"bytes_in_flight", status.bytes_in_flight},
                                       {"elapsed_ms", status.elapsed_ms},
                                       {"started", status.started}};
  return json.dump(2);
}

std::string FormatBalance(const BalanceStatus& status, size_t columns) {
  const uint64_t rate = Rate(status);
  const uint64_t total = status.bytes_moved + status.bytes_left;
  std::string text = fmt::format("{} moved, {} left", FormatSize(status.bytes_moved),
                                 FormatSize(status.bytes_left));
  if (!status.reason.empty()) {
    text += ": " + status.reason;
  } else if (rate > 0) {
    text += fmt::format(", {}/s, {} left", FormatSize(rate),
                        FormatSeconds(status.bytes_left / rate + 1));
  }
  const double part =
      total == 0 ? 0 : static_cast<double>(status.bytes_moved) / static_cast<double>(total);
  return FormatBar(part, text, columns);
}

absl::StatusOr<bool> Balanced(const BalanceStatus& status) {
  if (status.state == "running") return false;
  if (status.state == "balanced") return true;
  if (status.state == "none") {
    return absl::FailedPreconditionError(
        "the NameNode was started again, which ends the balancer; start it once more");
  }
  return absl::FailedPreconditionError(status.reason);
}

}  // namespace cairn::cli
