// Plans of the NameNode itself: the registry of DataNodes, epochs, digests.
#include <fmt/format.h>

#include <set>
#include <string>

#include "common/admin_state.h"
#include "common/status.h"
#include "common/strings.h"
#include "namenode/namespace/lookup.h"

namespace cairn::namenode {
namespace {

constexpr size_t kMaxIdBytes = 64;  // a UUID has 36
constexpr size_t kMaxRackBytes = 255;

absl::Status CheckId(std::string_view what, std::string_view id) {
  if (!id.empty() && id.size() <= kMaxIdBytes && IsValidUtf8(id)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      fmt::format("the {} id has {} bytes; it is a UUID, 1 to {}", what, id.size(), kMaxIdBytes));
}

absl::Status CheckRegistration(const RegisterNodeRequest& request) {
  RETURN_IF_ERROR(CheckId("node", request.id));
  if (request.rack.size() > kMaxRackBytes || !IsValidUtf8(request.rack)) {
    return absl::InvalidArgumentError(
        fmt::format("the rack is no text of at most {} bytes", kMaxRackBytes));
  }
  std::set<std::string_view> seen;
  for (const std::string& id : request.storage_ids) {
    RETURN_IF_ERROR(CheckId("storage", id));
    if (!seen.insert(id).second) {
      return absl::InvalidArgumentError(fmt::format("storage {} is named twice", id));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Decision> DecideRegister(const FsState& state, const RegisterNodeRequest& request) {
  RETURN_IF_ERROR(CheckRegistration(request));
  const NodeRegistry& registry = state.registry();
  const NodeEntry* known = registry.FindNode(request.id);
  RegisterNodeEdit edit;
  edit.node = known != nullptr ? known->number : registry.next_node();
  edit.id = request.id;
  edit.rack = request.rack;
  RegisteredAnswer answer{edit.node, {}};
  for (const std::string& id : request.storage_ids) {
    const StorageEntry* storage = registry.FindStorage(id);
    if (storage == nullptr) {
      const auto number =
          static_cast<StorageNumber>(registry.next_storage() + edit.new_storages.size());
      edit.new_storages.push_back({number, id});
      answer.storages.push_back(number);
      continue;
    }
    if (storage->node != edit.node) {
      return absl::AlreadyExistsError(fmt::format("storage {} belongs to DataNode {}", id,
                                                  registry.FindNode(storage->node)->id));
    }
    answer.storages.push_back(storage->number);
  }
  if (known != nullptr && known->rack == request.rack && edit.new_storages.empty()) {
    return Decision{std::nullopt, std::move(answer)};
  }
  return Decision{std::move(edit), std::move(answer)};
}

absl::StatusOr<Decision> DecideSetAdminState(Lookup& lookup, const SetAdminStateRequest& request) {
  lookup.Saw(lookup.state().applied_txid());  // rare, as registrations
  RETURN_IF_ERROR(lookup.CheckSuperuser("say what a DataNode shall be"));
  const NodeEntry* node = lookup.state().registry().FindNode(request.node);
  if (node == nullptr) {
    return absl::NotFoundError(fmt::format("no DataNode has number {}", request.node));
  }
  const bool decommissioned =
      node->admin == AdminState::kDecommissioned && request.state == AdminState::kDecommissioning;
  if (node->admin == request.state || decommissioned) return Decision{};
  return Decision{SetAdminStateEdit{request.node, request.state}, NoAnswer{}};
}

}  // namespace

Planned PlanSetAdminState(const FsState& state, const Caller& caller,
                          const SetAdminStateRequest& request) {
  const Limits limits;
  return MakePlan(state, caller, limits,
                  [&](Lookup& lookup) { return DecideSetAdminState(lookup, request); });
}

Planned PlanEndDecommission(const FsState& state, NodeNumber number) {
  const NodeEntry* node = state.registry().FindNode(number);
  Planned planned;
  planned.observed = state.applied_txid();
  if (node != nullptr && node->admin == AdminState::kDecommissioning) {
    planned.edit = SetAdminStateEdit{number, AdminState::kDecommissioned};
  }
  return planned;
}

Planned PlanRegisterNode(const FsState& state, const RegisterNodeRequest& request) {
  const Caller nobody;
  const Limits limits;
  return MakePlan(state, nobody, limits, [&](Lookup& lookup) {
    lookup.Saw(state.applied_txid());  // registrations are rare: wait for all
    return DecideRegister(state, request);
  });
}

Planned PlanStart(const FsState& state) {
  Planned planned;
  planned.edit = StartEdit{state.epoch() + 1};
  return planned;
}

Planned PlanDigest(const FsState& state) {
  const Digest digest = state.digest();
  Planned planned;
  planned.edit = DigestEdit{digest.high, digest.low};
  return planned;
}

}  // namespace cairn::namenode
