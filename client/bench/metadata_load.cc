#include "client/bench/metadata_load.h"

#include <fmt/format.h>

#include <memory>

#include "common/status.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kFilesPerDirectory = EchoServer::kListEntries;

std::string Directory(const std::string& dir, uint64_t number) {
  return fmt::format("{}/files/{}", dir, number);
}
// Names of 20 characters.
std::string FilePath(const std::string& dir, uint64_t index, bool renamed) {
  return fmt::format("{}/{}{:019}", Directory(dir, index / kFilesPerDirectory), renamed ? 'r' : 'f',
                     index);
}
uint64_t DirectoriesFor(uint64_t total) { return (total - 1) / kFilesPerDirectory + 1; }

// Reads go over the files in an order without locality. A prime is without a common factor with
// any total that is not its multiple.
uint64_t Scattered(uint64_t index, uint64_t total) { return index * 7'919 % total; }

}  // namespace

uint64_t MetadataLoad::FoldersFor(uint64_t total) { return DirectoriesFor(total) + 2; }

absl::Status MetadataLoad::MakeFolder(const std::string& dir, uint64_t number) {
  if (number == 0) return fs_->Mkdirs(dir + "/dirs", true);
  if (number == 1) return fs_->Mkdirs(dir + "/blocks", true);
  return fs_->Mkdirs(Directory(dir, number - 2), true);
}

absl::Status MetadataLoad::Connect() {
  RETURN_IF_ERROR(fs_->GetFileInfo("/").status());
  return echo_->GetFileInfo("/");
}

JobPaths PathsOf(const Job& job, uint64_t index) {
  switch (job.operation) {
    case Operation::kMkdir:
      return {fmt::format("{}/dirs/d{:019}", job.dir, index), ""};
    case Operation::kCreate:
      return {FilePath(job.dir, index, false), ""};
    case Operation::kCreateBlock:
      return {fmt::format("{}/blocks/f{:019}", job.dir, index), ""};
    case Operation::kGetFileInfo:
      return {FilePath(job.dir, Scattered(index, job.total), job.renamed), ""};
    case Operation::kList:
      return {Directory(job.dir, index % DirectoriesFor(job.total)), ""};
    case Operation::kRename:
      return {FilePath(job.dir, index, false), FilePath(job.dir, index, true)};
    case Operation::kDelete:
      return {FilePath(job.dir, index, job.renamed), ""};
  }
  return {};
}

absl::Status MetadataLoad::Do(const Job& job, uint64_t index) {
  const JobPaths paths = PathsOf(job, index);
  switch (job.operation) {
    case Operation::kMkdir:
      return fs_->Mkdirs(paths.path, false);
    case Operation::kCreate:
      return Create(paths.path);
    case Operation::kCreateBlock:
      return CreateBlock(paths.path);
    case Operation::kGetFileInfo:
      return job.echo ? echo_->GetFileInfo(paths.path) : fs_->GetFileInfo(paths.path).status();
    case Operation::kList:
      return job.echo ? echo_->List(paths.path) : fs_->List(paths.path, "").status();
    case Operation::kRename:
      return fs_->Rename(paths.path, paths.to);
    case Operation::kDelete:
      return fs_->Delete(paths.path, false);
  }
  return absl::InternalError("no such operation");
}

absl::Status MetadataLoad::Create(const std::string& path) {
  CreateOptions options;
  options.expected_length = 0;
  ASSIGN_OR_RETURN(const std::unique_ptr<OutputStream> out, fs_->Create(path, options));
  return out->Close();
}

// The first block is planned and given up with the file.
absl::Status MetadataLoad::CreateBlock(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<OutputStream> out, fs_->Create(path, {}));
  return out->Abandon();
}

}  // namespace cairn::bench
