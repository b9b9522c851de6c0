#include "client/file_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>
#include <vector>

#include "client/connect.h"
#include "common/mutex.h"
#include "common/status.h"
#include "common/thread_cache.h"

namespace cairn {
namespace {

constexpr size_t kReadsAtOnce = 8;  // of one vectored read

absl::Status NoReplica(const v1::LocatedBlock& block, const absl::Status& last) {
  const uint64_t id = block.block().id();
  if (block.corrupt()) {
    return WithKind(absl::DataLossError(fmt::format("block {}: every replica is corrupt", id)),
                    ErrorKind::kChecksum);
  }
  if (!HasLiveNode(block)) {
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

// Calls `call` for 0 .. count - 1, several at once, until one fails.
absl::Status RunAtOnce(ThreadCache& threads, size_t count,
                       const std::function<absl::Status(size_t)>& call) {
  std::atomic<size_t> next{0};
  Mutex mu;
  absl::Status failed;
  const auto run = [&] {
    for (size_t i = next++; i < count; i = next++) {
      const absl::Status status = call(i);
      if (status.ok()) continue;
      next = count;
      MutexLock lock(mu);
      failed.Update(status);
    }
  };
  std::vector<ThreadCache::Task> tasks;
  for (size_t i = 1; i < std::min(count, kReadsAtOnce); ++i) tasks.push_back(threads.Run(run));
  run();
  for (ThreadCache::Task& task : tasks) task.Join();
  return failed;
}

}  // namespace

FileReader::FileReader(std::shared_ptr<ClientCore> core, std::string path, const ReadableFile& file)
    : FileReader(core, std::make_shared<BlockLocations>(core.get(), std::move(path), file)) {}

FileReader::FileReader(std::shared_ptr<ClientCore> core, std::shared_ptr<BlockLocations> locations)
    : core_(std::move(core)), locations_(std::move(locations)) {}

FileReader::~FileReader() = default;

std::unique_ptr<InputStream> FileReader::Clone() {
  return std::unique_ptr<InputStream>(new FileReader(core_, locations_));
}

void FileReader::Close() {
  closed_ = true;
  cursor_.race.reset();
}

absl::Status FileReader::Seek(uint64_t offset) {
  position_ = offset;
  return absl::OkStatus();
}

absl::StatusOr<size_t> FileReader::Read(std::span<char> out) {
  if (closed_) return absl::FailedPreconditionError("the stream is closed");
  if (position_ >= length()) return size_t{0};
  const size_t count = std::min<uint64_t>(out.size(), length() - position_);
  RETURN_IF_ERROR(ReadFully(cursor_, position_, out.first(count)));
  position_ += count;
  return count;
}

absl::StatusOr<size_t> FileReader::PRead(uint64_t offset, std::span<char> out) {
  return PReadInTurn(offset, out, /*turn=*/0);
}

absl::StatusOr<size_t> FileReader::PReadInTurn(uint64_t offset, std::span<char> out, size_t turn) {
  if (offset >= length()) return size_t{0};
  const size_t count = std::min<uint64_t>(out.size(), length() - offset);
  Cursor cursor = MakeCursor(/*window=*/nullptr, turn);
  RETURN_IF_ERROR(ReadFully(cursor, offset, out.first(count)));
  return count;
}

absl::Status FileReader::PReadV(std::span<ReadRange> ranges) {
  std::vector<std::pair<uint64_t, uint64_t>> wanted;
  wanted.reserve(ranges.size());
  for (ReadRange& range : ranges) {
    range.count = range.offset >= length()
                      ? 0
                      : std::min<uint64_t>(range.out.size(), length() - range.offset);
    wanted.emplace_back(range.offset, range.count);
  }
  const std::vector<MergedRead> reads = MergeRanges(wanted);
  return RunAtOnce(core_->readers(), reads.size(),
                   [&](size_t i) { return FetchMerged(reads[i], ranges, /*turn=*/i); });
}

absl::Status FileReader::FetchMerged(const MergedRead& read, std::span<ReadRange> ranges,
                                     size_t turn) {
  if (read.ranges.size() == 1) {
    const ReadRange& range = ranges[read.ranges.front()];
    return PReadInTurn(range.offset, range.out.first(range.count), turn).status();
  }
  const std::unique_ptr<char[]> buffer(new char[read.length]);  // not zeroed
  RETURN_IF_ERROR(PReadInTurn(read.offset, {buffer.get(), read.length}, turn).status());
  for (const size_t i : read.ranges) {
    std::memcpy(ranges[i].out.data(), buffer.get() + (ranges[i].offset - read.offset),
                ranges[i].count);
  }
  return absl::OkStatus();
}

absl::Status FileReader::ReadFully(Cursor& cursor, uint64_t offset, std::span<char> out) {
  while (!out.empty()) {
    RETURN_IF_ERROR(Position(cursor, offset, out.size()));
    const absl::StatusOr<size_t> count = cursor.race->Read(out);
    if (!count.ok()) {
      RETURN_IF_ERROR(NoReplicaLeft(cursor, count.status()));
      continue;
    }
    offset += *count;
    out = out.subspan(*count);
    if (cursor.window != nullptr) cursor.window->MoveTo(offset);
    cursor.fetched_again = false;
    cursor.busy.End();
    cursor.missing.End();
  }
  return absl::OkStatus();
}

absl::Status FileReader::Position(Cursor& cursor, uint64_t offset, uint64_t want) {
  if (cursor.race != nullptr) {
    const uint64_t start = cursor.race->block().offset();
    const bool stands_there = offset == start + cursor.race->position();
    if (stands_there && cursor.race->bytes_left() > 0) return absl::OkStatus();
    const uint64_t most =
        std::min(cursor.race->block().block().length(), locations_->length() - start);
    if (stands_there && offset < start + most && cursor.race->Extend(most)) return absl::OkStatus();
    if (!stands_there && offset >= start && cursor.race->Seek(offset - start)) {
      return absl::OkStatus();
    }
    cursor.race.reset();
  }
  ASSIGN_OR_RETURN(v1::LocatedBlock block, locations_->Locate(offset));
  const uint64_t start = offset - block.offset();
  const uint64_t ask = cursor.window == nullptr ? want : cursor.window->Take(offset, want);
  const uint64_t length =
      std::min({ask, block.block().length() - start, locations_->length() - offset});
  // A node that is only slow is better than none.
  const TransferOptions& transfer = core_->options().transfer;
  const int64_t stall_ms = cursor.fetched_again ? transfer.max_progress_ms : transfer.stall_ms;
  cursor.race = std::make_unique<ReplicaRace>(
      core_.get(), locations_.get(), std::move(block), start, length,
      ReplicaRace::Options{.stall_ms = stall_ms, .turn = cursor.turn});
  return absl::OkStatus();
}

absl::Status FileReader::NoReplicaLeft(Cursor& cursor, const absl::Status& last) {
  const v1::LocatedBlock block = cursor.race->block();
  cursor.race.reset();
  locations_->Forget(block);
  if (KindOf(last) == ErrorKind::kBusy &&
      cursor.busy.Begin(core_->options().transfer.max_progress_ms)) {
    cursor.busy.Pause();
    return absl::OkStatus();
  }
  if (!HasLiveNode(block)) {
    if (cursor.missing.Again(block.corrupt())) {
      cursor.fetched_again = false;
      return absl::OkStatus();
    }
    const std::string& starting = cursor.missing.starting();
    if (block.corrupt() || starting.empty()) return NoReplica(block, last);
    return WithKind(absl::UnavailableError(fmt::format("block {}: no replica is known; {}",
                                                       block.block().id(), starting)),
                    ErrorKind::kSafeMode);
  }
  cursor.missing.End();
  // The second time in a row it is an error; the next read starts anew.
  cursor.fetched_again = !cursor.fetched_again;
  return cursor.fetched_again ? absl::OkStatus() : NoReplica(block, last);
}

}  // namespace cairn
