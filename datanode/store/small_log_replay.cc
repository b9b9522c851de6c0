#include "datanode/store/small_log_replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "common/logging.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/replica_names.h"
#include "datanode/store/small_log_format.h"

namespace cairn::datanode {
namespace {

bool Has(const std::vector<Block>& blocks, GenerationStamp generation) {
  return std::any_of(blocks.begin(), blocks.end(),
                     [&](const Block& block) { return block.generation == generation; });
}

GenerationStamp HighestOf(const FilesOfBlock& files) {
  GenerationStamp highest = 0;
  for (const auto* blocks : {&files.checksums, &files.unsynced, &files.bad_marks}) {
    for (const Block& block : *blocks) highest = std::max(highest, block.generation);
  }
  return highest;
}

class Replay {
 public:
  Replay(Env* env, const Volume& volume) : env_(env), volume_(volume) {}

  absl::StatusOr<SmallLogReplayed> Run() {
    ASSIGN_OR_RETURN(const bool exists, env_->Exists(volume_.SmallLogFolder()));
    if (!exists) return done_;
    ASSIGN_OR_RETURN(const std::vector<std::string> names, env_->List(volume_.SmallLogFolder()));
    std::vector<std::string> segments;
    for (const std::string& name : names) {
      const std::string path = fmt::format("{}/{}", volume_.SmallLogFolder(), name);
      if (name.starts_with("segment_")) {
        segments.push_back(path);
      } else {
        LogWarn("{}: not a segment of the small-replica log, left alone", path);
      }
    }
    if (segments.empty()) return done_;
    done_.log_found = true;
    for (const std::string& path : segments) RETURN_IF_ERROR(TakeSegment(path));
    ASSIGN_OR_RETURN(const auto file, env_->Open(segments.front(), OpenMode::kReadWrite));
    RETURN_IF_ERROR(file->SyncFileSystem());
    RETURN_IF_ERROR(NameDurable());
    for (const std::string& path : segments) RETURN_IF_ERROR(env_->Remove(path));
    RETURN_IF_ERROR(env_->SyncDir(volume_.SmallLogFolder()));
    return done_;
  }

 private:
  absl::Status TakeSegment(const std::string& path) {
    ASSIGN_OR_RETURN(const std::string bytes, env_->ReadFile(path));
    const auto segment = ParseSmallSegment(bytes);
    if (!segment.ok()) {
      // Also one that was being made when the power went: nothing was in it then.
      LogWarn("{}: {}; nothing of it is used", path, MessageOf(segment.status()));
      return absl::OkStatus();
    }
    for (const uint64_t offset : segment->damaged) {
      ++done_.damaged;
      LogError("{}: the record at offset {} is damaged; its replica is what its files are", path,
               offset);
    }
    for (const SmallRecordView& record : segment->records) RETURN_IF_ERROR(TakeRecord(record));
    return absl::OkStatus();
  }

  absl::Status TakeRecord(const SmallRecordView& record) {
    ++done_.records;
    const Block& block = record.block;
    ASSIGN_OR_RETURN(const FilesOfBlock whole, FilesIn(Place::kFinalized, block.id));
    ASSIGN_OR_RETURN(const FilesOfBlock open, FilesIn(Place::kRbw, block.id));
    if (std::max(HighestOf(whole), HighestOf(open)) > block.generation) return absl::OkStatus();
    if (const auto it = settled_.find(block.id); it != settled_.end()) {
      if (it->second.generation >= block.generation) return absl::OkStatus();
      RETURN_IF_ERROR(RemoveIfThere(volume_.ChecksumFile(Place::kUnsynced, it->second)));
    }
    // Under this name it was synced by itself; or it was found bad, which is not undone.
    if (Has(whole.checksums, block.generation) || Has(whole.bad_marks, block.generation) ||
        Has(open.bad_marks, block.generation)) {
      return absl::OkStatus();
    }
    const bool same = whole.data && Has(whole.unsynced, block.generation) && FilesAre(record);
    if (!same) RETURN_IF_ERROR(Rewrite(record));
    RETURN_IF_ERROR(RemoveOlder(block, whole, open));
    settled_[block.id] = block;
    return absl::OkStatus();
  }

