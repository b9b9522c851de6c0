#include "tests/bench/namespace_maker.h"

#include <fmt/format.h>

#include <chrono>
#include <memory>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "common/data_dir.h"
#include "common/strings.h"
#include "namenode/codec/edit_codec.h"
#include "namenode/codec/image.h"
#include "namenode/journal/file_journal.h"
#include "namenode/journal/image_store.h"
#include "namenode/namespace/apply.h"
#include "namenode/namespace/plan.h"
#include "namenode/namespace/state_builder.h"

namespace cairn::bench {
namespace {

using namenode::FsState;
using namenode::INodeRecord;
using namenode::INodeType;

constexpr int64_t kTimeMs = 1'700'000'000'000;
constexpr uint64_t kBlockSize = 128ull << 20;  // of the files; their blocks are shorter
constexpr uint64_t kMaxPendingBytes = 64 << 20;

uint64_t DirectoriesFor(uint64_t files) {
  return (files + NamespaceShape::kFilesPerDirectory - 1) / NamespaceShape::kFilesPerDirectory;
}

std::string FileName(uint64_t file) { return fmt::format("f{:019}", file); }
std::string DirectoryName(uint64_t directory) { return fmt::format("d{:07}", directory); }

INodeRecord Directory(INodeId id, INodeId parent, std::string name, uint32_t mode) {
  return {.id = id,
          .parent = parent,
          .name = std::move(name),
          .type = INodeType::kDirectory,
          .mtime_ms = kTimeMs,
          .atime_ms = kTimeMs,
          .owner = "root",
          .group = "supergroup",
          .mode = mode};
}

// Ids: the root, then directories, then files.
absl::StatusOr<FsState> BuildState(const NamespaceShape& shape) {
  const uint64_t directories = DirectoriesFor(shape.files);
  const INodeId first_directory = namenode::kRootINode + 1;
  const INodeId first_file = first_directory + directories;
  namenode::StateBuilder builder;
  RETURN_IF_ERROR(builder.AddINode(Directory(namenode::kRootINode, 0, "", 01777)));
  for (uint64_t i = 0; i < directories; ++i) {
    RETURN_IF_ERROR(builder.AddINode(
        Directory(first_directory + i, namenode::kRootINode, DirectoryName(i), 0755)));
  }
  for (uint64_t i = 0; i < shape.files; ++i) {
    RETURN_IF_ERROR(
        builder.AddINode({.id = first_file + i,
                          .parent = first_directory + i / NamespaceShape::kFilesPerDirectory,
                          .name = FileName(i),
                          .type = INodeType::kFile,
                          .mtime_ms = kTimeMs,
                          .atime_ms = kTimeMs,
                          .owner = "root",
                          .group = "supergroup",
                          .mode = 0644,
                          .block_size = kBlockSize,
                          .replication = 3}));
  }
  for (uint64_t i = 0; i < shape.files; ++i) {
    RETURN_IF_ERROR(builder.AddBlock({.id = i + 1,
                                      .inode = first_file + i,
                                      .generation = i + 1,
                                      .length = NamespaceShape::kBlockBytes}));
  }
  for (uint32_t node = 1; node <= shape.nodes; ++node) {
    RETURN_IF_ERROR(builder.AddNode(
        {.number = node, .id = NamespaceShape::NodeId(node), .rack = "/default-rack"},
        {{node, NamespaceShape::StorageId(node)}}));
  }
  namenode::Counters counters;
  counters.next_inode = first_file + shape.files;
  counters.next_block = shape.files + 1;
  counters.next_generation = shape.files + 1;
  return builder.Finish(0, counters, shape.nodes + 1, shape.nodes + 1);
}

// Plans, journals and applies, as the door does it.
class Editor {
 public:
  Editor(FsState* state, namenode::Journal* journal) : state_(state), journal_(journal) {
    caller_.user = "root";
    caller_.superuser = true;
    facts_.now_ms = kTimeMs;
    key_.client[0] = 1;
  }

  uint64_t edits() const { return state_->applied_txid(); }

  absl::Status Mkdir(const std::string& path) {
    namenode::MkdirsRequest request{.path = path, .create_parents = true};
    return Carry(namenode::PlanMkdirs(*state_, caller_, request, facts_)).status();
  }
  absl::Status CreateEmpty(const std::string& path) {
    namenode::CreateRequest create;
    create.path = path;
    create.holder = key_.client;
    ASSIGN_OR_RETURN(const namenode::Answer answer,
                     Carry(namenode::PlanCreate(*state_, caller_, create, facts_)));
    namenode::CompleteRequest complete;
    complete.inode = std::get<namenode::CreatedAnswer>(answer).inode;
    complete.holder = key_.client;
    return Carry(namenode::PlanComplete(*state_, caller_, complete, facts_)).status();
  }

