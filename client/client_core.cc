#include "client/client_core.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "common/ids.h"
#include "common/net/address.h"
#include "common/options.h"
#include "common/status.h"

namespace cairn {
namespace {

constexpr uint16_t kNameNodePort = 8020;

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

std::string LoginName() {
  std::vector<char> buffer(16 << 10);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, buffer.data(), buffer.size(), &found) == 0 && found) {
    return found->pw_name;
  }
  return fmt::format("{}", geteuid());
}

absl::Status CheckTransfer(const TransferOptions& transfer) {
  if (transfer.packet_bytes == 0 || transfer.packet_bytes % kChunkBytes != 0) {
    return UsageError("a packet's size must be a multiple of 4K");
  }
  if (transfer.window_packets == 0 || transfer.stall_ms <= 0 || transfer.max_progress_ms <= 0 ||
      transfer.connect_ms <= 0 || transfer.local_ms <= 0 || transfer.heartbeat_ms <= 0 ||
      transfer.write_attempts <= 0 || transfer.slow_window_ms <= 0 ||
      transfer.retry_pause_ms <= 0) {
    return UsageError("window, times and attempts of transfers must be above 0");
  }
  if (transfer.blocks_at_once < 1 || transfer.blocks_at_once > 3) {
    return UsageError("blocks that are filled at once must be 1 to 3");
  }
  if (!(transfer.hedge_share >= 0 && transfer.hedge_share <= 1) || transfer.hedge_min_ms <= 0) {
    return UsageError("the share of hedged reads must be 0 to 1, their least patience above 0");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::shared_ptr<ClientCore>> ClientCore::Make(ClientOptions options) {
  ASSIGN_OR_RETURN(const std::vector<HostPort> addresses,
                   ParseHostPortList(options.namenodes, kNameNodePort));
  if (options.timeout_ms <= 0) return UsageError("the timeout must be above 0");
  RETURN_IF_ERROR(CheckTransfer(options.transfer));
  options.namenodes.clear();
  for (const HostPort& address : addresses) options.namenodes.push_back(address.ToString());
  if (options.user.empty()) options.user = LoginName();
  if (options.host.empty()) options.host = HostName();
  return std::make_shared<ClientCore>(std::move(options));
}

ClientCore::ClientCore(ClientOptions options)
    : options_(std::move(options)),
      name_(fmt::format("{}@{}", options_.user, options_.host)),
      clock_(NewSystemClock()),
      namenode_({.addresses = options_.namenodes,
                 .user = options_.user,
                 .host = options_.host,
                 .rack = options_.rack,
                 .timeout_ms = options_.timeout_ms},
                &channels_, clock_.get()),
      datanodes_(&channels_),
      local_replicas_({.enabled = options_.short_circuit,
                       .patience_ms = options_.transfer.local_ms,
                       .host = options_.host,
                       .client = name_},
                      &datanodes_, clock_.get()),
      leases_(&namenode_),
      packet_size_(options_.transfer.packet_bytes),
      hedging_({.share = options_.transfer.hedge_share,
                .min_us = options_.transfer.hedge_min_ms * 1000}) {}

}  // namespace cairn
