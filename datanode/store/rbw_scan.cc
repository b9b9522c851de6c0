// What a Volume finds under rbw/ at the start: replicas that were open when the last run ended.
//
// Their last bytes may have reached the disk or not, each sector by itself. What is kept is the
// longest prefix that the checksums or the newest slot prove.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "common/crc32c.h"
#include "common/logging.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/open_files.h"
#include "datanode/store/replica_names.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

constexpr size_t kPieceBytes = 1 << 20;

// Of a chunk, as far as it is there: the longest part that has this CRC; 0: none.
uint64_t LongestWithCrc(std::string_view chunk, uint32_t crc) {
  uint64_t longest = 0;
  uint32_t running = 0;
  for (size_t i = 0; i < chunk.size(); ++i) {
    running = Crc32cExtend(running, chunk.substr(i, 1));
    if (running == crc) longest = i + 1;
  }
  return longest;
}

// The longest prefix that the chunks' CRCs prove.
absl::StatusOr<OpenReplica::Extent> ProveByChecksums(File& data, File& checksums) {
  OpenReplica::Extent proven;
  std::string piece(kPieceBytes, '\0');
  while (true) {
    ASSIGN_OR_RETURN(const size_t n, data.ReadAt(proven.length, piece));
    std::string bytes(4 * ChunksOf(n), '\0');
    ASSIGN_OR_RETURN(const size_t crc_bytes,
                     checksums.ReadAt(ChecksumOffset(proven.length), bytes));
    std::vector<uint32_t> crcs;
    DecodeChecksums(std::string_view(bytes).substr(0, crc_bytes), &crcs);
    for (size_t i = 0; i < crcs.size(); ++i) {
      const std::string_view chunk =
          std::string_view(piece).substr(0, n).substr(i * kChunkBytes, kChunkBytes);
      const bool whole = Crc32c(chunk) == crcs[i];
      const uint64_t bytes_of_it = whole ? chunk.size() : LongestWithCrc(chunk, crcs[i]);
      if (bytes_of_it > 0) proven = {proven.length + bytes_of_it, crcs[i]};
      if (bytes_of_it < kChunkBytes) return proven;
    }
    if (n < kPieceBytes || crcs.size() < kPieceBytes / kChunkBytes) return proven;
  }
}

// Whether the data up to where the slot says is what was durable; `proven` by the chunks' CRCs.
absl::StatusOr<bool> SlotHolds(File& data, const ChecksumSlot& slot,
                               const OpenReplica::Extent& proven) {
  const uint64_t start = (slot.synced_length - 1) / kChunkBytes * kChunkBytes;
  if (proven.length < start) return false;
  std::string bytes(slot.synced_length - start, '\0');
  ASSIGN_OR_RETURN(const size_t n, data.ReadAt(start, bytes));
  return n == bytes.size() && Crc32c(bytes) == slot.tail_crc;
}

bool HasNoHeader(std::string_view bytes) {
  const std::string_view fixed = bytes.substr(0, ChecksumSlotOffset(1));
  return std::all_of(fixed.begin(), fixed.end(), [](char c) { return c == '\0'; });
}

}  // namespace

absl::Status Volume::ScanRbw(std::vector<FoundReplica>* found) {
  const std::string folder = current_ + "/rbw";
  ASSIGN_OR_RETURN(const std::vector<std::string> names, env_->List(folder));
  std::map<BlockId, FilesOfBlock> blocks;
  for (const std::string& name : names) {
    const auto parsed = ParseReplicaFileName(name);
    if (!parsed || parsed->kind == ReplicaFileName::kUnsynced) {
      LogWarn("{}/{}: not a file of an open replica, left alone", folder, name);
      continue;
    }
    blocks[parsed->block.id].Add(*parsed);
  }
  for (const auto& [id, files] : blocks) {
    if (files.data && files.checksums.empty() && files.bad_marks.empty()) {
      RETURN_IF_ERROR(SettleCutMove(id));
    } else {
      RETURN_IF_ERROR(ExamineOpen(id, files, found));
    }
  }
  return absl::OkStatus();
}

// Data whose checksums are still, or already, under finalized/ goes there: on its way out nothing
// was changed yet, on its way in all was done.
absl::Status Volume::SettleCutMove(BlockId id) {
  const std::string data = DataFile(Place::kRbw, id);
  const std::string folder = FolderOf(Place::kFinalized, id);
  FilesOfBlock files;
  if (const auto names = env_->List(folder); names.ok()) {
    for (const std::string& name : *names) {
      const auto parsed = ParseReplicaFileName(name);
      if (parsed && parsed->block.id == id) files.Add(*parsed);
    }
  } else if (!absl::IsNotFound(names.status())) {
    return names.status();
  }
  if (files.data || (files.checksums.empty() && files.unsynced.empty())) {
    LogInfo("{}: removed, it has no checksums", data);
    return env_->Remove(data);
  }
  RETURN_IF_ERROR(env_->Rename(data, DataFile(Place::kFinalized, id)));
  RETURN_IF_ERROR(env_->SyncDir(folder));
  return env_->SyncDir(FolderOf(Place::kRbw, id));
}

