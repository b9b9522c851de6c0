#include "client/file_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

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

absl::Status NoReplica(const v1::LocatedBlock& block, const absl::Status& last) {
  const uint64_t id = block.block().id();
  if (block.corrupt()) {
    return WithKind(absl::DataLossError(fmt::format("block {}: every replica is corrupt", id)),
                    ErrorKind::kChecksum);
  }
  if (block.nodes_size() == 0) {
    return absl::UnavailableError(
        fmt::format("block {} is missing: no live DataNode has a good replica", id));
  }
  const std::string message = fmt::format("block {}: none of its {} replicas can be read: {}", id,
                                          block.nodes_size(), MessageOf(last));
  if (KindOf(last) == ErrorKind::kChecksum) {
    return WithKind(absl::DataLossError(message), ErrorKind::kChecksum);
  }
  return absl::UnavailableError(message);
}

}  // namespace

FileReader::FileReader(std::shared_ptr<ClientCore> core, std::string path, const ReadableFile& file)
    : core_(std::move(core)),
      path_(std::move(path)),
      status_(FromProto(file.located.status())),
      length_(file.length) {
  TakeLocations(file.located);
}

FileReader::FileReader(std::shared_ptr<ClientCore> core, std::string path, FileStatus status,
                       uint64_t length, Locations blocks)
    : core_(std::move(core)),
      path_(std::move(path)),
      status_(std::move(status)),
      length_(length),
      blocks_(std::move(blocks)) {}

FileReader::~FileReader() = default;

std::unique_ptr<InputStream> FileReader::Clone() {
  MutexLock lock(mu_);
  return std::unique_ptr<InputStream>(new FileReader(core_, path_, status_, length_, blocks_));
}

void FileReader::Close() {
  closed_ = true;
  cursor_.reader.reset();
}

absl::Status FileReader::Seek(uint64_t offset) {
  if (offset > length_) {
    return absl::OutOfRangeError(
        fmt::format("offset {} is beyond the end of the file ({} bytes)", offset, length_));
  }
  position_ = offset;
  return absl::OkStatus();
}

absl::StatusOr<size_t> FileReader::Read(std::span<char> out) {
  if (closed_) return absl::FailedPreconditionError("the stream is closed");
  const size_t count = std::min<uint64_t>(out.size(), length_ - position_);
  RETURN_IF_ERROR(ReadFully(cursor_, position_, out.first(count), ReadAhead::kToBlockEnd));
  position_ += count;
  return count;
}

absl::StatusOr<size_t> FileReader::ReadAt(uint64_t offset, std::span<char> out) {
  if (offset >= length_) return size_t{0};
  const size_t count = std::min<uint64_t>(out.size(), length_ - offset);
  Cursor cursor;
  RETURN_IF_ERROR(ReadFully(cursor, offset, out.first(count), ReadAhead::kNo));
  return count;
}

absl::Status FileReader::ReadFully(Cursor& cursor, uint64_t offset, std::span<char> out,
                                   ReadAhead read_ahead) {
  while (!out.empty()) {
    if (cursor.reader == nullptr || cursor.offset != offset) {
      RETURN_IF_ERROR(Position(cursor, offset, out.size(), read_ahead));
    }
    const absl::StatusOr<size_t> count = cursor.reader->Read(out);
    if (!count.ok()) {
      Failed(cursor, count.status());
      continue;
    }
    offset += *count;
    out = out.subspan(*count);
    cursor.offset = offset;
    cursor.fetched_again = false;
    cursor.asked_again = false;
    if (cursor.reader->bytes_left() == 0) cursor.reader.reset();
  }
  return absl::OkStatus();
}

