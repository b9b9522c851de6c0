// What a Volume finds on its disk at the start.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "common/logging.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/volume.h"

namespace cairn::datanode {
namespace {

struct FileName {
  enum Kind { kData, kChecksums, kMark };
  Kind kind = kData;
  BlockId id = 0;
  GenerationStamp generation = 0;
};

// Takes a decimal number without leading zeros off the front of `text`.
std::optional<uint64_t> TakeNumber(std::string_view* text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  const auto digits = static_cast<size_t>(end - text->data());
  if (error != std::errc() || (digits > 1 && text->front() == '0')) return std::nullopt;
  text->remove_prefix(digits);
  return value;
}

// blk_<id>, blk_<id>_<generation>.meta, blk_<id>_<generation>.bad
std::optional<FileName> ParseFileName(std::string_view name) {
  constexpr std::string_view kPrefix = "blk_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  FileName parsed;
  const auto id = TakeNumber(&name);
  if (!id) return std::nullopt;
  parsed.id = *id;
  if (name.empty()) return parsed;
  if (name.front() != '_') return std::nullopt;
  name.remove_prefix(1);
  const auto generation = TakeNumber(&name);
  if (!generation || (name != ".meta" && name != ".bad")) return std::nullopt;
  parsed.kind = name == ".meta" ? FileName::kChecksums : FileName::kMark;
  parsed.generation = *generation;
  return parsed;
}

struct FilesOfBlock {
  bool data = false;
  std::vector<GenerationStamp> checksums;
  std::vector<GenerationStamp> marks;
};

}  // namespace

absl::StatusOr<std::vector<FoundReplica>> Volume::Scan() {
  std::vector<FoundReplica> found;
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
    const auto parsed = ParseFileName(name);
    if (!parsed || folder != FinalizedDir(parsed->id)) {
      LogWarn("{}/{}: not a file of a replica of this folder, left alone", folder, name);
      continue;
    }
    FilesOfBlock& files = blocks[parsed->id];
    if (parsed->kind == FileName::kData) files.data = true;
    if (parsed->kind == FileName::kChecksums) files.checksums.push_back(parsed->generation);
    if (parsed->kind == FileName::kMark) files.marks.push_back(parsed->generation);
  }
  for (auto& [id, files] : blocks) {
    if (files.data) {
      found->push_back(Examine(id, files.checksums, files.marks));
      continue;
    }
    files.checksums.insert(files.checksums.end(), files.marks.begin(), files.marks.end());
    for (const GenerationStamp generation : files.checksums) {
      LogInfo("{}: removed the checksums of block {} (generation {}), which has no data here",
              folder, id, generation);
      RETURN_IF_ERROR(RemoveFinalized({.id = id, .generation = generation, .length = 0}));
    }
  }
  return absl::OkStatus();
}

FoundReplica Volume::Examine(BlockId id, const std::vector<GenerationStamp>& checksums,
                             const std::vector<GenerationStamp>& marks) {
  FoundReplica found;
  found.block.id = id;
  found.bad = true;
  found.reason = "its checksum file is missing";
  if (const auto data = env_->Open(FinalizedData(id), OpenMode::kRead); data.ok()) {
    found.block.length = (*data)->Size().value_or(0);
  }
  if (!marks.empty()) {
    found.block.generation = *std::max_element(marks.begin(), marks.end());
    found.reason = "it was marked bad";
  }
  for (const GenerationStamp generation : checksums) {
    found.block.generation = generation;
    const absl::StatusOr<uint64_t> length = CheckLengths(found.block);
    if (length.ok()) {
      found.block.length = *length;
      found.bad = false;
      return found;
    }
    found.reason = std::string(MessageOf(length.status()));
  }
  return found;
}

absl::StatusOr<uint64_t> Volume::CheckLengths(const Block& block) {
  ASSIGN_OR_RETURN(const auto file, env_->Open(FinalizedChecksums(block), OpenMode::kRead));
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
  return length;
}

}  // namespace cairn::datanode
