#include "datanode/pipeline/damage_watch.h"

#include <gtest/gtest.h>

namespace cairn::datanode {
namespace {

TEST(DamageWatch, ASecondReceiverMakesTheSenderTheCulprit) {
  DamageWatch watch;
  EXPECT_FALSE(watch.Note(2, 1'000));
  EXPECT_FALSE(watch.Note(2, 2'000));  // the same again
  EXPECT_TRUE(watch.Note(3, 3'000));
  EXPECT_TRUE(watch.Note(2, 4'000));
}

TEST(DamageWatch, ForgetsAfterAWhile) {
  DamageWatch watch;
  EXPECT_FALSE(watch.Note(2, 1'000));
  EXPECT_FALSE(watch.Note(3, 1'001 + DamageWatch::kMemoryMs));
}

}  // namespace
}  // namespace cairn::datanode
