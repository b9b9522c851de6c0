// Any bytes as a journal record: an error, or an edit that encodes to the same bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "namenode/codec/edit_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto record = cairn::namenode::DecodeEdit(bytes);
  if (!record.ok()) return 0;
  std::string again;
  cairn::namenode::EncodeEdit(*record, &again);
  if (again != bytes) std::abort();
  return 0;
}
