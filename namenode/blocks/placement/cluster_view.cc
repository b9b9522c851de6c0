#include "namenode/blocks/placement/cluster_view.h"

#include <algorithm>

namespace cairn::namenode {
namespace {

constexpr double kTransfersLikeAFullDisk = 64;

bool Contains(const std::vector<uint32_t>& members, uint32_t index) {
  return std::find(members.begin(), members.end(), index) != members.end();
}

std::string_view RackName(std::string_view rack) { return rack.empty() ? kDefaultRack : rack; }

}  // namespace

std::string_view RegionOf(std::string_view rack) {
  const size_t end = rack.find('/', 1);
  return end == std::string_view::npos ? std::string_view() : rack.substr(0, end);
}

double PlacementNode::FreeFraction() const {
  if (capacity_bytes == 0) return 0;
  return std::min(1.0, static_cast<double>(free_bytes) / static_cast<double>(capacity_bytes));
}

double PlacementNode::Cost() const {
  return 1 - FreeFraction() + transfers / kTransfersLikeAFullDisk;
}

uint32_t ClusterView::Add(NodeNumber number, std::string_view rack, std::string_view host) {
  const uint32_t index = static_cast<uint32_t>(nodes_.size());
  PlacementNode node;
  node.number = number;
  node.rack = racks_.Join(RackName(rack), index);
  node.region = regions_.Join(RegionOf(rack), index);
  node.host = hosts_.Join(host, index);
  nodes_.push_back(node);
  ++tiers_[static_cast<size_t>(node.tier)];
  all_.push_back(index);
  ++changes_;
  return index;
}

void ClusterView::SetLoad(uint32_t index, uint64_t capacity_bytes, uint64_t free_bytes,
                          uint32_t transfers) {
  PlacementNode& node = nodes_[index];
  node.capacity_bytes = capacity_bytes;
  node.free_bytes = free_bytes;
  node.transfers = transfers;
}

void ClusterView::SetTier(uint32_t index, PlacementTier tier) {
  PlacementNode& node = nodes_[index];
  if (node.tier == tier) return;
  --tiers_[static_cast<size_t>(node.tier)];
  ++tiers_[static_cast<size_t>(tier)];
  node.tier = tier;
}

void ClusterView::Move(uint32_t index, std::string_view rack, std::string_view host) {
  PlacementNode& node = nodes_[index];
  if (Contains(racks_.Find(RackName(rack)), index) && Contains(hosts_.Find(host), index)) return;
  ++changes_;
  racks_.Leave(node.rack, index);
  regions_.Leave(node.region, index);
  hosts_.Leave(node.host, index);
  node.rack = racks_.Join(RackName(rack), index);
  node.region = regions_.Join(RegionOf(rack), index);
  node.host = hosts_.Join(host, index);
}

uint32_t ClusterView::Groups::Join(std::string_view name, uint32_t index) {
  const auto [it, added] = numbers.try_emplace(std::string(name), members.size());
  if (added) members.emplace_back();
  members[it->second].push_back(index);
  return it->second;
}

void ClusterView::Groups::Leave(uint32_t group, uint32_t index) {
  std::erase(members[group], index);
}

const std::vector<uint32_t>& ClusterView::Groups::Find(std::string_view name) const {
  if (name.empty()) return none;
  const auto it = numbers.find(name);
  return it == numbers.end() ? none : members[it->second];
}

}  // namespace cairn::namenode
