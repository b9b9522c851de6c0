#include "client/temporary_name.h"

#include <fmt/format.h>

namespace cairn {
namespace {

// `name` without what does not fit into `max_bytes`, nor a part of a character.
std::string_view CutUtf8(std::string_view name, size_t max_bytes) {
  if (name.size() <= max_bytes) return name;
  size_t end = max_bytes;
  // A byte 10xxxxxx continues a character.
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xC0) == 0x80) --end;
  return name.substr(0, end);
}

}  // namespace

std::string TemporaryName(std::string_view path, uint64_t id) {
  const size_t name_at = path.rfind('/') == std::string_view::npos ? 0 : path.rfind('/') + 1;
  const std::string suffix = fmt::format("._COPYING_.{:016x}", id);
  const std::string_view name = CutUtf8(path.substr(name_at), kMaxNameBytes - suffix.size());
  return fmt::format("{}{}{}", path.substr(0, name_at), name, suffix);
}

}  // namespace cairn
