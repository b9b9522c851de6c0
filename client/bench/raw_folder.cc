#include "client/bench/raw_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "common/fd.h"
#include "common/strings.h"

namespace cairn::bench {

absl::StatusOr<std::unique_ptr<RawFolder>> RawFolder::Create(const std::string& parent) {
  const std::string path = parent + "/cairn-bench-" + NewUuid();
  if (mkdir(path.c_str(), 0700) != 0) return ErrnoStatus(parent, errno);
  return std::unique_ptr<RawFolder>(new RawFolder(path));
}

RawFolder::~RawFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::Status RawFolder::Put(const Content& content, uint64_t number, uint64_t bytes) {
  const std::string path = fmt::format("{}/f{}", path_, number);
  const std::string hidden = path + ".tmp";
  const Fd fd(open(hidden.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd.get() < 0) return ErrnoStatus(hidden, errno);
  for (uint64_t offset = 0; offset < bytes;) {
    const std::string_view piece = content.Piece(number, offset, bytes);
    const ssize_t written = write(fd.get(), piece.data(), piece.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(hidden, errno);
    offset += static_cast<uint64_t>(written);
  }
  if (fdatasync(fd.get()) != 0) return ErrnoStatus(hidden, errno);
  if (std::rename(hidden.c_str(), path.c_str()) != 0) return ErrnoStatus(path, errno);
  return absl::OkStatus();
}

absl::Status RawFolder::Get(const Content& content, uint64_t number, uint64_t bytes) {
  const std::string path = fmt::format("{}/f{}", path_, number);
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return ErrnoStatus(path, errno);
  std::string got(bytes + 1, '\0');  // one more, to see that it ends
  size_t size = 0;
  while (size < got.size()) {
    const ssize_t more = read(fd.get(), got.data() + size, got.size() - size);
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return ErrnoStatus(path, errno);
    if (more == 0) break;
    size += static_cast<size_t>(more);
  }
  if (size != bytes || !content.Matches(number, 0, std::string_view(got).substr(0, size))) {
    return absl::DataLossError(path + ": not what was written to it");
  }
  return absl::OkStatus();
}

}  // namespace cairn::bench
