#include "common/data_dir.h"

#include <fmt/format.h>

#include <utility>

#include <nlohmann/json.hpp>

#include "common/crc32c.h"

namespace cairn {
namespace {

absl::Status Damaged(const std::string& file, std::string_view what) {
  return absl::DataLossError(fmt::format(
      "{}: {}; restore this file from a copy, or move the directory away to start empty", file,
      what));
}

absl::StatusOr<std::string> StringField(const nlohmann::json& json, const std::string& file,
                                        const char* key) {
  const auto field = json.find(key);
  if (field == json.end() || !field->is_string()) {
    return Damaged(file, fmt::format("the field \"{}\" is missing or not a string", key));
  }
  return field->get<std::string>();
}

absl::StatusOr<int> ReadLayout(const nlohmann::json& json, const std::string& file,
                               DataDirType type) {
  const auto layout = json.find("layout");
  if (layout == json.end() || !layout->is_number_integer()) {
    return Damaged(file, "the field \"layout\" is missing or not a number");
  }
  const auto number = layout->get<int64_t>();
  const int newest = type == DataDirType::kDataNode ? kDataDirLayoutWithLog : kDataDirLayout;
  if (number > newest) {
    return absl::FailedPreconditionError(
        fmt::format("{}: layout {} is newer than this program knows ({}); start a newer Cairn",
                    file, number, newest));
  }
  if (number < kDataDirLayout) {
    return absl::FailedPreconditionError(
        fmt::format("{}: unknown layout {}; this program knows {}", file, number, newest));
  }
  return static_cast<int>(number);
}

// What the checksum is over: the fields that are read, as they are written.
std::string ChecksumOf(const DataDirVersion& version) {
  return fmt::format(
      "{:08x}", Crc32c(fmt::format("{}\n{}\n{}\n{}\n{}", version.layout, ToString(version.type),
                                   version.cluster_id, version.node_id, version.storage_id)));
}

// Written since it was added; one that somebody edited by hand may leave it out.
absl::Status CheckChecksum(const nlohmann::json& json, const std::string& file,
                           const DataDirVersion& version) {
  if (!json.contains("crc32c")) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string crc, StringField(json, file, "crc32c"));
  if (crc == ChecksumOf(version)) return absl::OkStatus();
  return Damaged(file, "it fails its checksum");
}

absl::StatusOr<DataDirVersion> ParseVersion(std::string_view text, const std::string& file,
                                            DataDirType type) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Damaged(file, "not a JSON object");
  DataDirVersion version;
  ASSIGN_OR_RETURN(version.layout, ReadLayout(json, file, type));
  ASSIGN_OR_RETURN(const std::string type_name, StringField(json, file, "type"));
  if (type_name != ToString(type)) {
    return absl::FailedPreconditionError(fmt::format(
        "{}: this is the data directory of a {}, not of a {}; choose another --data-dir", file,
        type_name, ToString(type)));
  }
  version.type = type;
  ASSIGN_OR_RETURN(version.cluster_id, StringField(json, file, "cluster_id"));
  ASSIGN_OR_RETURN(version.node_id, StringField(json, file, "node_id"));
  ASSIGN_OR_RETURN(version.storage_id, StringField(json, file, "storage_id"));
  RETURN_IF_ERROR(CheckChecksum(json, file, version));
  return version;
}

std::string VersionText(const DataDirVersion& version) {
  const nlohmann::ordered_json json = {
      {"layout", version.layout},         {"type", ToString(version.type)},
      {"cluster_id", version.cluster_id}, {"node_id", version.node_id},
      {"storage_id", version.storage_id}, {"crc32c", ChecksumOf(version)}};
  return json.dump() + "\n";
}

}  // namespace

std::string_view ToString(DataDirType type) {
  return type == DataDirType::kNameNode ? "namenode" : "datanode";
}

absl::StatusOr<std::optional<DataDirVersion>> ReadDataDirVersion(Env& env, const std::string& path,
                                                                 DataDirType type) {
  const std::string file = path + "/VERSION";
  ASSIGN_OR_RETURN(const bool exists, env.Exists(file));
  if (!exists) return std::nullopt;
  ASSIGN_OR_RETURN(const std::string text, env.ReadFile(file));
  ASSIGN_OR_RETURN(DataDirVersion version, ParseVersion(text, file, type));
  return std::optional<DataDirVersion>(std::move(version));
}

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::Open(Env* env, std::string path,
                                                       DataDirType type) {
  RETURN_IF_ERROR(env->CreateDirs(path));
  absl::StatusOr<std::unique_ptr<FileLock>> lock = env->Lock(path + "/in_use.lock");
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(
        fmt::format("{}: in use by a running daemon; stop it or choose another --data-dir ({})",
                    path, MessageOf(lock.status())));
  }
  if (!lock.ok()) return lock.status();
  std::unique_ptr<DataDir> dir(new DataDir(env, std::move(path), type, *std::move(lock)));
  ASSIGN_OR_RETURN(dir->version_, ReadDataDirVersion(*env, dir->path(), type));
  if (!dir->formatted()) {
    ASSIGN_OR_RETURN(const bool has_data, env->Exists(dir->current_path()));
    if (has_data) return Damaged(dir->path() + "/VERSION", "missing, but current/ is there");
  }
  return dir;
}

absl::Status DataDir::Format(DataDirVersion version) {
  if (formatted()) return absl::FailedPreconditionError(fmt::format("{}: is formatted", path_));
  version.layout = kDataDirLayout;
  version.type = type_;
  RETURN_IF_ERROR(env_->WriteFileAtomically(path_ + "/VERSION", VersionText(version)));
  RETURN_IF_ERROR(env_->CreateDirs(current_path()));
  version_ = std::move(version);
  return absl::OkStatus();
}

absl::Status DataDir::SetLayout(int layout) {
  DataDirVersion version = *version_;
  version.layout = layout;
  RETURN_IF_ERROR(env_->WriteFileAtomically(path_ + "/VERSION", VersionText(version)));
  version_ = std::move(version);
  return absl::OkStatus();
}

absl::Status DataDir::CheckCluster(std::string_view cluster_id) const {
  if (version_->cluster_id == cluster_id) return absl::OkStatus();
  return absl::FailedPreconditionError(
      fmt::format("{}: belongs to cluster {}, not to {}; choose another --data-dir", path_,
                  version_->cluster_id, cluster_id));
}

}  // namespace cairn
