// What a Volume finds under finalized/ at the start.
#include <fmt/format.h>

#include <map>
#include <string_view>

#include "common/logging.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/open_files.h"
#include "datanode/store/replica_names.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {

absl::StatusOr<std::vector<FoundReplica>> Volume::Scan() {
  std::vector<FoundReplica> found;
  // Open replicas first: some of their files may belong under finalized/.
  RETURN_IF_ERROR(ScanRbw(&found));
  const std::string root = current_ + "/finalized";
  ASSIGN_OR_RETURN(const std::vector<std::string> outer, env_->List(root));
  for (const std::string& first : outer) {
    const std::string folder = fmt::format("{}/{}", root, first);
    const auto inner = env_->List(folder);
    if (!inner.ok() || !first.starts_with("subdir")) {
      if (absl::IsInternal(inner.status())) return inner.status();
      LogWarn("{}: not a folder of replicas, left alone", folder);
      continue;
    }
    for (const std::string& second : *inner) {
      RETURN_IF_ERROR(ScanFolder(fmt::format("{}/{}", folder, second), &found));
    }
  }
  return found;
}

absl::Status Volume::ScanFolder(const std::string& folder, std::vector<FoundReplica>* found) {
  const auto names = env_->List(folder);
  if (!names.ok()) {
    if (absl::IsInternal(names.status())) return names.status();
    LogWarn("{}: not a folder of replicas, left alone", folder);
    return absl::OkStatus();
  }
  std::map<BlockId, FilesOfBlock> blocks;
  for (const std::string& name : *names) {
    const auto parsed = ParseReplicaFileName(name);
    if (!parsed || folder != FolderOf(Place::kFinalized, parsed->block.id)) {
      LogWarn("{}/{}: not a file of a replica of this folder, left alone", folder, name);
      continue;
    }
    blocks[parsed->block.id].Add(*parsed);
  }
  for (const auto& [id, files] : blocks) {
    if (files.data) {
      RETURN_IF_ERROR(ExamineWhole(id, files, found));
    } else {
      LogInfo("{}: removed the checksums of block {}, which has no data here", folder, id);
      RETURN_IF_ERROR(RemoveChecksums(files, {}));
    }
  }
  return absl::OkStatus();
}

absl::Status Volume::ExamineWhole(BlockId id, const FilesOfBlock& files,
                                  std::vector<FoundReplica>* found) {
  FoundReplica replica;
  replica.block.id = id;
  replica.bad = true;
  replica.reason = "its checksum file is missing";
  if (!files.bad_marks.empty()) {
    replica.block.generation = files.bad_marks.front().generation;
    replica.reason = "it was marked bad";
  }
  if (const auto data = env_->Open(DataFile(Place::kFinalized, id), OpenMode::kRead); data.ok()) {
    replica.block.length = (*data)->Size().value_or(0);
  }
  for (const Block& name : files.checksums) {
    const Block block{id, name.generation, replica.block.length};
    const absl::Status fits = CheckLengths(block);
    if (fits.ok()) {
      found->push_back({.block = block});
      return RemoveChecksums(files, ChecksumFile(Place::kFinalized, block));
    }
    replica.block = block;
    replica.reason = std::string(MessageOf(fits));
  }
  if (!files.unsynced.empty()) return ExamineUnsynced(files, found);
  found->push_back(std::move(replica));
  return absl::OkStatus();
}

// What an operation that was cut short left beside the checksum file that fits.
absl::Status Volume::RemoveChecksums(const FilesOfBlock& files, const std::string& except) {
  const auto remove = [&](const std::string& path) {
    if (path == except) return absl::OkStatus();
    absl::Status removed = env_->Remove(path);
    return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
  };
  for (const Block& block : files.checksums) {
    RETURN_IF_ERROR(remove(ChecksumFile(Place::kFinalized, block)));
  }
  for (const Block& block : files.unsynced) {
    RETURN_IF_ERROR(remove(ChecksumFile(Place::kUnsynced, block)));
  }
  for (const Block& block : files.bad_marks) {
    RETURN_IF_ERROR(remove(BadMark(Place::kFinalized, block)));
  }
  return absl::OkStatus();
}

// Finalized, to be synced later, when the last run ended: all of it may be there, or a part.
absl::Status Volume::ExamineUnsynced(const FilesOfBlock& files, std::vector<FoundReplica>* found) {
  const Block& block = files.unsynced.front();
  const std::string checksums = ChecksumFile(Place::kUnsynced, block);
  RETURN_IF_ERROR(RemoveChecksums(files, checksums));
  ASSIGN_OR_RETURN(FoundReplica replica, ProveOpen(Place::kUnsynced, block));
  if (replica.bad) {
    found->push_back(std::move(replica));
    return absl::OkStatus();
  }
  if (replica.kept.length == 0) {
    LogWarn("block {} (generation {}) in {}: nothing of it outlived the power cut", block.id,
            block.generation, path_);
    return Remove(Place::kUnsynced, block);
  }
  ASSIGN_OR_RETURN(
      const auto open_files,
      OpenFiles::Open(env_, DataFile(Place::kUnsynced, block.id), checksums,
                      std::make_shared<OpenReplica>(replica.kept, 0, replica.durable)));
  if (replica.kept.length == block.length) {
    RETURN_IF_ERROR(open_files->Sync());
    replica.place = Place::kFinalized;
  } else {
    LogWarn("block {} (generation {}) in {}: {} of its {} bytes outlived the power cut", block.id,
            block.generation, path_, replica.kept.length, block.length);
    RETURN_IF_ERROR(open_files->SyncFiles());
    replica.place = Place::kRbw;
  }
  RETURN_IF_ERROR(Move(Place::kUnsynced, block, replica.place, block, /*durable=*/true));
  replica.block.length = replica.kept.length;
  found->push_back(std::move(replica));
  return absl::OkStatus();
}

absl::Status Volume::CheckLengths(const Block& block) {
  ASSIGN_OR_RETURN(const auto file,
                   env_->Open(ChecksumFile(Place::kFinalized, block), OpenMode::kRead));
  ASSIGN_OR_RETURN(const uint64_t file_bytes, file->Size());
  std::string bytes(kChecksumHeaderBytes, '\0');
  ASSIGN_OR_RETURN(const size_t n, file->ReadAt(0, {bytes.data(), bytes.size()}));
  bytes.resize(n);
  ASSIGN_OR_RETURN(const ChecksumHeader header, DecodeChecksumHeader(bytes, block.id));
  const uint64_t length = header.newest.synced_length;
  if (length != block.length) {
    return absl::DataLossError(
        fmt::format("it has {} bytes, its checksum file is for {}", block.length, length));
  }
  if (file_bytes != ChecksumFileBytes(length)) {
    return absl::DataLossError(fmt::format("its checksum file has {} bytes instead of {}",
                                           file_bytes, ChecksumFileBytes(length)));
  }
  return absl::OkStatus();
}

}  // namespace cairn::datanode
