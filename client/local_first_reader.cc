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
                                   uint64_t offset, uint64_t length, std::shared_ptr<Wakeup> wakeup)
    : core_(core),
      block_(std::move(block)),
      node_(std::move(node)),
      position_(offset),
      end_(offset + length),
      wakeup_(std::move(wakeup)) {}

LocalFirstReader::~LocalFirstReader() = default;

absl::Status LocalFirstReader::Open() {
  absl::StatusOr<LocalReplica> replica = core_->local_replicas().Open(block_, node_);
  if (replica.ok()) {
    local_ = std::make_unique<LocalReader>(*std::move(replica), position_, bytes_left());
    if (local_->Open().ok()) return absl::OkStatus();
    local_.reset();
  }
  OpenRemote();
  return remote_opened_;
}

void LocalFirstReader::OpenRemote() {
  remote_ = std::make_unique<BlockReader>(core_, block_, node_, position_, bytes_left(), wakeup_);
  remote_opened_ = remote_->Open();
}

absl::StatusOr<bool> LocalFirstReader::Poll() {
  if (local_ != nullptr) return true;
  RETURN_IF_ERROR(remote_opened_);
  return remote_->Poll();
}

size_t LocalFirstReader::Read(std::span<char> out) {
  if (local_ == nullptr) {
    const size_t count = remote_->Read(out);
    position_ += count;
    core_->local_replicas().CountRemote(count);
    return count;
  }
  const absl::StatusOr<size_t> count = local_->Read(out);
  if (count.ok()) {
    position_ += *count;
    core_->local_replicas().CountLocal(*count);
    return *count;
  }
  LogDebug("block {}: the files of the replica on this host fail, DataNode {} is asked: {}",
           block_.block().id(), NameOf(node_), MessageOf(count.status()));
  core_->local_replicas().CountFallback();
  local_.reset();
  OpenRemote();
  return 0;
}

bool LocalFirstReader::Seek(uint64_t offset) {
  if (!(local_ != nullptr ? local_->Seek(offset) : remote_->Seek(offset))) return false;
  position_ = offset;
  return true;
}

bool LocalFirstReader::Extend(uint64_t end) {
  if (local_ == nullptr || !local_->Extend(end)) return false;
  end_ = end;
  return true;
}

void LocalFirstReader::AskToVerify() {
  if (remote_ != nullptr) remote_->AskToVerify();
}

}  // namespace cairn
