// The metadata operations that `cairn bench metadata` measures.
//
// One table says what each is called, and what its bare counterpart is: commits to a disk for a
// change, an answered call for a read. Pure values, thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace cairn::bench {

// In the order in which a round does them: later ones use what earlier ones made.
enum class Operation { kMkdir, kCreate, kCreateBlock, kGetFileInfo, kList, kRename, kDelete };

struct OperationInfo {
  Operation operation;
  std::string_view name;
  // Of a change: the sizes in bytes of the records that it journals, one after the other. Empty: a
  // read.
  std::vector<size_t> records;
};

// All of them, in order.
const std::vector<OperationInfo>& Operations();
const OperationInfo& InfoOf(Operation operation);
std::optional<Operation> OperationByName(std::string_view name);

}  // namespace cairn::bench
