// What `cairn admin volumes` prints: for people, and as JSON. Pure functions, thread-safe.
#pragma once

#include <string>

#include "client/admin_client.h"

namespace cairn::cli {

std::string VolumesText(const NodeVolumes& volumes);
// What happened, and what it means for the node's next start.
std::string AddedText(const VolumeChange& change);
std::string RemovedText(const VolumeChange& change);

// Public, on indented lines: {"node_id","volumes":[VOLUME,...]}, {"node_id","volume":VOLUME},
// {"node_id","volume":VOLUME,"replicas"}; VOLUME: {"path","storage_id","capacity_bytes",
// "used_bytes","remaining_bytes","blocks","failed"}.
std::string VolumesJson(const NodeVolumes& volumes);
std::string AddedJson(const VolumeChange& change);
std::string RemovedJson(const VolumeChange& change);

}  // namespace cairn::cli
