#include "client/cli/tail.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace cairn::cli {
namespace {

TEST(TailCountTest, Parses) {
  EXPECT_EQ(ParseTailCount("10")->count, 10u);
  EXPECT_EQ(ParseTailCount("-10")->count, 10u);
  EXPECT_FALSE(ParseTailCount("-10")->from_start);
  EXPECT_EQ(ParseTailCount("2K")->count, 2048u);
  EXPECT_TRUE(ParseTailCount("+3")->from_start);
  for (const char* text : {"", "+", "x", "--1"}) EXPECT_FALSE(ParseTailCount(text).ok()) << text;
}

std::string LastLines(const std::string& text, uint64_t lines, size_t piece_bytes) {
  const auto read_at = [&](uint64_t offset, std::span<char> out) -> absl::StatusOr<size_t> {
    const size_t bytes = std::min(out.size(), text.size() - offset);
    std::copy_n(text.data() + offset, bytes, out.data());
    return bytes;
  };
  const auto start = FindLastLines(read_at, text.size(), lines, piece_bytes);
  EXPECT_TRUE(start.ok());
  return text.substr(*start);
}

TEST(FindLastLinesTest, InPiecesOfAnySize) {
  for (const size_t piece : {1, 2, 3, 5, 100}) {
    EXPECT_EQ(LastLines("a\nbb\nccc\n", 1, piece), "ccc\n");
    EXPECT_EQ(LastLines("a\nbb\nccc\n", 2, piece), "bb\nccc\n");
    EXPECT_EQ(LastLines("a\nbb\nccc\n", 3, piece), "a\nbb\nccc\n");
    EXPECT_EQ(LastLines("a\nbb\nccc\n", 9, piece), "a\nbb\nccc\n");
    EXPECT_EQ(LastLines("a\nbb\nccc", 1, piece), "ccc");
    EXPECT_EQ(LastLines("a\nbb\nccc", 2, piece), "bb\nccc");
    EXPECT_EQ(LastLines("\n\n\n", 2, piece), "\n\n");
    EXPECT_EQ(LastLines("a\n", 0, piece), "");
    EXPECT_EQ(LastLines("", 5, piece), "");
  }
}

}  // namespace
}  // namespace cairn::cli
