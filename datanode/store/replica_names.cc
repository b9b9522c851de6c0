#include "datanode/store/replica_names.h"

#include <algorithm>
#include <charconv>

namespace cairn::datanode {
namespace {

// Takes a decimal number without leading zeros off the front of `text`.
std::optional<uint64_t> TakeNumber(std::string_view* text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  const auto digits = static_cast<size_t>(end - text->data());
  if (error != std::errc() || (digits > 1 && text->front() == '0')) return std::nullopt;
  text->remove_prefix(digits);
  return value;
}

// The same after an underscore.
std::optional<uint64_t> TakeField(std::string_view* text) {
  if (!text->starts_with('_')) return std::nullopt;
  text->remove_prefix(1);
  return TakeNumber(text);
}

}  // namespace

std::optional<ReplicaFileName> ParseReplicaFileName(std::string_view name) {
  constexpr std::string_view kPrefix = "blk_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  ReplicaFileName parsed;
  const auto id = TakeNumber(&name);
  if (!id) return std::nullopt;
  parsed.block.id = *id;
  if (name.empty()) return parsed;
  const auto generation = TakeField(&name);
  if (!generation) return std::nullopt;
  parsed.block.generation = *generation;
  if (name == ".meta" || name == ".bad") {
    parsed.kind = name == ".meta" ? ReplicaFileName::kChecksums : ReplicaFileName::kBadMark;
    return parsed;
  }
  const auto length = TakeField(&name);
  if (!length || name != ".unsynced") return std::nullopt;
  parsed.kind = ReplicaFileName::kUnsynced;
  parsed.block.length = *length;
  return parsed;
}

void FilesOfBlock::Add(const ReplicaFileName& name) {
  if (name.kind == ReplicaFileName::kData) {
    data = true;
    return;
  }
  std::vector<Block>& names = name.kind == ReplicaFileName::kChecksums  ? checksums
                              : name.kind == ReplicaFileName::kUnsynced ? unsynced
                                                                        : bad_marks;
  const auto newer = [](const Block& a, const Block& b) { return a.generation > b.generation; };
  names.insert(std::upper_bound(names.begin(), names.end(), name.block, newer), name.block);
}

}  // namespace cairn::datanode