 private:
  absl::StatusOr<namenode::Answer> Carry(namenode::Planned planned) {
    RETURN_IF_ERROR(planned.status);
    ++key_.call_id;
    key_.done_below = key_.call_id;
    const namenode::EditRecord record{kTimeMs, key_, *std::move(planned.edit),
                                      std::move(planned.answer)};
    while (journal_->pending_bytes() > kMaxPendingBytes) std::this_thread::yield();
    const TxId txid =
        journal_->Append([&](std::string* out) { namenode::EncodeEdit(record, out); });
    RETURN_IF_ERROR(namenode::Apply(*state_, txid, record).status());
    return record.answer;
  }

  FsState* const state_;
  namenode::Journal* const journal_;
  namenode::Caller caller_;
  namenode::Facts facts_;
  namenode::RetryKey key_;
};

absl::Status WriteEdits(uint64_t edits, FsState* state, Env* env, const std::string& dir) {
  namenode::FileJournalOptions options;
  options.dirs = {dir};
  namenode::FileJournal journal(env, std::move(options));
  journal.OnDurable([](TxId) {});
  RETURN_IF_ERROR(journal.Start(1));
  Editor editor(state, &journal);
  for (uint64_t file = 0; editor.edits() < edits; ++file) {
    const std::string parent =
        fmt::format("/edits/{}", DirectoryName(file / NamespaceShape::kFilesPerDirectory));
    if (file % NamespaceShape::kFilesPerDirectory == 0) RETURN_IF_ERROR(editor.Mkdir(parent));
    RETURN_IF_ERROR(editor.CreateEmpty(parent + "/" + FileName(file)));
  }
  journal.Stop();
  return absl::OkStatus();
}

}  // namespace

std::string NamespaceShape::FilePath(uint64_t file) {
  return fmt::format("/{}/{}", DirectoryName(file / kFilesPerDirectory), FileName(file));
}
std::string NamespaceShape::NodeId(uint32_t node) {
  return fmt::format("00000000-0000-4000-8000-{:012}", node);
}
std::string NamespaceShape::StorageId(uint32_t node) {
  return fmt::format("00000000-0000-4000-9000-{:012}", node);
}

NodeBlocks::NodeBlocks(const NamespaceShape& shape, uint32_t node) : nodes_(shape.nodes) {
  for (uint32_t copy = 0; copy < 3; ++copy) {
    const uint64_t remainder = (node - 1 + nodes_ - copy) % nodes_;
    Run& run = runs_[copy];
    run.first = remainder == 0 ? nodes_ : remainder;
    run.count = run.first > shape.files ? 0 : (shape.files - run.first) / nodes_ + 1;
    size_ += run.count;
  }
  step_ = size_ * 618 / 1000 + 1;  // about the golden section: neighbours go far apart
  while (size_ > 1 && std::gcd(step_, size_) != 1) ++step_;
}

BlockId NodeBlocks::at(uint64_t n) const {
  uint64_t place = n * step_ % size_;
  const Run* run = runs_;
  while (place >= run->count) {
    place -= run->count;
    ++run;
  }
  return run->first + place * nodes_;
}

absl::Status MakeNamespace(const NamespaceShape& shape, Env* env, const std::string& dir) {
  ASSIGN_OR_RETURN(const std::unique_ptr<DataDir> data_dir,
                   DataDir::Open(env, dir, DataDirType::kNameNode));
  DataDirVersion version;
  version.type = DataDirType::kNameNode;
  version.cluster_id = shape.cluster_id;
  version.node_id = NewUuid();
  version.storage_id = NewUuid();
  RETURN_IF_ERROR(data_dir->Format(version));
  ASSIGN_OR_RETURN(FsState state, BuildState(shape));
  const std::string current = data_dir->current_path();
  namenode::ImageStore images(env, {current});
  ASSIGN_OR_RETURN(const std::unique_ptr<namenode::ImageSink> sink, images.Create(0));
  RETURN_IF_ERROR(namenode::SaveImage(state, shape.cluster_id,
                                      [&](std::string_view bytes) { return sink->Append(bytes); }));
  RETURN_IF_ERROR(sink->Finish());
  return shape.edits == 0 ? absl::OkStatus() : WriteEdits(shape.edits, &state, env, current);
}

}  // namespace cairn::bench
