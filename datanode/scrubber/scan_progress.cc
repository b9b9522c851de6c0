#include "datanode/scrubber/scan_progress.h"

#include <fmt/format.h>

#include "common/crc32c.h"

namespace cairn::datanode {
namespace {

constexpr std::string_view kMagic = "CAIRNSCN";
constexpr uint32_t kVersion = 1;
constexpr uint32_t kFinished = 1;  // a flag
constexpr size_t kBytes = 44;      // with the CRC at the end

template <typename T>
void Append(std::string* out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

template <typename T>
T Get(std::string_view bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value |= static_cast<T>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  }
  return value;
}

}  // namespace

std::string EncodeScanProgress(const ScanProgress& progress) {
  std::string out(kMagic);
  Append(&out, kVersion);
  Append(&out, progress.finished ? kFinished : uint32_t{0});
  Append(&out, static_cast<uint64_t>(progress.began_ms));
  Append(&out, progress.done);
  Append(&out, static_cast<uint64_t>(progress.last_pass_ms));
  Append(&out, Crc32c(out));
  return out;
}

absl::StatusOr<ScanProgress> DecodeScanProgress(std::string_view bytes) {
  if (bytes.size() != kBytes || !bytes.starts_with(kMagic)) {
    return absl::DataLossError("it is cut, or no file of the scrubber");
  }
  if (Crc32c(bytes.substr(0, kBytes - 4)) != Get<uint32_t>(bytes, kBytes - 4)) {
    return absl::DataLossError("its checksum is wrong");
  }
  const auto version = Get<uint32_t>(bytes, 8);
  const auto flags = Get<uint32_t>(bytes, 12);
  if (version != kVersion || flags > kFinished) {
    return absl::DataLossError(fmt::format("it has version {}, not {}", version, kVersion));
  }
  return ScanProgress{.began_ms = static_cast<int64_t>(Get<uint64_t>(bytes, 16)),
                      .done = Get<uint64_t>(bytes, 24),
                      .finished = flags == kFinished,
                      .last_pass_ms = static_cast<int64_t>(Get<uint64_t>(bytes, 32))};
}

}  // namespace cairn::datanode
