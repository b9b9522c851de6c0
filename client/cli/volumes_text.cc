#include "client/cli/volumes_text.h"

#include <fmt/format.h>

#include <utility>

#include <nlohmann/json.hpp>

#include "client/cli/listing.h"
#include "common/units.h"

namespace cairn::cli {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const VolumeDetails& volume) {
  return {{"path", volume.path},
          {"storage_id", volume.storage_id},
          {"capacity_bytes", volume.capacity_bytes},
          {"used_bytes", volume.used_bytes},
          {"remaining_bytes", volume.remaining_bytes},
          {"blocks", volume.blocks},
          {"failed", volume.failed},
          {"slow", volume.slow}};
}

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Count(uint64_t replicas) {
  return fmt::format("{} replica{}", replicas, replicas == 1 ? "" : "s");
}

}  // namespace

std::string VolumesText(const NodeVolumes& volumes) {
  constexpr auto kLeft = Table::Align::kLeft;
  constexpr auto kRight = Table::Align::kRight;
  Table table({kLeft, kRight, kRight, kRight, kLeft, kLeft});
  table.Add({"volume", "blocks", "used", "free", "state", "storage"});
  for (const VolumeDetails& volume : volumes.volumes) {
    table.Add({volume.path, std::to_string(volume.blocks), FormatSize(volume.used_bytes),
               FormatSize(volume.remaining_bytes),
               volume.failed ? "failed"
               : volume.slow ? "slow"
                             : "in use",
               volume.storage_id});
  }
  return table.Take();
}

std::string AddedText(const VolumeChange& change) {
  const std::string& path = change.volume.path;
  return fmt::format(
      "{} uses {} now, where it found {}\n"
      "add {} to --data-dir, or a restart forgets it\n",
      change.node_id, path, Count(change.volume.blocks), path);
}

std::string RemovedText(const VolumeChange& change) {
  const std::string& path = change.volume.path;
  return fmt::format(
      "{} does not use {} any more; {} there, now copied from other nodes\n"
      "take {} out of --data-dir, or a restart takes it in again\n",
      change.node_id, path, Count(change.replicas) + (change.replicas == 1 ? " was" : " were"),
      path);
}

std::string VolumesJson(const NodeVolumes& volumes) {
  Json list = Json::array();
  for (const VolumeDetails& volume : volumes.volumes) list.push_back(ToJson(volume));
  return Dump({{"node_id", volumes.node_id}, {"volumes", std::move(list)}});
}

std::string AddedJson(const VolumeChange& change) {
  return Dump({{"node_id", change.node_id}, {"volume", ToJson(change.volume)}});
}

std::string RemovedJson(const VolumeChange& change) {
  return Dump({{"node_id", change.node_id},
               {"volume", ToJson(change.volume)},
               {"replicas", change.replicas}});
}

}  // namespace cairn::cli