absl::Status Volume::ExamineOpen(BlockId id, const FilesOfBlock& files,
                                 std::vector<FoundReplica>* found) {
  FoundReplica best{.block = {.id = id}, .place = Place::kRbw};
  if (files.data && !files.bad_marks.empty()) {
    best.block = files.bad_marks.front();
    best.bad = true;
    best.reason = "it was marked bad";
  }
  for (const Block& block : files.checksums) {
    if (!files.data) break;
    ASSIGN_OR_RETURN(FoundReplica replica, ProveOpen(Place::kRbw, block));
    // An older one beside it is what a removal left that failed: the data is not its.
    if (replica.bad && block.generation == files.checksums.front().generation) best = replica;
    if (replica.bad || replica.kept.length == 0) continue;
    best = std::move(replica);
    break;
  }
  for (const Block& block : files.checksums) {
    if (block.generation != best.block.generation) {
      RETURN_IF_ERROR(env_->Remove(ChecksumFile(Place::kRbw, block)));
    }
  }
  if (!best.bad && best.kept.length == 0) {
    LogInfo("block {} in {}: removed, nothing of its open replica is whole", id, path_);
    return RemoveOpen(id, files);
  }
  if (!best.bad) {
    RETURN_IF_ERROR(CutToKept(best));
    best.block.length = best.kept.length;
  }
  found->push_back(std::move(best));
  return absl::OkStatus();
}

absl::Status Volume::RemoveOpen(BlockId id, const FilesOfBlock& files) {
  RETURN_IF_ERROR(Remove(Place::kRbw, {.id = id}));
  for (const Block& block : files.checksums) RETURN_IF_ERROR(Remove(Place::kRbw, block));
  for (const Block& block : files.bad_marks) RETURN_IF_ERROR(Remove(Place::kRbw, block));
  return absl::OkStatus();
}

absl::StatusOr<FoundReplica> Volume::ProveOpen(Place place, const Block& block) {
  FoundReplica found{.block = block, .place = place};
  const auto bad = [&](std::string_view reason) {
    found.bad = true;
    found.reason = reason;
    return found;
  };
  const auto read = [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const auto data, env_->Open(DataFile(place, block.id), OpenMode::kRead));
    ASSIGN_OR_RETURN(const auto checksums, env_->Open(ChecksumFile(place, block), OpenMode::kRead));
    ASSIGN_OR_RETURN(found.block.length, data->Size());
    std::string header(kChecksumHeaderBytes, '\0');
    ASSIGN_OR_RETURN(const size_t n, checksums->ReadAt(0, header));
    header.resize(n);
    if (HasNoHeader(header)) return absl::OkStatus();  // it did not reach the disk
    ASSIGN_OR_RETURN(const ChecksumHeader decoded, DecodeOpenChecksumHeader(header, block.id));
    found.durable = decoded.newest;
    ASSIGN_OR_RETURN(found.kept, ProveByChecksums(*data, *checksums));
    if (found.durable.synced_length <= found.kept.length) return absl::OkStatus();
    ASSIGN_OR_RETURN(const bool holds, SlotHolds(*data, found.durable, found.kept));
    if (holds) {
      found.kept = {found.durable.synced_length, found.durable.tail_crc};
    } else if (found.durable.sequence >= kFirstSyncSequence) {
      return absl::DataLossError(fmt::format("{} bytes of it were durable, {} are whole",
                                             found.durable.synced_length, found.kept.length));
    }
    return absl::OkStatus();
  };
  const absl::Status status = read();
  if (absl::IsResourceExhausted(status)) return status;  // not the replica's fault
  return status.ok() ? found : bad(MessageOf(status));
}

absl::Status Volume::CutToKept(const FoundReplica& replica) {
  const Block& block = replica.block;
  if (block.length > replica.kept.length) {
    LogInfo("block {} (generation {}) in {}: {} of its {} bytes are whole", block.id,
            block.generation, path_, replica.kept.length, block.length);
  }
  ASSIGN_OR_RETURN(
      const auto files,
      OpenFiles::Open(env_, DataFile(Place::kRbw, block.id), ChecksumFile(Place::kRbw, block),
                      std::make_shared<OpenReplica>(replica.kept, 0, replica.durable)));
  return files->SyncFiles();
}

}  // namespace cairn::datanode
