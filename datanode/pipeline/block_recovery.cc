#include "datanode/pipeline/block_recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "common/logging.h"

namespace cairn::datanode {
namespace {

// Lengths of the replicas for which `which` holds.
std::vector<uint64_t> LengthsOf(const std::vector<RecoveryAnswer>& answers,
                                const std::function<bool(const RecoveryAnswer&)>& which) {
  std::vector<uint64_t> lengths;
  for (const RecoveryAnswer& answer : answers) {
    if (answer.state != RecoveryAnswer::kNone && which(answer)) {
      lengths.push_back(answer.block.length);
    }
  }
  return lengths;
}

uint64_t AgreedLength(const std::vector<RecoveryAnswer>& answers, const Block& block) {
  const auto ended = LengthsOf(answers, [&](const RecoveryAnswer& answer) {
    return answer.state == RecoveryAnswer::kFinalized &&
           answer.block.generation == block.generation;
  });
  if (!ended.empty()) {
    const auto [least, most] = std::minmax_element(ended.begin(), ended.end());
    if (*least != *most) {
      LogError("block {}: finalized replicas of generation {} have {} and {} bytes", block.id,
               block.generation, *least, *most);
    }
    return *most;
  }
  const auto open = LengthsOf(
      answers, [](const RecoveryAnswer& answer) { return answer.state == RecoveryAnswer::kOpen; });
  if (!open.empty()) return *std::min_element(open.begin(), open.end());
  const auto all = LengthsOf(answers, [](const RecoveryAnswer&) { return true; });
  return all.empty() ? 0 : *std::max_element(all.begin(), all.end());
}

// Runs call(i) for all i below `count` at the same time.
void ForAll(size_t count, const std::function<void(size_t)>& call) {
  std::vector<std::thread> threads;
  for (size_t i = 1; i < count; ++i) threads.emplace_back(call, i);
  if (count > 0) call(0);
  for (std::thread& thread : threads) thread.join();
}

}  // namespace

absl::StatusOr<RecoveryDecision> DecideRecovery(const std::vector<RecoveryAnswer>& answers,
                                                const Block& block, bool cut) {
  RecoveryDecision decision{.length = cut ? block.length : AgreedLength(answers, block),
                            .participants = {}};
  if (decision.length == 0) return decision;
  for (size_t i = 0; i < answers.size(); ++i) {
    const RecoveryAnswer& answer = answers[i];
    if (answer.state != RecoveryAnswer::kNone && answer.block.length >= decision.length) {
      decision.participants.push_back(i);
    }
  }
  if (decision.participants.empty()) {
    return absl::FailedPreconditionError(
        fmt::format("no replica of block {} has {} bytes", block.id, decision.length));
  }
  return decision;
}

absl::StatusOr<RecoveryResult> RecoverBlock(const RecoveryOrder& order, RecoveryPeers* peers) {
  const std::vector<Target>& members = order.members;
  if (members.empty()) return absl::InvalidArgumentError("a recovery without members");
  std::vector<std::optional<absl::StatusOr<RecoveryAnswer>>> started(members.size());
  ForAll(members.size(),
         [&](size_t i) { started[i] = peers->Start(members[i], order.block, order.recovery); });
  std::vector<RecoveryAnswer> answers;
  for (size_t i = 0; i < members.size(); ++i) {
    if (!started[i]->ok()) return Annotate(started[i]->status(), members[i].name());
    answers.push_back(**started[i]);
  }
  ASSIGN_OR_RETURN(const RecoveryDecision decision,
                   DecideRecovery(answers, order.block, order.cut));

  RecoveryResult result;
  result.block = {order.block.id, order.recovery, decision.length};
  std::vector<std::optional<absl::StatusOr<StorageNumber>>> finished(decision.participants.size());
  ForAll(decision.participants.size(), [&](size_t i) {
    const size_t member = decision.participants[i];
    Block replica = answers[member].block;
    replica.length = decision.length;
    finished[i] = peers->Finish(members[member], replica, order.recovery);
  });
  absl::Status failure;
  for (size_t i = 0; i < finished.size(); ++i) {
    if (finished[i]->ok()) {
      result.storages.push_back(**finished[i]);
      continue;
    }
    failure = Annotate(finished[i]->status(), members[decision.participants[i]].name());
    LogWarn("recovery of block {}: {}", order.block.id, MessageOf(failure));
  }
  if (decision.length > 0 && result.storages.empty()) return failure;
  LogInfo("block {} has {} bytes under generation {}, on {} of {} nodes", order.block.id,
          decision.length, order.recovery, result.storages.size(), members.size());
  return result;
}

}  // namespace cairn::datanode
