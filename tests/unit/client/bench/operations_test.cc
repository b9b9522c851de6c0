#include "client/bench/operations.h"

#include <gtest/gtest.h>

namespace cairn::bench {
namespace {

TEST(OperationsTest, AreFoundByNameAndNumber) {
  for (const OperationInfo& info : Operations()) {
    EXPECT_EQ(InfoOf(info.operation).name, info.name);
    EXPECT_EQ(OperationByName(info.name), info.operation);
  }
  EXPECT_EQ(OperationByName("fly"), std::nullopt);
}

}  // namespace
}  // namespace cairn::bench
