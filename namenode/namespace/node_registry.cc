#include "namenode/namespace/node_registry.h"

#include <fmt/format.h>

#include "common/status.h"

namespace cairn::namenode {

const NodeEntry* NodeRegistry::FindNode(NodeNumber number) const {
  const auto it = nodes_.find(number);
  return it == nodes_.end() ? nullptr : &it->second;
}

const NodeEntry* NodeRegistry::FindNode(std::string_view id) const {
  const auto it = nodes_by_id_.find(id);
  return it == nodes_by_id_.end() ? nullptr : FindNode(it->second);
}

const StorageEntry* NodeRegistry::FindStorage(StorageNumber number) const {
  const auto it = storages_.find(number);
  return it == storages_.end() ? nullptr : &it->second;
}

const StorageEntry* NodeRegistry::FindStorage(std::string_view id) const {
  const auto it = storages_by_id_.find(id);
  return it == storages_by_id_.end() ? nullptr : FindStorage(it->second);
}

void NodeRegistry::ForEachNode(const std::function<void(const NodeEntry&)>& fn) const {
  for (const auto& [number, node] : nodes_) fn(node);
}

absl::Status NodeRegistry::Register(const RegisterNodeEdit& edit) {
  const NodeEntry* known = FindNode(edit.node);
  if (known != nullptr && known->id != edit.id) {
    return absl::DataLossError(fmt::format("node {} has another id", edit.node));
  }
  if (known == nullptr && (edit.node != next_node_ || FindNode(edit.id) != nullptr)) {
    return absl::DataLossError(fmt::format("node {} is not the next new node", edit.node));
  }
  for (size_t i = 0; i < edit.new_storages.size(); ++i) {
    if (edit.new_storages[i].number != next_storage_ + i) {
      return absl::DataLossError(
          fmt::format("storage {} is not the next new storage", edit.new_storages[i].number));
    }
  }
  if (known == nullptr) {
    nodes_by_id_.emplace(edit.id, edit.node);
    next_node_ = edit.node + 1;
  }
  NodeEntry& node = nodes_[edit.node];
  if (known != nullptr) digest_ -= HashNode(node);
  node.number = edit.node;
  node.id = edit.id;
  node.rack = edit.rack;
  digest_ += HashNode(node);
  next_storage_ += edit.new_storages.size();
  return AddStorages(node, edit.new_storages);
}

absl::Status NodeRegistry::SetAdminState(const SetAdminStateEdit& edit) {
  const auto it = nodes_.find(edit.node);
  if (it == nodes_.end() || static_cast<uint32_t>(edit.state) >= kAdminStates) {
    return absl::DataLossError(fmt::format("there is no node {}, or no admin state {}", edit.node,
                                           static_cast<uint32_t>(edit.state)));
  }
  digest_ -= HashAdmin(it->second);
  it->second.admin = edit.state;
  digest_ += HashAdmin(it->second);
  return absl::OkStatus();
}

absl::Status NodeRegistry::Restore(const NodeEntry& node,
                                   const std::vector<RegisteredStorage>& storages) {
  const auto [it, is_new] = nodes_.emplace(node.number, node);
  if (!is_new || node.number == 0 || !nodes_by_id_.emplace(node.id, node.number).second) {
    return absl::DataLossError(fmt::format("node {} is there twice", node.number));
  }
  if (static_cast<uint32_t>(node.admin) >= kAdminStates) {
    return absl::DataLossError(fmt::format("node {} has no admin state {}", node.number,
                                           static_cast<uint32_t>(node.admin)));
  }
  it->second.storages.clear();
  digest_ += HashNode(it->second);
  digest_ += HashAdmin(it->second);
  return AddStorages(it->second, storages);
}

absl::Status NodeRegistry::RestoreCounters(NodeNumber next_node, StorageNumber next_storage) {
  if ((!nodes_.empty() && nodes_.rbegin()->first >= next_node) || next_node == 0 ||
      (!storages_.empty() && storages_.rbegin()->first >= next_storage) || next_storage == 0) {
    return absl::DataLossError("the counters of nodes and storages are too low");
  }
  next_node_ = next_node;
  next_storage_ = next_storage;
  return absl::OkStatus();
}

absl::Status NodeRegistry::AddStorages(NodeEntry& node,
                                       const std::vector<RegisteredStorage>& storages) {
  for (const RegisteredStorage& added : storages) {
    const auto [it, is_new] =
        storages_.emplace(added.number, StorageEntry{added.number, added.id, node.number});
    if (!is_new || added.number == 0 || !storages_by_id_.emplace(added.id, added.number).second) {
      return absl::DataLossError(fmt::format("storage {} is there twice", added.number));
    }
    node.storages.push_back(added.number);
    digest_ += HashStorage(it->second);
  }
  return absl::OkStatus();
}

Digest NodeRegistry::RecomputeDigest() const {
  Digest sum;
  for (const auto& [number, node] : nodes_) {
    sum += HashNode(node);
    sum += HashAdmin(node);
  }
  for (const auto& [number, storage] : storages_) sum += HashStorage(storage);
  return sum;
}

Digest NodeRegistry::HashNode(const NodeEntry& node) {
  return EntityBytes('n').Add(node.number).Add(node.id).Add(node.rack).Hash();
}

Digest NodeRegistry::HashAdmin(const NodeEntry& node) {
  if (node.admin == AdminState::kInService) return {};
  return EntityBytes('a').Add(node.number).Add(static_cast<uint64_t>(node.admin)).Hash();
}

Digest NodeRegistry::HashStorage(const StorageEntry& storage) {
  return EntityBytes('s').Add(storage.number).Add(storage.id).Add(storage.node).Hash();
}

}  // namespace cairn::namenode
