// Any bytes as a VERSION file: an error, or a version that is written and read back as it is.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "common/data_dir.h"
#include "tests/support/fault_env.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using cairn::DataDirType;
  cairn::FaultEnv env;
  if (!env.CreateDirs("/d").ok()) std::abort();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!env.WriteFileAtomically("/d/VERSION", text).ok()) std::abort();
  for (const DataDirType type : {DataDirType::kNameNode, DataDirType::kDataNode}) {
    const auto version = cairn::ReadDataDirVersion(env, "/d", type);
    if (!version.ok()) continue;
    if (!version->has_value() || (*version)->type != type) std::abort();
    auto dir = cairn::DataDir::Open(&env, "/again", type);
    // What JSON cannot hold is not among what was read from JSON.
    if (!dir.ok() || !(*dir)->Format(**version).ok()) std::abort();
    const auto again = cairn::ReadDataDirVersion(env, "/again", type);
    if (!again.ok() || *again != *version) std::abort();
  }
  return 0;
}
