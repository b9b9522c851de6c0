// Safe mode: the NameNode reads but changes nothing, and deletes and copies nothing.
//
// It is on after a start until enough blocks have a replica reported, on command, and while
// somebody else has a reason for it (low disk space, an older journal). Pure: figures and time come
// in. Not thread-safe; owned by the reported state.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace cairn::namenode {

struct SafeModeState {
  bool on = false;
  bool starting = false;  // not enough has been reported since the start, whatever else holds it on
  std::string reason;     // one line: why it is on and what it waits for; empty when off
};

class SafeMode {
 public:
  // `threshold`: the share of blocks that must have a replica reported; it must have held for
  // `extension_ms` before safe mode ends. A cluster without blocks does not wait.
  SafeMode(double threshold, int64_t extension_ms)
      : threshold_(threshold), extension_ms_(extension_ms) {}

  void FinishLoading() { loading_ = false; }
  // Takes the figures in: once the start's conditions are met, they are not looked at again.
  void Update(uint64_t reported, uint64_t total, int64_t now_ms);
  void Enter() { manual_ = true; }
  // FAILED_PRECONDITION while a forced reason stands.
  absl::Status Leave();
  void Force(std::string reason) { forced_ = std::move(reason); }

  bool on() const { return loading_ || starting_ || manual_ || !forced_.empty(); }
  SafeModeState state() const { return {on(), loading_ || starting_, Reason()}; }
  // As in SafeModeState.
  std::string Reason() const;

 private:
  const double threshold_;
  const int64_t extension_ms_;
  bool loading_ = true;
  bool starting_ = true;
  bool manual_ = false;
  std::string forced_;
  uint64_t reported_ = 0;
  uint64_t total_ = 0;
  int64_t met_since_ms_ = -1;  // -1: the threshold is not met
  int64_t now_ms_ = 0;
};

}  // namespace cairn::namenode
