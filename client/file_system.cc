#include "client/file_system.h"

#include <fmt/format.h>

#include <utility>

#include "client/client_core.h"
#include "client/convert.h"
#include "client/file_checksum.h"
#include "client/file_reader.h"
#include "client/file_writer.h"
#include "client/open_file.h"
#include "client/temporary_name.h"
#include "common/background_task.h"
#include "common/status.h"
#include "common/strings.h"

namespace cairn {
namespace {

constexpr int64_t kTruncatePollMs = 100;

template <typename Request>
Request RequestFor(std::string_view path) {
  Request request;
  request.set_path(path.data(), path.size());
  return request;
}

// The permission bits as requests say them, where 0 stands for the default. Bits of 0 are set when
// the file is closed.
uint32_t ModeOrDefault(std::optional<uint32_t> mode) { return mode.value_or(0); }

}  // namespace

absl::StatusOr<std::unique_ptr<FileSystem>> FileSystem::Connect(ClientOptions options) {
  ASSIGN_OR_RETURN(std::shared_ptr<ClientCore> core, ClientCore::Make(std::move(options)));
  return std::unique_ptr<FileSystem>(new FileSystem(std::move(core)));
}

FileSystem::FileSystem(std::shared_ptr<ClientCore> core) : core_(std::move(core)) {}
FileSystem::~FileSystem() = default;

absl::StatusOr<std::unique_ptr<OutputStream>> FileSystem::Create(std::string_view path,
                                                                 const CreateOptions& options) {
  v1::CreateRequest request;
  FileWriter::CloseOptions on_close{.publish_as = "",
                                    .overwrite = options.overwrite,
                                    .mtime_ms = options.mtime_ms,
                                    .atime_ms = options.atime_ms,
                                    .mode = options.mode};
  if (options.publish) {
    // The NameNode checks the name at the close; better to hear of it before the bytes are sent.
    const absl::StatusOr<FileStatus> there = GetFileInfo(path);
    if (there.ok() && there->is_directory()) return absl::FailedPreconditionError("Is a directory");
    if (there.ok() && !options.overwrite) return absl::AlreadyExistsError("File exists");
    if (!there.ok() && !absl::IsNotFound(there.status())) return there.status();
    on_close.publish_as = path;
    request.set_path(TemporaryName(path, RandomU64()));
    request.set_unpublished(true);
  } else {
    request.set_path(path.data(), path.size());
    request.set_overwrite(options.overwrite);
  }
  request.set_mode(ModeOrDefault(options.mode));
  request.set_replication(options.replication);
  request.set_block_size(options.block_size);
  request.set_with_block(options.expected_length != 0u);
  request.set_consistency(ToProto(options.consistency));

  std::unique_ptr<LeaseRenewer::Hold> lease = core_->leases().Acquire();
  ASSIGN_OR_RETURN(v1::CreateReply created, core_->namenode().Create(std::move(request)));
  return std::make_unique<FileWriter>(core_, std::move(lease), std::move(created),
                                      options.consistency, std::move(on_close));
}

absl::StatusOr<std::unique_ptr<OutputStream>> FileSystem::Append(std::string_view path,
                                                                 const AppendOptions& options) {
  auto request = RequestFor<v1::AppendRequest>(path);
  request.set_consistency(ToProto(options.consistency));
  std::unique_ptr<LeaseRenewer::Hold> lease = core_->leases().Acquire();
  ASSIGN_OR_RETURN(v1::AppendReply opened, core_->namenode().Append(std::move(request)));
  return std::make_unique<FileWriter>(core_, std::move(lease), std::move(opened),
                                      options.consistency);
}

absl::StatusOr<std::unique_ptr<InputStream>> FileSystem::Open(std::string_view path) {
  ASSIGN_OR_RETURN(const ReadableFile file, LocateReadable(*core_, path));
  return std::make_unique<FileReader>(core_, std::string(path), file);
}

absl::Status FileSystem::Truncate(std::string_view path, uint64_t length) {
  auto request = RequestFor<v1::TruncateRequest>(path);
  request.set_length(length);
  const int64_t deadline_ms = core_->clock().SteadyMs() + core_->options().timeout_ms;
  ASSIGN_OR_RETURN(const v1::TruncateReply cut, core_->namenode().Truncate(std::move(request)));
  if (cut.done()) return absl::OkStatus();
  while (true) {
    // Not asked for again: somebody may have appended to the file meanwhile. It may even have been
    // removed or renamed: it was cut all the same.
    const absl::StatusOr<FileStatus> status = GetFileInfo(path);
    if (absl::IsUnavailable(status.status())) return status.status();
    if (!status.ok() || !status->open || status->length != length) return absl::OkStatus();
    if (core_->clock().SteadyMs() >= deadline_ms) {
      return WithKind(absl::UnavailableError(
                          "the DataNodes are still cutting the last block; the NameNode goes on"),
                      ErrorKind::kRecoveryInProgress);
    }
    PauseForMs(kTruncatePollMs);
  }
}

absl::StatusOr<bool> FileSystem::RecoverLease(std::string_view path) {
  ASSIGN_OR_RETURN(const v1::RecoverLeaseReply reply,
                   core_->namenode().RecoverLease(RequestFor<v1::RecoverLeaseRequest>(path)));
  return reply.closed();
}

absl::StatusOr<FileChecksum> FileSystem::Checksum(std::string_view path) {
  return ChecksumFile(*core_, path);
}

absl::StatusOr<FileStatus> FileSystem::GetFileInfo(std::string_view path) {
  ASSIGN_OR_RETURN(const v1::GetFileInfoReply reply,
                   core_->namenode().GetFileInfo(RequestFor<v1::GetFileInfoRequest>(path)));
  return FromProto(reply.status());
}

absl::StatusOr<ListPage> FileSystem::List(std::string_view path, std::string_view start_after,
                                          uint32_t limit) {
  auto request = RequestFor<v1::ListRequest>(path);
  request.set_start_after(start_after.data(), start_after.size());
  request.set_limit(limit);
  ASSIGN_OR_RETURN(const v1::ListReply reply, core_->namenode().List(std::move(request)));
  ListPage page{.entries = {}, .has_more = reply.has_more()};
  page.entries.reserve(reply.entries_size());
  for (const v1::FileStatus& entry : reply.entries()) page.entries.push_back(FromProto(entry));
  return page;
}

absl::Status FileSystem::ForEachEntry(
    std::string_view path, const std::function<absl::Status(const FileStatus&)>& callback) {
  std::string start_after;
  while (true) {
    ASSIGN_OR_RETURN(const ListPage page, List(path, start_after));
    for (const FileStatus& entry : page.entries) RETURN_IF_ERROR(callback(entry));
    if (!page.has_more || page.entries.empty()) return absl::OkStatus();
    start_after = page.entries.back().name;
  }
}

absl::Status FileSystem::Mkdirs(std::string_view path, bool create_parents,
                                std::optional<uint32_t> mode) {
  auto request = RequestFor<v1::MkdirsRequest>(path);
  request.set_create_parents(create_parents);
  request.set_mode(ModeOrDefault(mode));
  RETURN_IF_ERROR(core_->namenode().Mkdirs(std::move(request)).status());
  if (mode != 0u) return absl::OkStatus();
  return SetPermission(path, 0);  // which the request cannot say
}

absl::Status FileSystem::Rename(std::string_view from, std::string_view to) {
  v1::RenameRequest request;
  request.set_from(from.data(), from.size());
  request.set_to(to.data(), to.size());
  return core_->namenode().Rename(std::move(request)).status();
}

absl::Status FileSystem::Delete(std::string_view path, bool recursive) {
  auto request = RequestFor<v1::DeleteRequest>(path);
  request.set_recursive(recursive);
  return core_->namenode().Delete(std::move(request)).status();
}

absl::Status FileSystem::SetReplication(std::string_view path, uint32_t replication) {
  auto request = RequestFor<v1::SetReplicationRequest>(path);
  request.set_replication(replication);
  return core_->namenode().SetReplication(std::move(request)).status();
}

absl::Status FileSystem::SetTimes(std::string_view path, std::optional<int64_t> mtime_ms,
                                  std::optional<int64_t> atime_ms) {
  auto request = RequestFor<v1::SetTimesRequest>(path);
  request.set_mtime_ms(mtime_ms.value_or(-1));
  request.set_atime_ms(atime_ms.value_or(-1));
  return core_->namenode().SetTimes(std::move(request)).status();
}

absl::Status FileSystem::SetOwner(std::string_view path, std::string_view owner,
                                  std::string_view group) {
  auto request = RequestFor<v1::SetOwnerRequest>(path);
  request.set_owner(owner.data(), owner.size());
  request.set_group(group.data(), group.size());
  return core_->namenode().SetOwner(std::move(request)).status();
}

absl::Status FileSystem::SetPermission(std::string_view path, uint32_t mode) {
  auto request = RequestFor<v1::SetPermissionRequest>(path);
  request.set_mode(mode);
  return core_->namenode().SetPermission(std::move(request)).status();
}

absl::Status FileSystem::Concat(std::string_view target, const std::vector<std::string>& sources) {
  v1::ConcatRequest request;
  request.set_target(target.data(), target.size());
  for (const std::string& source : sources) request.add_sources(source);
  return core_->namenode().Concat(std::move(request)).status();
}

absl::Status FileSystem::SetQuota(std::string_view path, const QuotaChange& change) {
  auto request = RequestFor<v1::SetQuotaRequest>(path);
  const auto set = [](std::optional<uint64_t> limit, v1::QuotaLimit* proto) {
    if (limit) proto->set_limit(*limit);
  };
  if (change.names) set(*change.names, request.mutable_names());
  if (change.space) set(*change.space, request.mutable_space());
  return core_->namenode().SetQuota(std::move(request)).status();
}

absl::StatusOr<ContentSummary> FileSystem::GetContentSummary(std::string_view path) {
  ASSIGN_OR_RETURN(
      const v1::GetContentSummaryReply reply,
      core_->namenode().GetContentSummary(RequestFor<v1::GetContentSummaryRequest>(path)));
  return FromProto(reply);
}

absl::StatusOr<std::vector<LocatedBlock>> FileSystem::GetBlockLocations(std::string_view path,
                                                                        uint64_t offset,
                                                                        uint64_t length) {
  auto request = RequestFor<v1::GetBlockLocationsRequest>(path);
  request.set_offset(offset);
  request.set_length(length);
  ASSIGN_OR_RETURN(const v1::GetBlockLocationsReply reply,
                   core_->namenode().GetBlockLocations(std::move(request)));
  std::vector<LocatedBlock> blocks;
  blocks.reserve(reply.blocks_size());
  for (const v1::LocatedBlock& block : reply.blocks()) blocks.push_back(FromProto(block));
  return blocks;
}

ReadStatistics FileSystem::GetReadStatistics() const {
  ReadStatistics statistics = core_->hedging().statistics();
  core_->local_replicas().AddTo(&statistics);
  return statistics;
}

absl::StatusOr<ServerDefaults> FileSystem::GetServerDefaults() {
  ASSIGN_OR_RETURN(const v1::GetServerDefaultsReply reply, core_->namenode().GetServerDefaults());
  return FromProto(reply);
}

}  // namespace cairn