  // What a folder held before the replay began.
  absl::StatusOr<FilesOfBlock> FilesIn(Place place, BlockId id) {
    const std::string folder = volume_.FolderOf(place, id);
    auto it = folders_.find(folder);
    if (it == folders_.end()) {
      it = folders_.emplace(folder, std::map<BlockId, FilesOfBlock>{}).first;
      const auto names = env_->List(folder);
      if (!names.ok() && !absl::IsNotFound(names.status())) return names.status();
      for (const std::string& name : names.ok() ? *names : std::vector<std::string>{}) {
        if (const auto parsed = ParseReplicaFileName(name))
          it->second[parsed->block.id].Add(*parsed);
      }
    }
    const auto files = it->second.find(id);
    return files == it->second.end() ? FilesOfBlock{} : files->second;
  }

  static std::string ChecksumsOf(const SmallRecordView& record) {
    std::vector<uint32_t> crcs;
    DecodeChecksums(record.checksums, &crcs);
    return EncodeChecksumFile(record.block.id, record.block.length, crcs);
  }

  // What cannot be read is not.
  bool FilesAre(const SmallRecordView& record) {
    const auto same = [&](const std::string& path, std::string_view expected) {
      const auto bytes = env_->ReadFile(path);
      return bytes.ok() && *bytes == expected;
    };
    return same(volume_.DataFile(Place::kUnsynced, record.block.id), record.data) &&
           same(volume_.ChecksumFile(Place::kUnsynced, record.block), ChecksumsOf(record));
  }

  absl::Status Rewrite(const SmallRecordView& record) {
    ++done_.rewritten;
    const Block& block = record.block;
    LogInfo("block {} (generation {}) in {}: written again from the small-replica log", block.id,
            block.generation, volume_.path());
    RETURN_IF_ERROR(env_->CreateDirs(volume_.FolderOf(Place::kFinalized, block.id)));
    RETURN_IF_ERROR(Write(volume_.ChecksumFile(Place::kUnsynced, block), ChecksumsOf(record)));
    return Write(volume_.DataFile(Place::kUnsynced, block.id), record.data);
  }

  absl::Status Write(const std::string& path, std::string_view bytes) {
    ASSIGN_OR_RETURN(const auto file, env_->Open(path, OpenMode::kTruncate));
    return file->WriteAt(0, bytes);
  }

  absl::Status RemoveIfThere(const std::string& path) {
    absl::Status removed = env_->Remove(path);
    return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
  }

  // What it was before it was whole, and what it took the place of.
  absl::Status RemoveOlder(const Block& block, const FilesOfBlock& whole,
                           const FilesOfBlock& open) {
    if (open.data) RETURN_IF_ERROR(RemoveIfThere(volume_.DataFile(Place::kRbw, block.id)));
    for (const Block& old : open.checksums) {
      RETURN_IF_ERROR(RemoveIfThere(volume_.ChecksumFile(Place::kRbw, old)));
    }
    for (const Block& old : open.bad_marks) {
      RETURN_IF_ERROR(RemoveIfThere(volume_.BadMark(Place::kRbw, old)));
    }
    for (const Block& old : whole.checksums) {
      RETURN_IF_ERROR(RemoveIfThere(volume_.ChecksumFile(Place::kFinalized, old)));
    }
    for (const Block& old : whole.bad_marks) {
      RETURN_IF_ERROR(RemoveIfThere(volume_.BadMark(Place::kFinalized, old)));
    }
    for (const Block& old : whole.unsynced) {
      if (old.generation == block.generation && old.length == block.length) continue;
      RETURN_IF_ERROR(RemoveIfThere(volume_.ChecksumFile(Place::kUnsynced, old)));
    }
    return absl::OkStatus();
  }

  // All files are on the disk by now; the names that say so may follow.
  absl::Status NameDurable() {
    for (const auto& [id, block] : settled_) {
      RETURN_IF_ERROR(env_->Rename(volume_.ChecksumFile(Place::kUnsynced, block),
                                   volume_.ChecksumFile(Place::kFinalized, block)));
    }
    return absl::OkStatus();
  }

  Env* const env_;
  const Volume& volume_;
  SmallLogReplayed done_;
  std::map<std::string, std::map<BlockId, FilesOfBlock>> folders_;
  std::map<BlockId, Block> settled_;  // whole, under the names of what is to be synced
};

}  // namespace

absl::StatusOr<SmallLogReplayed> ReplaySmallLog(Env* env, const Volume& volume) {
  return Replay(env, volume).Run();
}

}  // namespace cairn::datanode
