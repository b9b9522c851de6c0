#include "tests/support/pattern.h"

#include <gtest/gtest.h>

namespace cairn::testing {
namespace {

TEST(PatternTest, DependsOnVersionAndOffsetAlone) {
  const std::string whole = PatternBytes(7, 0, 1000);
  EXPECT_EQ(whole.size(), 1000u);
  for (const uint64_t offset : {0u, 1u, 15u, 16u, 17u, 500u, 999u}) {
    EXPECT_EQ(PatternBytes(7, offset, 1000 - offset), whole.substr(offset));
  }
  EXPECT_EQ(PatternBytes(7, 3, 0), "");
  EXPECT_NE(PatternBytes(8, 0, 16), whole.substr(0, 16));
  EXPECT_NE(PatternBytes(7, 16, 16), whole.substr(0, 16));
}

TEST(PatternTest, TellsWhereItsBytesComeFrom) {
  EXPECT_EQ(DecodePattern(32, PatternBytes(9, 32, 64)),
            (std::vector<Piece>{{.offset = 32, .length = 64, .version = 9}}));
  EXPECT_TRUE(DecodePattern(5, "").empty());
  // Two writers that met within a cell.
  const std::string bytes = PatternBytes(1, 0, 40) + PatternBytes(2, 40, 60);
  const std::vector<Piece> pieces = DecodePattern(0, bytes);
  ASSERT_EQ(pieces.size(), 4u);
  EXPECT_EQ(pieces[0], (Piece{.offset = 0, .length = 32, .version = 1}));
  EXPECT_EQ(pieces[1], (Piece{.offset = 32, .length = 16, .raw = bytes.substr(32, 16)}));
  EXPECT_EQ(pieces[2], (Piece{.offset = 48, .length = 48, .version = 2}));
  EXPECT_EQ(pieces[3], (Piece{.offset = 96, .length = 4, .raw = bytes.substr(96)}));
  std::string again;
  for (const Piece& piece : pieces) again += BytesOf(piece);
  EXPECT_EQ(again, bytes);
}

TEST(PatternTest, KnowsMisplacedAndDamagedBytes) {
  const std::string zeros(64, 0);
  EXPECT_EQ(DecodePattern(0, zeros), (std::vector<Piece>{{.length = 64, .raw = zeros}}));
  const std::string elsewhere = PatternBytes(3, 16, 16);
  EXPECT_EQ(DecodePattern(0, elsewhere).front().version, 0u);
  for (size_t bit = 0; bit < 8 * kCellBytes; ++bit) {
    std::string damaged = PatternBytes(3, 0, kCellBytes);
    damaged[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_EQ(DecodePattern(0, damaged).front().version, 0u) << bit;
  }
}

}  // namespace
}  // namespace cairn::testing
