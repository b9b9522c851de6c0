#include "client/bench/content.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/crc32c.h"

namespace cairn::bench {
namespace {

constexpr uint64_t kPiece = Content::kPieceBytes;

std::string All(const Content& content, uint64_t file, uint64_t length) {
  std::string bytes;
  while (bytes.size() < length) bytes += content.Piece(file, bytes.size(), length);
  return bytes;
}

TEST(ContentTest, PiecesEndWithTheMiBOrTheFile) {
  const Content content;
  EXPECT_EQ(content.Piece(1, 0, 3 * kPiece).size(), kPiece);
  EXPECT_EQ(content.Piece(1, kPiece - 5, 3 * kPiece).size(), 5u);
  EXPECT_EQ(content.Piece(1, kPiece, kPiece + 7).size(), 7u);
  EXPECT_TRUE(content.Piece(1, 100, 100).empty());
}

TEST(ContentTest, KnowsItsBytesAndTheirPlace) {
  const Content content;
  const uint64_t length = 2 * kPiece + 1000;
  std::string bytes = All(content, 7, length);
  EXPECT_TRUE(content.Matches(7, 0, bytes));
  EXPECT_TRUE(content.Matches(7, 12'345, std::string_view(bytes).substr(12'345)));
  EXPECT_EQ(content.Crc(7, length), Crc32c(bytes));
  EXPECT_FALSE(content.Matches(8, 0, bytes));
  EXPECT_FALSE(content.Matches(7, kPiece, std::string_view(bytes).substr(0, kPiece)));
  bytes[kPiece + 3] ^= 1;
  EXPECT_FALSE(content.Matches(7, 0, bytes));
}

TEST(ContentTest, NoPieceLooksLikeAnother) {
  const Content content;
  std::set<std::string> seen;
  for (uint64_t file = 0; file < 20; ++file) {
    for (uint64_t piece = 0; piece < 50; ++piece) {
      seen.emplace(content.Piece(file, piece * kPiece, UINT64_MAX).substr(0, 32));
    }
  }
  EXPECT_EQ(seen.size(), 1000u);
}

TEST(ContentTest, IsTheSameInEveryRun) {
  EXPECT_EQ(Content().Crc(3, 5'000'000), Content().Crc(3, 5'000'000));
}

}  // namespace
}  // namespace cairn::bench
