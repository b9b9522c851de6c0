// Any bytes as a config file, and as sizes and durations: an error, or a value that reads back.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "common/options.h"
#include "common/units.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cairn::OptionTable table;
  std::string name = "x";
  uint64_t bytes = 1;
  int64_t ms = 1;
  std::vector<std::string> list;
  table.AddString("name", &name, "a string");
  table.AddSize("size", &bytes, "a size");
  table.AddDuration("wait", &ms, "a duration");
  table.AddList("list", &list, "a list");
  (void)table.ReadToml(text, "fuzz.toml");
  (void)cairn::ParseSize(text);
  const auto duration = cairn::ParseDurationMs(text);
  if (duration.ok() && cairn::ParseDurationMs(cairn::FormatDurationMs(*duration)) != duration) {
    std::abort();
  }
  return 0;
}
