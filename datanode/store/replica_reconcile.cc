// Memory and disk: what somebody has removed, put there or damaged beside this process.
//
// A comparison is made without any lock, so by the time it is done it may be wrong: replicas come,
// go and move meanwhile. What follows from it is therefore decided anew, by the one who has claimed
// the replica, and every file of a block that memory has anything of is left to that.
#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "common/data_dir.h"
#include "common/logging.h"
#include "datanode/store/replica_map.h"
#include "datanode/store/replica_names.h"
#include "datanode/store/replica_reader.h"
#include "datanode/store/replica_store.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

// What was reported and nobody is changing: it may be verified or forgotten here.
bool IsSettled(const Replica& replica) {
  return replica.state == ReplicaState::kFinalized && replica.durable() && !replica.owned() &&
         !replica.delete_requested && !replica.volume->failed();
}

bool HasGeneration(const std::vector<Block>& names, GenerationStamp generation) {
  for (const Block& name : names) {
    if (name.generation == generation) return true;
  }
  return false;
}

std::map<BlockId, FilesOfBlock> GroupByBlock(const std::vector<std::string>& names, size_t folder) {
  std::map<BlockId, FilesOfBlock> blocks;
  for (const std::string& name : names) {
    const auto parsed = ParseReplicaFileName(name);
    if (!parsed || FinalizedFolderOf(parsed->block.id) != folder) continue;
    blocks[parsed->block.id].Add(*parsed);
  }
  return blocks;
}

}  // namespace

Volume* ReplicaStore::FindVolume(size_t index) const {
  for (Volume* const volume : CurrentVolumes()) {
    if (volume->index() == index) return volume;
  }
  return nullptr;
}

bool ReplicaStore::InUse(size_t volume) const { return FindUsable(volume).ok(); }

absl::StatusOr<Volume*> ReplicaStore::FindUsable(size_t index) const {
  RETURN_IF_ERROR(CheckReady());
  Volume* volume = FindVolume(index);
  if (volume == nullptr || volume->failed()) {
    return absl::UnavailableError(fmt::format("data directory {} is out of use", index));
  }
  return volume;
}

void ReplicaStore::ForEachFinalized(size_t volume, const std::function<void(const Block&)>& f) {
  replicas_->ForEach([&](const Replica& replica) {
    if (IsSettled(replica) && replica.volume->index() == volume) f(replica.block);
  });
}

// --- comparing -----------------------------------------------------------------------------------

absl::StatusOr<FolderDifferences> ReplicaStore::CompareFolder(size_t index, size_t folder,
                                                              const std::vector<Block>& known) {
  ASSIGN_OR_RETURN(Volume* const volume, FindUsable(index));
  const BlockId any = (BlockId{folder / 32} << 16) | (BlockId{folder % 32} << 8);
  const auto names = env_->List(volume->FolderOf(Place::kFinalized, any));
  std::map<BlockId, FilesOfBlock> blocks;
  if (names.ok()) {
    blocks = GroupByBlock(*names, folder);
  } else if (absl::IsResourceExhausted(names.status())) {
    return names.status();
  } else if (absl::IsInternal(names.status())) {
    return volume->NoteWriteFailure(names.status());  // it cannot even be listed
  }
  FolderDifferences out;
  out.blocks = blocks.size();
  for (const Block& block : known) {
    const auto it = blocks.find(block.id);
    RETURN_IF_ERROR(
        JudgeKnown(*volume, block, it == blocks.end() ? FilesOfBlock{} : it->second, &out));
    if (it != blocks.end()) blocks.erase(it);
  }
  for (const auto& [id, files] : blocks) RETURN_IF_ERROR(JudgeUnknown(*volume, id, files, &out));
  return out;
}

absl::StatusOr<uint64_t> ReplicaStore::DataBytes(const Volume& volume, BlockId id) {
  ASSIGN_OR_RETURN(const auto file,
                   env_->Open(volume.DataFile(Place::kFinalized, id), OpenMode::kRead));
  return file->Size();
}

