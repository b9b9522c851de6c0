// Any bytes as the target of an HTTP request. It is refused, or what it says is the same when it is
// written in another way. What lies before (lines, headers, lengths) is Beast's to read.
#include <fmt/format.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "common/net/http_message.h"

namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) out += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view target(reinterpret_cast<const char*>(data), size);
  cairn::HttpRequest request;
  if (!cairn::ParseHttpTarget(target, &request)) return 0;
  Check(request.path.starts_with('/') && request.path.find('\0') == std::string::npos);
  std::string escaped = Escaped(request.path) + "?";
  for (const auto& [key, value] : request.query) {
    Check(!key.empty());
    escaped += Escaped(key) + "=" + Escaped(value) + "&";
  }
  cairn::HttpRequest again;
  Check(cairn::ParseHttpTarget(escaped, &again));
  Check(again.path == request.path && again.query == request.query);
  return 0;
}
