#include "client/cli/fsck_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace cairn::cli {

std::string_view NameOf(BlockState state) {
  switch (state) {
    case BlockState::kGood:
      break;
    case BlockState::kOverReplicated:
      return "over_replicated";
    case BlockState::kUnderReplicated:
      return "under_replicated";
    case BlockState::kCorrupt:
      return "corrupt";
    case BlockState::kMissing:
      return "missing";
  }
  return "good";
}

BlockState StateOf(const LocatedBlock& block, uint32_t replication) {
  if (block.nodes.empty()) return block.corrupt ? BlockState::kCorrupt : BlockState::kMissing;
  if (block.nodes.size() < replication) return BlockState::kUnderReplicated;
  return block.nodes.size() > replication ? BlockState::kOverReplicated : BlockState::kGood;
}

std::vector<FsckProblem> FsckReport::Add(std::string_view file, const FileStatus& status,
                                         const std::vector<LocatedBlock>& located) {
  ++files;
  open_files += status.open ? 1 : 0;
  bytes += status.length;
  std::vector<FsckProblem> problems;
  for (const LocatedBlock& block : located) {
    if (block.open) continue;
    ++blocks;
    const BlockState state = StateOf(block, status.replication);
    under_replicated += state == BlockState::kUnderReplicated ? 1 : 0;
    over_replicated += state == BlockState::kOverReplicated ? 1 : 0;
    corrupt += state == BlockState::kCorrupt ? 1 : 0;
    missing += state == BlockState::kMissing ? 1 : 0;
    if (state == BlockState::kGood) continue;
    problems.push_back({.path = std::string(file),
                        .block_id = block.block.id,
                        .state = state,
                        .current_replicas = static_cast<uint32_t>(block.nodes.size()),
                        .target_replicas = status.replication});
  }
  return problems;
}

std::string FsckReport::Text() const {
  std::string text = fmt::format("{}: {}\n  directories        {}\n  files              {}\n", path,
                                 healthy() ? "healthy" : "DAMAGED", directories, files);
  const auto line = [&](std::string_view name, uint64_t number) {
    text += fmt::format("  {:<17}  {}\n", name, number);
  };
  if (open_files > 0) line("being written", open_files);
  line("bytes", bytes);
  line("blocks", blocks);
  line("under-replicated", under_replicated);
  line("over-replicated", over_replicated);
  line("corrupt", corrupt);
  line("missing", missing);
  return text;
}

std::string FsckReport::Json(const std::vector<FsckProblem>& problems) const {
  using OrderedJson = nlohmann::ordered_json;
  OrderedJson list = OrderedJson::array();
  for (const FsckProblem& problem : problems) {
    list.push_back({{"path", problem.path},
                    {"block_id", problem.block_id},
                    {"state", std::string(NameOf(problem.state))},
                    {"current_replicas", problem.current_replicas},
                    {"target_replicas", problem.target_replicas}});
  }
  const OrderedJson json = {{"path", path},
                            {"healthy", healthy()},
                            {"directories", directories},
                            {"files", files},
                            {"open_files", open_files},
                            {"bytes", bytes},
                            {"blocks", blocks},
                            {"under_replicated_blocks", under_replicated},
                            {"over_replicated_blocks", over_replicated},
                            {"corrupt_blocks", corrupt},
                            {"missing_blocks", missing},
                            {"problems", std::move(list)}};
  return json.dump(2, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string FsckLine(const FsckProblem& problem) {
  const std::string prefix = fmt::format("{}: block {}: ", problem.path, problem.block_id);
  switch (problem.state) {
    case BlockState::kMissing:
      return prefix + "MISSING";
    case BlockState::kCorrupt:
      return prefix + "CORRUPT";
    default:
      return fmt::format("{}{} of {} copies", prefix, problem.current_replicas,
                         problem.target_replicas);
  }
}

}  // namespace cairn::cli