absl::Status FileReader::Position(Cursor& cursor, uint64_t offset, uint64_t want,
                                  ReadAhead read_ahead) {
  cursor.reader.reset();
  while (true) {
    ASSIGN_OR_RETURN(const v1::LocatedBlock block, Locate(offset));
    const std::optional<v1::NodeAddress> node = Choose(block);
    if (!node) {
      Forget(block);
      // The second time in a row it is an error; the next read starts anew.
      cursor.fetched_again = !cursor.fetched_again;
      if (!cursor.fetched_again) return NoReplica(block, cursor.last_failure);
      continue;
    }
    const uint64_t start = offset - block.offset();
    uint64_t length = std::min(block.block().length() - start, length_ - offset);
    if (read_ahead == ReadAhead::kNo) length = std::min(length, want);
    // A node that is only slow is better than none.
    const TransferOptions& transfer = core_->options().transfer;
    const int64_t stall_ms = cursor.fetched_again ? transfer.max_progress_ms : transfer.stall_ms;
    cursor.reader =
        std::make_unique<LocalFirstReader>(core_.get(), block, *node, start, length, stall_ms);
    cursor.offset = offset;
    const absl::Status status = cursor.reader->Open();
    if (status.ok()) return status;
    Failed(cursor, status);
  }
}

void FileReader::Failed(Cursor& cursor, const absl::Status& status) {
  const v1::LocatedBlock& block = cursor.reader->block();
  const NodeNumber node = cursor.reader->node().number();
  LogDebug("block {}: {}", block.block().id(), MessageOf(status));
  cursor.last_failure = status;
  if (KindOf(status) == ErrorKind::kIdleStream && !std::exchange(cursor.asked_again, true)) {
    cursor.reader.reset();
    return;
  }
  {
    MutexLock lock(mu_);
    if (IsReplicasFault(status)) {
      bad_replicas_.emplace(block.block().id(), node);
    } else {
      bad_nodes_.insert(node);
    }
  }
  if (KindOf(status) == ErrorKind::kChecksum) cursor.reader->AskToVerify();
  cursor.reader.reset();
}

absl::StatusOr<v1::LocatedBlock> FileReader::Locate(uint64_t offset) {
  for (bool fetched = false;; fetched = true) {
    {
      MutexLock lock(mu_);
      auto it = blocks_.upper_bound(offset);
      if (it != blocks_.begin() && Holds((--it)->second, offset)) return it->second;
    }
    if (fetched) break;
    RETURN_IF_ERROR(FetchLocations(offset));
  }
  // A file that was being written when it was opened may have lost what was not flushed.
  return absl::DataLossError(
      fmt::format("the file ends before offset {}: it was cut while it was read", offset));
}

absl::Status FileReader::FetchLocations(uint64_t offset) {
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
  TakeLocations(located);
  return absl::OkStatus();
}

void FileReader::TakeLocations(const v1::GetBlockLocationsReply& located) {
  MutexLock lock(mu_);
  for (const v1::LocatedBlock& block : located.blocks()) {
    v1::LocatedBlock& known = blocks_[block.offset()];
    known = block;
    if (!block.open() || block.offset() >= length_) continue;
    // What may be read of it was asked when the file was opened.
    known.mutable_block()->set_length(
        std::min(length_ - block.offset(), std::max<uint64_t>(status_.block_size, 1)));
  }
}

std::optional<v1::NodeAddress> FileReader::Choose(const v1::LocatedBlock& block) {
  MutexLock lock(mu_);
  for (const v1::NodeAddress& node : block.nodes()) {
    if (!IsLive(node) || bad_nodes_.contains(node.number())) continue;
    if (bad_replicas_.contains({block.block().id(), node.number()})) continue;
    return node;
  }
  return std::nullopt;
}

void FileReader::Forget(const v1::LocatedBlock& block) {
  MutexLock lock(mu_);
  blocks_.erase(block.offset());
  for (const v1::NodeAddress& node : block.nodes()) {
    bad_nodes_.erase(node.number());
    bad_replicas_.erase({block.block().id(), node.number()});
  }
}

}  // namespace cairn
