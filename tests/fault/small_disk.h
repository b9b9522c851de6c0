// A disk that a test can fill up: a tmpfs, mounted on a folder.
//
// Root alone. Unmounted with the object, which must outlive the processes that use it; and gone
// with the process in any case: it is mounted in a namespace of the thread that made it, which the
// processes that this one starts share. Of one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/status.h"

namespace cairn::testing {

class SmallDisk {
 public:
  // Makes the folder where it is missing.
  static absl::StatusOr<std::unique_ptr<SmallDisk>> Mount(const std::string& folder,
                                                          uint64_t bytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  absl::Status Fill();   // no byte is left
  absl::Status Empty();  // there is again as much room as before

 private:
  explicit SmallDisk(std::string folder) : folder_(std::move(folder)) {}
  std::string Ballast() const { return folder_ + "/ballast"; }

  const std::string folder_;
};

}  // namespace cairn::testing
