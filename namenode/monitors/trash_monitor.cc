#include "namenode/monitors/trash_monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "common/clock.h"
#include "common/logging.h"
#include "common/metrics.h"
#include "common/status.h"
#include "common/trash_names.h"

namespace cairn::namenode {
namespace {

// Looks only: the names of the emptier's own, for a superuser.
const Caller& Emptier() {
  static const Caller* const caller = new Caller{"trash", {}, true};
  return *caller;
}

int64_t NextMultiple(int64_t now_ms, int64_t every_ms) {
  return (now_ms / every_ms + 1) * every_ms;
}

}  // namespace

TrashMonitor::TrashMonitor(Clock* clock, Namesystem* namesystem, BlockManager* blocks,
                           TrashOptions options, Metrics* metrics)
    : clock_(clock),
      namesystem_(namesystem),
      blocks_(blocks),
      options_(options),
      every_ms_(options.every_ms > 0 ? options.every_ms : options.keep_ms),
      checkpoints_(metrics->AddCounter("cairn_namenode_trash_checkpoints_total",
                                       "Checkpoints of users' trash that were made")),
      deleted_(metrics->AddCounter("cairn_namenode_trash_deleted_total",
                                   "Checkpoints of users' trash that were deleted")),
      failures_(metrics->AddCounter("cairn_namenode_trash_failures_total",
                                    "Users whose trash could not be emptied in a round")),
      next_round_ms_(NextMultiple(clock->WallMs(), every_ms_)) {}

Facts TrashMonitor::FactsNow() const {
  Facts facts;
  facts.now_ms = clock_->WallMs();
  return facts;
}

absl::Status TrashMonitor::Commit(const Namesystem::PlanFn& plan) {
  return namesystem_->CommitAndWait(Origin::kInternal, std::nullopt, plan).status();
}

absl::Status TrashMonitor::RunOnce() {
  const int64_t now_ms = clock_->WallMs();
  if (round_ms_ == 0) {
    // A clock that was set back must not make the trash wait for the time it had reached.
    next_round_ms_ = std::min(next_round_ms_, NextMultiple(now_ms, every_ms_));
    if (now_ms < next_round_ms_) return absl::OkStatus();
    if (blocks_->InSafeMode()) return absl::OkStatus();  // the round comes after it
    round_ms_ = now_ms;
    last_user_.clear();
  }
  const std::vector<std::string> users = NextUsers();
  for (const std::string& user : users) {
    const absl::Status emptied = Empty(Look(user));
    // The NameNode stops: not this user's fault.
    if (absl::IsUnavailable(emptied)) return emptied;
    if (!emptied.ok()) {
      failures_->Increment();
      LogWarn("the trash of {} is left as it is until the next round: {}", user,
              MessageOf(emptied));
    }
    last_user_ = user;
  }
  if (!users.empty()) return absl::OkStatus();  // the next run goes on
  next_round_ms_ = NextMultiple(clock_->WallMs(), every_ms_);
  round_ms_ = 0;
  return absl::OkStatus();
}

std::vector<std::string> TrashMonitor::NextUsers() const {
  std::vector<std::string> users;
  namesystem_->Peek([&](const FsState& state) {
    const ReadResult<ListPage> page =
        ReadList(state, Emptier(), kHomes, last_user_, static_cast<uint32_t>(options_.users_a_run),
                 FactsNow());
    if (!page.value.ok()) return;
    for (const FileStatus& home : page.value->entries) users.push_back(home.name);
  });
  return users;
}

TrashMonitor::Trash TrashMonitor::Look(const std::string& user) const {
  Trash trash{.root = TrashRootOf(user)};
  const std::string name_of_round = TrashCheckpointName(round_ms_);
  std::string start_after;
  bool more = true;
  while (more) {
    namesystem_->Peek([&](const FsState& state) {
      const ReadResult<ListPage> page =
          ReadList(state, Emptier(), trash.root, start_after, 0, FactsNow());
      more = page.value.ok() && page.value->has_more;
      if (!page.value.ok()) return;
      for (const FileStatus& entry : page.value->entries) {
        start_after = entry.name;
        if (entry.name == kTrashCurrent) trash.has_current = true;
        if (entry.name == name_of_round) trash.has_checkpoint_of_round = true;
        const auto time_ms = ParseTrashCheckpoint(entry.name);
        if (time_ms && *time_ms < round_ms_ - options_.keep_ms) trash.old.push_back(entry.name);
      }
    });
  }
  return trash;
}

absl::Status TrashMonitor::Empty(const Trash& trash) {
  for (const std::string& name : trash.old) {
    const DeleteRequest request{fmt::format("{}/{}", trash.root, name), true};
    const absl::Status deleted =
        Commit([&](const FsState& s) { return PlanDelete(s, Emptier(), request, FactsNow()); });
    if (absl::IsNotFound(deleted)) continue;  // its user was faster
    RETURN_IF_ERROR(deleted);
    deleted_->Increment();
    LogInfo("{} deleted", request.path);
  }
  if (!trash.has_current || trash.has_checkpoint_of_round) return absl::OkStatus();
  const RenameRequest request{fmt::format("{}/{}", trash.root, kTrashCurrent),
                              fmt::format("{}/{}", trash.root, TrashCheckpointName(round_ms_))};
  const absl::Status renamed =
      Commit([&](const FsState& s) { return PlanRename(s, Emptier(), request, FactsNow()); });
  // The user's own expunge was faster: Current has not been there for long.
  if (absl::IsNotFound(renamed) || absl::IsAlreadyExists(renamed)) return absl::OkStatus();
  RETURN_IF_ERROR(renamed);
  checkpoints_->Increment();
  return absl::OkStatus();
}

}  // namespace cairn::namenode
