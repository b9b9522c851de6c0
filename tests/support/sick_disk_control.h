// A disk of a running daemon that a test makes sick, and well again.
//
//     SickDisk disk(dir_ / "dn1", dir_ / "dn1.sick");
//     ... .place = [&](const std::string& name) { return name == "dn1" ? disk.At() : Place(); }
//     disk.Make({.fail_writes = true});
//     disk.Heal();
//
// Through sick_disk.cc, which is preloaded into the daemon: build the target sick_disk. Counts from
// the daemon's next call on. Of one thread; throws what std::filesystem throws.
#pragma once

#include <string>
#include <utility>

#include "tests/support/cluster.h"

namespace cairn::testing {

struct Sickness {
  int slow_syncs_ms = 0;     // syncs take so much longer
  bool fail_reads = false;   // EIO
  bool fail_writes = false;  // EIO; names can be changed
  bool fail_syncs = false;   // EIO, and what was to be synced is lost
  bool read_only = false;    // EROFS for every change
};

class SickDisk {
 public:
  // Of the files below `directory`; `control` is a file for this object alone, elsewhere.
  SickDisk(std::string directory, std::string control)
      : directory_(std::move(directory)), control_(std::move(control)) {}

  // Where a daemon with this disk runs.
  Place At() const;
  void Make(const Sickness& sickness) const;
  void Heal() const { Make({}); }

 private:
  const std::string directory_;
  const std::string control_;
};

}  // namespace cairn::testing
