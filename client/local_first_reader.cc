#include "client/local_first_reader.h"

#include <utility>

#include "client/client_core.h"
#include "client/connect.h"
#include "client/local_reader.h"
#include "client/local_replicas.h"
#include "common/logging.h"
#include "common/status.h"

namespace cairn {

LocalFirstReader::LocalFirstReader(ClientCore* core, v1::LocatedBlock block, v1::NodeAddress node,
                                   uint64_t offset, uint64_t length, int64_t stall_ms)
    : core_(core),
      block_(std::move(block)),
      node_(std::move(node)),
      position_(offset),
      end_(offset + length),
      stall_ms_(stall_ms) {}

LocalFirstReader::~LocalFirstReader() = default;

absl::Status LocalFirstReader::Open() {
  absl::StatusOr<LocalReplica> replica = core_->local_replicas().Open(block_, node_);
  if (replica.ok()) {
    local_ = std::make_unique<LocalReader>(*std::move(replica), position_, bytes_left());
    if (local_->Open().ok()) return absl::OkStatus();
    local_.reset();
  }
  return OpenRemote();
}

absl::Status LocalFirstReader::OpenRemote() {
  remote_ = std::make_unique<BlockReader>(core_, block_, node_, position_, bytes_left(), stall_ms_);
  return remote_->Open();
}

absl::StatusOr<size_t> LocalFirstReader::Read(std::span<char> out) {
  if (local_ != nullptr) {
    const absl::StatusOr<size_t> count = local_->Read(out);
    if (count.ok()) {
      position_ += *count;
      core_->local_replicas().CountLocal(*count);
      return count;
    }
    LogDebug("block {}: the files of the replica on this host fail, DataNode {} is asked: {}",
             block_.block().id(), NameOf(node_), MessageOf(count.status()));
    core_->local_replicas().CountFallback();
    local_.reset();
    RETURN_IF_ERROR(OpenRemote());
  }
  ASSIGN_OR_RETURN(const size_t count, remote_->Read(out));
  position_ += count;
  core_->local_replicas().CountRemote(count);
  return count;
}

void LocalFirstReader::AskToVerify() {
  if (remote_ != nullptr) remote_->AskToVerify();
}

}  // namespace cairn
