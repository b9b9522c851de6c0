// The registry: which short number stands for which DataNode and storage, each node's rack, and
// what administrators want it to be.
//
// Numbers are journaled, given once and never reused, so that blocks name nodes in 4 bytes. What a
// node is doing (address, liveness, load) is reported, not journaled, and lives in blocks/.
// Not thread-safe; owned by FsState, changed by Apply alone.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "namenode/namespace/digest.h"
#include "namenode/namespace/edit.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

struct NodeEntry {
  NodeNumber number = 0;
  std::string id;  // UUID
  std::string rack;
  std::vector<StorageNumber> storages;  // in the order they came
  AdminState admin = AdminState::kInService;
};

struct StorageEntry {
  StorageNumber number = 0;
  std::string id;  // UUID
  NodeNumber node = 0;
};

class NodeRegistry {
 public:
  // Each nullptr when unknown. Pointers stay valid until the registry goes.
  const NodeEntry* FindNode(NodeNumber number) const;
  const NodeEntry* FindNode(std::string_view id) const;
  const StorageEntry* FindStorage(StorageNumber number) const;
  const StorageEntry* FindStorage(std::string_view id) const;
  void ForEachNode(const std::function<void(const NodeEntry&)>& fn) const;  // by number

  NodeNumber next_node() const { return next_node_; }
  StorageNumber next_storage() const { return next_storage_; }
  const Digest& digest() const { return digest_; }
  Digest RecomputeDigest() const;

  // A new node, new storages of a known one, or its new rack. Numbers must be the next ones.
  absl::Status Register(const RegisterNodeEdit& edit);
  absl::Status SetAdminState(const SetAdminStateEdit& edit);
  // For images: a node with its storages; then the counters, which must be above every number.
  absl::Status Restore(const NodeEntry& node, const std::vector<RegisteredStorage>& storages);
  absl::Status RestoreCounters(NodeNumber next_node, StorageNumber next_storage);

 private:
  static Digest HashNode(const NodeEntry& node);
  // Nothing for a node in service, so that states without such words keep their digest.
  static Digest HashAdmin(const NodeEntry& node);
  static Digest HashStorage(const StorageEntry& storage);
  // The part that Register and Restore share: ids and numbers must be unknown.
  absl::Status AddStorages(NodeEntry& node, const std::vector<RegisteredStorage>& storages);

  std::map<NodeNumber, NodeEntry> nodes_;
  std::map<StorageNumber, StorageEntry> storages_;
  std::map<std::string, NodeNumber, std::less<>> nodes_by_id_;
  std::map<std::string, StorageNumber, std::less<>> storages_by_id_;
  NodeNumber next_node_ = 1;
  StorageNumber next_storage_ = 1;
  Digest digest_;  // of nodes and storages
};

}  // namespace cairn::namenode
