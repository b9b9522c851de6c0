#include "tests/fault/small_disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/fd.h"

namespace cairn::testing {

namespace {

// Of mounts, for this thread and what it starts from now on; what others mount is seen there.
absl::Status EnterOwnNamespace() {
  if (unshare(CLONE_NEWNS) != 0) return ErrnoStatus("no namespace of mounts", errno);
  if (mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return ErrnoStatus("the namespace of mounts is not one's own", errno);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SmallDisk>> SmallDisk::Mount(const std::string& folder,
                                                            uint64_t bytes) {
  static const absl::Status own = EnterOwnNamespace();
  RETURN_IF_ERROR(own);
  std::filesystem::create_directories(folder);
  if (mount("tmpfs", folder.c_str(), "tmpfs", 0, fmt::format("size={}", bytes).c_str()) != 0) {
    return ErrnoStatus("cannot mount a tmpfs on " + folder, errno);
  }
  return std::unique_ptr<SmallDisk>(new SmallDisk(folder));
}

SmallDisk::~SmallDisk() { umount2(folder_.c_str(), MNT_DETACH); }

absl::Status SmallDisk::Fill() {
  const Fd file(open(Ballast().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0) return ErrnoStatus("cannot make " + Ballast(), errno);
  // Others write meanwhile: as much as there is, until there is nothing.
  for (off_t size = 0;;) {
    struct statvfs room = {};
    if (statvfs(folder_.c_str(), &room) != 0) return ErrnoStatus("statvfs " + folder_, errno);
    const auto left = static_cast<off_t>(room.f_bavail * room.f_bsize);
    if (left == 0) return absl::OkStatus();
    const int error = posix_fallocate(file.get(), size, left);
    if (error == 0) {
      size += left;
    } else if (error != ENOSPC) {
      return ErrnoStatus("cannot fill " + folder_, error);
    }
  }
}

absl::Status SmallDisk::Empty() {
  if (unlink(Ballast().c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus("cannot remove " + Ballast(), errno);
}

}  // namespace cairn::testing