absl::Status ReplicaStore::JudgeKnown(const Volume& volume, const Block& block,
                                      const FilesOfBlock& files, FolderDifferences* out) {
  if (!files.data) {
    out->vanished.push_back(block);
    return absl::OkStatus();
  }
  const absl::StatusOr<uint64_t> bytes = DataBytes(volume, block.id);
  if (absl::IsResourceExhausted(bytes.status())) return bytes.status();
  const bool fits = bytes.ok() && *bytes == block.length;
  // One that was in the small-replica log may have either name.
  const bool named = HasGeneration(files.checksums, block.generation) ||
                     HasGeneration(files.unsynced, block.generation);
  if (!fits || !named) out->damaged.push_back(block);
  return absl::OkStatus();
}

absl::Status ReplicaStore::JudgeUnknown(Volume& volume, BlockId id, const FilesOfBlock& files,
                                        FolderDifferences* out) {
  const bool known =
      replicas_->WithShard(id, [&](const ReplicaMap::Shard& shard) { return shard.contains(id); });
  if (known) return absl::OkStatus();  // it is on its way, or elsewhere
  const std::string data = volume.DataFile(Place::kFinalized, id);
  if (files.data && !files.checksums.empty()) {
    const absl::StatusOr<uint64_t> bytes = DataBytes(volume, id);
    if (absl::IsResourceExhausted(bytes.status())) return bytes.status();
    for (const Block& name : files.checksums) {
      const Block block{id, name.generation, bytes.value_or(0)};
      if (!bytes.ok() || !volume.CheckLengths(block).ok()) continue;
      out->found.push_back(block);
      return absl::OkStatus();
    }
  }
  // It may have been removed since the folder was listed.
  const std::string& path = files.data || files.checksums.empty()
                                ? data
                                : volume.ChecksumFile(Place::kFinalized, files.checksums.front());
  if (env_->Exists(path).value_or(false)) out->left_alone.push_back(path);
  return absl::OkStatus();
}

// --- what follows from it ------------------------------------------------------------------------

// A disk that is not mounted any more, or another one in its place, has lost no replica.
absl::Status ReplicaStore::CheckIsMounted(Volume& volume) {
  const auto version = ReadDataDirVersion(*env_, volume.path(), DataDirType::kDataNode);
  if (absl::IsResourceExhausted(version.status())) return version.status();
  if (version.ok() && version->has_value() && (*version)->storage_id == volume.storage_id()) {
    return absl::OkStatus();
  }
  absl::Status lost = absl::UnavailableError(
      fmt::format("{}/VERSION is gone or not this directory's any more", volume.path()));
  volume.Fail(lost);
  return lost;
}

absl::StatusOr<bool> ReplicaStore::DropVanished(const Block& block) {
  RETURN_IF_ERROR(CheckReady());
  const auto check = [&](const Replica& replica) {
    const bool same = IsSettled(replica) && replica.block.generation == block.generation;
    return same ? absl::OkStatus() : NotHere(block);
  };
  Replica seen;
  RETURN_IF_ERROR(replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) -> absl::Status {
    const Replica* replica = FindExact(shard, block);
    if (replica == nullptr) return NotHere(block);
    seen = *replica;
    return check(*replica);
  }));
  Volume& volume = *seen.volume;
  const std::string data = volume.DataFile(Place::kFinalized, block.id);
  const auto is_there = [&]() -> absl::StatusOr<bool> {
    auto exists = env_->Exists(data);
    return exists.ok() ? exists : volume.NoteWriteFailure(exists.status());
  };
  ASSIGN_OR_RETURN(const bool before, is_there());
  if (before) return false;
  // The log may have it, but it is not known why the file went.
  RETURN_IF_ERROR(ForgetRecord(seen));
  ASSIGN_OR_RETURN(ReplicaClaim claim, replicas_->Claim(block.id, check));
  const Replica& replica = claim.replica();
  if (replica.volume != seen.volume) return NotHere(block);
  ASSIGN_OR_RETURN(const bool now, is_there());
  if (now) return false;
  RETURN_IF_ERROR(CheckIsMounted(volume));
  // Its checksums are of no use without it.
  RETURN_IF_ERROR(volume.NoteWriteFailure(volume.Remove(replica.place, replica.block)));
  LogError("block {} (generation {}) in {}: somebody has removed its file; the NameNode is told",
           block.id, block.generation, volume.path());
  claim.EndRemoved([&](const Replica& entry) {
    if (entry.state == ReplicaState::kFinalized) volume.AddFinalized(-1);
    volume.SubtractUsed(entry.length());
    Notify(&ReplicaObserver::OnDeleted, volume, entry.block);
  });
  return true;
}

