#include "client/block_locations.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/client_core.h"
#include "client/connect.h"
#include "client/convert.h"
#include "common/logging.h"
#include "common/status.h"

namespace cairn {
namespace {

constexpr uint64_t kBlocksPerFetch = 32;  // locations asked for at once

bool Holds(const v1::LocatedBlock& block, uint64_t offset) {
  return block.offset() <= offset && offset < block.offset() + block.block().length();
}

// The replica itself is at fault, not its node.
bool IsReplicasFault(const absl::Status& status) {
  return KindOf(status) == ErrorKind::kChecksum || absl::IsNotFound(status) ||
         absl::IsOutOfRange(status) || absl::IsFailedPrecondition(status) ||
         absl::IsDataLoss(status);
}

}  // namespace

BlockLocations::BlockLocations(ClientCore* core, std::string path, const ReadableFile& file)
    : core_(core),
      path_(std::move(path)),
      status_(FromProto(file.located.status())),
      length_(file.length) {
  MutexLock lock(mu_);
  Take(file.located);
}

absl::StatusOr<v1::LocatedBlock> BlockLocations::Locate(uint64_t offset) {
  {
    MutexLock lock(mu_);
    if (auto known = Known(offset); known.has_value()) return *std::move(known);
  }
  return Fetch(offset);
}

absl::StatusOr<v1::LocatedBlock> BlockLocations::Fetch(uint64_t offset) {
  v1::GetBlockLocationsRequest request;
  request.set_path(path_);
  request.set_offset(offset);
  request.set_length(
      std::min(length_ - offset, kBlocksPerFetch * std::max<uint64_t>(status_.block_size, 1)));
  ASSIGN_OR_RETURN(const v1::GetBlockLocationsReply located,
                   core_->namenode().GetBlockLocations(std::move(request)));
  if (located.status().inode() != status_.inode) {
    return absl::FailedPreconditionError("the file was replaced while it was read");
  }
  // Under one lock: another reader may be about to forget the block.
  MutexLock lock(mu_);
  Take(located);
  if (auto known = Known(offset); known.has_value()) return *std::move(known);
  // A file that was being written when it was opened may have lost what was not flushed.
  return absl::DataLossError(
      fmt::format("the file ends before offset {}: it was cut while it was read", offset));
}

void BlockLocations::Take(const v1::GetBlockLocationsReply& located) {
  for (const v1::LocatedBlock& block : located.blocks()) {
    v1::LocatedBlock& known = blocks_[block.offset()];
    known = block;
    if (!block.open() || block.offset() >= length_) continue;
    // What may be read of it was asked when the file was opened.
    known.mutable_block()->set_length(
        std::min(length_ - block.offset(), std::max<uint64_t>(status_.block_size, 1)));
  }
}

std::optional<v1::LocatedBlock> BlockLocations::Known(uint64_t offset) const {
  auto it = blocks_.upper_bound(offset);
  if (it == blocks_.begin() || !Holds((--it)->second, offset)) return std::nullopt;
  return it->second;
}

std::vector<v1::NodeAddress> BlockLocations::Candidates(const v1::LocatedBlock& block,
                                                        size_t turn) {
  std::vector<v1::NodeAddress> nodes;
  {
    MutexLock lock(mu_);
    for (const v1::NodeAddress& node : block.nodes()) {
      if (!IsLive(node) || bad_nodes_.contains(node.number())) continue;
      if (bad_replicas_.contains({block.block().id(), node.number()})) continue;
      nodes.push_back(node);
    }
  }
  const int64_t now_us = core_->clock().SteadyUs();
  const auto slow = std::stable_partition(nodes.begin(), nodes.end(), [&](const auto& node) {
    return !core_->hedging().IsSlow(node.number(), now_us);
  });
  if (turn == 0 || slow - nodes.begin() < 2) return nodes;
  const std::string rack = nodes.front().rack();
  const auto far = std::stable_partition(nodes.begin(), slow,
                                         [&](const auto& node) { return node.rack() == rack; });
  const auto steps = turn % static_cast<size_t>(far - nodes.begin());
  std::rotate(nodes.begin(), nodes.begin() + static_cast<std::ptrdiff_t>(steps), far);
  return nodes;
}

void BlockLocations::Failed(const v1::LocatedBlock& block, NodeNumber node,
                            const absl::Status& status) {
  LogDebug("block {}: {}", block.block().id(), MessageOf(status));
  MutexLock lock(mu_);
  if (IsReplicasFault(status)) {
    bad_replicas_.emplace(block.block().id(), node);
  } else {
    bad_nodes_.insert(node);
  }
}

void BlockLocations::Forget(const v1::LocatedBlock& block) {
  MutexLock lock(mu_);
  blocks_.erase(block.offset());
  for (const v1::NodeAddress& node : block.nodes()) {
    bad_nodes_.erase(node.number());
    bad_replicas_.erase({block.block().id(), node.number()});
  }
}

}  // namespace cairn
