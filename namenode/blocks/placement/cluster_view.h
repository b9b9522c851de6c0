// What placement may know of the cluster: a few numbers a node, and who shares a rack or a host.
//
// Why: planners are pure functions of this and a request, so they can be tested without a NameNode.
// It is kept up to date node by node, not built anew for each choice. Nodes are named by their
// index here, which never changes. Not thread-safe; owned by the DatanodeTable.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"
#include "common/strings.h"

namespace cairn::namenode {

inline constexpr std::string_view kDefaultRack = "/default-rack";  // HDFS: NetworkTopology

// The first level of "/region/rack"; empty where a rack has one level alone, so that all such racks
// are of one region.
std::string_view RegionOf(std::string_view rack);

// A node is taken only when no fitting one of an earlier tier is left.
enum class PlacementTier : uint8_t {
  kPreferred,
  kSecondary,   // over 90% full, degraded (but not late), or its full report is missing
  kLastResort,  // its heartbeat is late
  kUnusable,    // it has failed, or is not in service
};

struct PlacementNode {
  NodeNumber number = 0;
  uint32_t rack = 0;
  uint32_t region = 0;  // that of the rack
  uint32_t host = 0;
  PlacementTier tier = PlacementTier::kUnusable;
  uint64_t capacity_bytes = 0;
  uint64_t free_bytes = 0;  // what is promised to open blocks is taken off
  uint32_t transfers = 0;   // reads and writes under way

  // 0 and up; the node with the lower cost is the better choice. 64 transfers weigh as much as a
  // full disk.
  double Cost() const;
  double FreeFraction() const;
};

class ClusterView {
 public:
  // Adds a node; returns its index.
  uint32_t Add(NodeNumber number, std::string_view rack, std::string_view host);
  void Move(uint32_t index, std::string_view rack, std::string_view host);

  size_t size() const { return nodes_.size(); }
  // What changes of a node while it stays where it is.
  void SetLoad(uint32_t index, uint64_t capacity_bytes, uint64_t free_bytes, uint32_t transfers);
  void SetTier(uint32_t index, PlacementTier tier);
  // Nodes of this tier.
  size_t of_tier(PlacementTier tier) const { return tiers_[static_cast<size_t>(tier)]; }
  const PlacementNode& node(uint32_t index) const { return nodes_[index]; }
  const std::vector<uint32_t>& all() const { return all_; }
  // Grows whenever a node comes, or moves.
  uint64_t changes() const { return changes_; }
  size_t racks() const { return racks_.members.size(); }
  const std::vector<uint32_t>& in_rack(uint32_t rack) const { return racks_.members[rack]; }
  const std::vector<uint32_t>& in_region(uint32_t region) const { return regions_.members[region]; }
  // Empty for an unknown or empty name.
  const std::vector<uint32_t>& in_rack(std::string_view rack) const { return racks_.Find(rack); }
  const std::vector<uint32_t>& on_host(std::string_view host) const { return hosts_.Find(host); }

 private:
  struct Groups {
    StringMap<uint32_t> numbers;
    std::vector<std::vector<uint32_t>> members;
    std::vector<uint32_t> none;  // always empty

    uint32_t Join(std::string_view name, uint32_t index);
    void Leave(uint32_t group, uint32_t index);
    const std::vector<uint32_t>& Find(std::string_view name) const;
  };

  std::vector<PlacementNode> nodes_;
  std::vector<uint32_t> all_;
  std::array<size_t, 4> tiers_{};  // nodes of each
  Groups racks_;
  Groups regions_;
  Groups hosts_;
  uint64_t changes_ = 0;
};

}  // namespace cairn::namenode
