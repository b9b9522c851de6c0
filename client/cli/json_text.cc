#include "client/cli/json_text.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace cairn::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string Dump(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string FileStatusJson(std::string_view path, const FileStatus& status) {
  const Json json = {
      {"path", std::string(path)},       {"type", status.is_directory() ? "directory" : "file"},
      {"length", status.length},         {"replication", status.replication},
      {"block_size", status.block_size}, {"owner", status.owner},
      {"group", status.group},           {"mode", fmt::format("{:04o}", status.mode)},
      {"mtime_ms", status.mtime_ms},     {"atime_ms", status.atime_ms},
      {"inode", status.inode},           {"blocks", status.blocks}};
  return Dump(json, -1);
}

std::string QuotaJson(std::string_view path, const ContentSummary& summary) {
  const auto limit = [](const std::optional<uint64_t>& quota) {
    return quota ? Json(*quota) : Json(nullptr);
  };
  return Dump({{"path", std::string(path)},
               {"names_used", summary.names_used()},
               {"name_quota", limit(summary.name_quota)},
               {"space_used", summary.space_used()},
               {"space_quota", limit(summary.space_quota)},
               {"space_promised", summary.promised}},
              -1);
}

std::string LocationsJson(const std::vector<LocatedBlock>& blocks) {
  Json json = Json::array();
  for (const LocatedBlock& block : blocks) {
    Json nodes = Json::array();
    for (const NodeAddress& node : block.nodes) {
      nodes.push_back({{"id", node.id},
                       {"address", node.addresses.empty() ? "" : node.addresses.front()},
                       {"rack", node.rack}});
    }
    json.push_back({{"block_id", block.block.id},
                    {"generation", block.block.generation},
                    {"offset", block.offset},
                    {"length", block.block.length},
                    {"nodes", std::move(nodes)}});
  }
  return Dump(json, 2);
}

std::string JsonArray::Add(std::string_view object) {
  std::string text = fmt::format("{}  {}", empty_ ? "[\n" : ",\n", object);
  empty_ = false;
  return text;
}

std::string JsonArray::End() const { return empty_ ? "[]\n" : "\n]\n"; }

}  // namespace cairn::cli
