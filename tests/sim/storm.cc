#include "tests/sim/storm.h"

#include <memory>
#include <string>
#include <utility>

namespace cairn::sim {
namespace {

enum Fault : size_t { kCrash, kRack, kMute, kWipe, kDisk, kRot, kFull, kSlow, kLeave, kNameNode };

constexpr uint64_t kSlowBytesPerMs = 10'000;
constexpr uint64_t kBytesPerMs = 200'000;

}  // namespace

Storm::Storm(ClusterSim* sim, int64_t every_ms) : sim_(sim), every_ms_(every_ms) {
  sim_->events().After(every_ms_, [this] { Next(); });
}

void Storm::Next() {
  if (calm_) return;
  const auto pause = static_cast<int64_t>(1 + sim_->Draw(2 * static_cast<uint64_t>(every_ms_)));
  sim_->events().After(pause, [this] { Next(); });
  const size_t fault = sim_->Draw(kFaults.size());
  // Racks and NameNodes go rarely.
  if ((fault == kRack || fault == kNameNode) && sim_->Draw(5) > 0) return;
  if (Happen(fault)) ++happened_[fault];
}

bool Storm::Happen(size_t fault) {
  switch (fault) {
    case kCrash:
      return CrashOne(/*wipe=*/false);
    case kWipe:
      return CrashOne(/*wipe=*/true);
    case kRack:
      return CrashRack();
    case kLeave:
      return Leave();
    case kNameNode:
      sim_->RestartNameNode();
      return true;
    default:
      return Hinder(fault);
  }
}

bool Storm::MayGo(const SimNode* node) const {
  if (!node->up || node->admin != AdminState::kInService) return false;
  size_t out = 1;
  for (const auto& other : sim_->nodes()) {
    out += !other->up || other->muted || other->admin != AdminState::kInService ? 1 : 0;
  }
  return 5 * out <= sim_->nodes().size();
}

// From a blink to so long that its replicas are made anew elsewhere.
bool Storm::CrashOne(bool wipe) {
  SimNode* const node = Any();
  if (!MayGo(node)) return false;
  sim_->Crash(node);
  sim_->events().After(Seconds(5, 300), [this, node, wipe] {
    if (node->up) return;
    if (wipe) sim_->Wipe(node);
    sim_->Start(node);
  });
  return true;
}

bool Storm::CrashRack() {
  const std::string rack = Any()->registration.rack;
  for (const auto& node : sim_->nodes()) {
    if (!node->up) return false;
  }
  for (const auto& each : sim_->nodes()) {
    SimNode* const node = each.get();
    if (node->registration.rack != rack) continue;
    sim_->Crash(node);
    sim_->events().After(Seconds(20, 400), [this, node] {
      if (!node->up) sim_->Start(node);
    });
  }
  return true;
}

bool Storm::Hinder(size_t fault) {
  SimNode* const node = Any();
  if (!MayGo(node)) return false;
  SimDisk& disk = node->disks[sim_->Draw(node->disks.size())];
  switch (fault) {
    case kMute:
      sim_->Mute(node, true);
      sim_->events().After(Seconds(3, 150), [this, node] { sim_->Mute(node, false); });
      return true;
    case kDisk:
      return sim_->FailDisk(node, static_cast<size_t>(&disk - node->disks.data()));
    case kRot:
      return sim_->Rot(node, Seconds(1, 1'800));
    case kFull:
      disk.foreign_bytes += node->Remaining(disk);
      sim_->events().After(Seconds(30, 600), [&disk] { disk.foreign_bytes = 0; });
      return true;
    default:
      node->bytes_per_ms = kSlowBytesPerMs;
      sim_->events().After(Seconds(30, 600), [node] { node->bytes_per_ms = kBytesPerMs; });
      return true;
  }
}

bool Storm::Leave() {
  SimNode* const node = Any();
  if (!MayGo(node)) return false;
  const bool rests = sim_->Draw(3) == 0;
  sim_->SetAdmin(node, rests ? AdminState::kMaintenance : AdminState::kDecommissioning);
  sim_->events().After(Seconds(30, 900),
                       [this, node] { sim_->SetAdmin(node, AdminState::kInService); });
  return true;
}

bool Storm::CalmDown(int64_t ms) {
  calm_ = true;
  sim_->StopWriting();
  sim_->RunFor(1'000'000);  // what was begun ends: pauses, timeouts of orders
  for (const auto& each : sim_->nodes()) {
    SimNode* const node = each.get();
    node->muted = false;
    bool failed = false;
    for (SimDisk& disk : node->disks) failed |= std::exchange(disk.failed, false);
    if (failed && node->up) sim_->Crash(node);  // a new disk comes with a start
    if (!node->up) sim_->Start(node);
  }
  sim_->RunFor(60'000);
  for (const auto& node : sim_->nodes()) sim_->FindRot(node.get());
  return sim_->RunUntilSound(ms);
}

}  // namespace cairn::sim
