#include "tests/bench/disk_door.h"

#include <fmt/format.h>

#include "namenode/namesystem/load_blocks.h"
#include "namenode/namesystem/state_store.h"

namespace cairn::bench {
namespace {

constexpr std::string_view kCluster = "bench";

}  // namespace

absl::StatusOr<std::unique_ptr<DiskDoor>> DiskDoor::Open(Env* env, const std::string& dir) {
  std::unique_ptr<DiskDoor> door(new DiskDoor(env, dir));
  RETURN_IF_ERROR(door->Begin());
  return door;
}

DiskDoor::~DiskDoor() { Stop(); }

absl::Status DiskDoor::Begin() {
  RETURN_IF_ERROR(env_->CreateDirs(dir_));
  namenode::StateStore store(env_, {dir_}, std::string(kCluster));
  RETURN_IF_ERROR(store.Format("root", "supergroup", clock_->WallMs()));
  ASSIGN_OR_RETURN(namenode::LoadedState loaded, store.Recover());
  namenode::FileJournalOptions options;
  options.dirs = {dir_};
  options.metrics = &metrics_;
  journal_ = std::make_unique<CountingJournal>(env_, std::move(options));
  blocks_ = std::make_unique<namenode::BlockManager>(
      namenode::BlockManagerOptions(), clock_.get(), [this] { return journal_->durable(); }, 1);
  namenode::LoadBlocks(*loaded.state, blocks_.get());
  namesystem_ = std::make_unique<namenode::Namesystem>(std::move(loaded.state), journal_.get(),
                                                       blocks_.get(), clock_.get(), &metrics_);
  RETURN_IF_ERROR(journal_->Start(loaded.last_txid + 1));
  blocks_->FinishLoading();
  operations_ = std::make_unique<namenode::ClientOperations>(
      namesystem_.get(), blocks_.get(), clock_.get(), namenode::NamespaceConfig());
  return absl::OkStatus();
}

void DiskDoor::Stop() {
  if (namesystem_ != nullptr) namesystem_->Stop();
  if (journal_ != nullptr) journal_->Stop();
}

absl::Status DiskDoor::CloseAndVerify() {
  Stop();
  ASSIGN_OR_RETURN(const namenode::LoadedState loaded,
                   namenode::StateStore(env_, {dir_}, std::string(kCluster)).Recover());
  absl::Status status;
  namesystem_->Peek([&](const namenode::FsState& state) {
    const namenode::Digest digest = loaded.state->RecomputeDigest();
    if (digest == state.digest()) return;
    status = absl::InternalError(
        fmt::format("recovered {} files, {} directories, digest {}; there were {}, {} and {}",
                    loaded.state->files(), loaded.state->directories(), namenode::ToHex(digest),
                    state.files(), state.directories(), namenode::ToHex(state.digest())));
  });
  return status;
}

}  // namespace cairn::bench