absl::Status ReplicaStore::AddFound(size_t index, const Block& block) {
  ASSIGN_OR_RETURN(Volume* const volume, FindUsable(index));
  const Replica found{.block = block,
                      .state = ReplicaState::kFinalized,
                      .place = Place::kFinalized,
                      .volume = volume,
                      .busy = true};
  RETURN_IF_ERROR(CheckFound(*volume, found));
  RETURN_IF_ERROR(SyncFound(*volume, found));
  const bool entered = replicas_->WithShard(block.id, [&](ReplicaMap::Shard& shard) {
    // One that is removed takes nothing in any more: what it has is being forgotten.
    if (volume->failed() || !shard.emplace(block.id, found).second) return false;
    volume->AddUsed(block.length);
    volume->AddFinalized(1);
    return true;
  });
  if (!entered) {
    return absl::AlreadyExistsError(
        fmt::format("this node has a replica of block {}, or its disk is out of use", block.id));
  }
  ReplicaClaim claim(replicas_.get(), found);
  // Since it was verified, another replica of the block may have come and gone. From here on nobody
  // else is at its files.
  const absl::StatusOr<uint64_t> bytes = DataBytes(*volume, block.id);
  absl::Status fits = bytes.ok() ? volume->CheckLengths(block) : bytes.status();
  if (fits.ok() && *bytes != block.length) {
    fits = absl::DataLossError(fmt::format("block {}: its length has changed", block.id));
  }
  if (!fits.ok()) {
    claim.EndRemoved([&](const Replica& entry) {
      if (entry.state == ReplicaState::kFinalized) volume->AddFinalized(-1);
      volume->SubtractUsed(entry.length());
      Notify(&ReplicaObserver::OnDeleted, *volume, entry.block);
    });
    return fits;
  }
  NoteSeen(block);
  LogWarn("block {} (generation {}) in {}: somebody has put its files there; it is whole and taken",
          block.id, block.generation, volume->path());
  claim.End([&](Replica&) { Notify(&ReplicaObserver::OnReceived, *volume, block); });
  return absl::OkStatus();
}

absl::Status ReplicaStore::CheckFound(Volume& volume, const Replica& found) {
  RETURN_IF_ERROR(volume.CheckLengths(found.block));
  ASSIGN_OR_RETURN(const auto reader, OpenFilesOf(found, found.block.length));
  return CheckAllChunks(*reader);
}

// Who put it there has hardly synced it, and it may soon justify the deletion of another one.
absl::Status ReplicaStore::SyncFound(Volume& volume, const Replica& found) {
  for (const std::string& path : {volume.DataFile(found.place, found.block.id),
                                  volume.ChecksumFile(found.place, found.block)}) {
    ASSIGN_OR_RETURN(const auto file, env_->Open(path, OpenMode::kReadWrite));
    RETURN_IF_ERROR(volume.NoteWriteFailure(file->Sync()));
  }
  RETURN_IF_ERROR(volume.NoteWriteFailure(volume.PrepareFinalizedDir(found.block.id)));
  return volume.NoteWriteFailure(env_->SyncDir(volume.FolderOf(found.place, found.block.id)));
}

// --- the scrubber's own file ---------------------------------------------------------------------

absl::StatusOr<std::string> ReplicaStore::ReadScanFile(size_t index) {
  ASSIGN_OR_RETURN(Volume* const volume, FindUsable(index));
  return env_->ReadFile(volume->ScanFile());
}

absl::Status ReplicaStore::WriteScanFile(size_t index, std::string_view bytes) {
  ASSIGN_OR_RETURN(Volume* const volume, FindUsable(index));
  return volume->NoteWriteFailure(env_->WriteFileAtomically(volume->ScanFile(), bytes));
}

}  // namespace cairn::datanode
