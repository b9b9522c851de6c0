#include "tests/support/sick_disk_control.h"

#include <fmt/format.h>

#include <filesystem>

#include "tests/support/files.h"

namespace cairn::testing {

Place SickDisk::At() const {
  Place place;
  place.env["LD_PRELOAD"] = BinDir() + "/../tests/libsick_disk.so";
  place.env["CAIRN_TEST_SICK_DISK"] = control_;
  return place;
}

void SickDisk::Make(const Sickness& sickness) const {
  std::string text = directory_;
  if (sickness.slow_syncs_ms > 0) text += fmt::format(" slow-syncs={}", sickness.slow_syncs_ms);
  if (sickness.fail_reads) text += " fail-reads";
  if (sickness.fail_writes) text += " fail-writes";
  if (sickness.fail_syncs) text += " fail-syncs";
  if (sickness.read_only) text += " read-only";
  WriteWholeFile(control_ + ".new", text);
  std::filesystem::rename(control_ + ".new", control_);  // the daemon reads it at any moment
}

}  // namespace cairn::testing
