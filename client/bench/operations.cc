#include "client/bench/operations.h"

namespace cairn::bench {

// The sizes are those of records in a journal of this very load (docs/formats/journal.md).
const std::vector<OperationInfo>& Operations() {
  static const auto* const kOperations =
      new std::vector<OperationInfo>{{Operation::kMkdir, "mkdir", {81}},
                                     {Operation::kCreate, "create", {130, 40}},
                                     {Operation::kCreateBlock, "create-block", {150, 40}},
                                     {Operation::kGetFileInfo, "getFileInfo", {}},
                                     {Operation::kList, "list", {}},
                                     {Operation::kRename, "rename", {60}},
                                     {Operation::kDelete, "delete", {40}}};
  return *kOperations;
}

const OperationInfo& InfoOf(Operation operation) {
  return Operations()[static_cast<size_t>(operation)];
}

std::optional<Operation> OperationByName(std::string_view name) {
  for (const OperationInfo& info : Operations()) {
    if (info.name == name) return info.operation;
  }
  return std::nullopt;
}

}  // namespace cairn::bench
