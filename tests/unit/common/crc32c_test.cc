#include "common/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace cairn {
namespace {

// Vectors of RFC 3720, appendix B.4, and the usual check value.
TEST(Crc32cTest, KnownVectors) {
  EXPECT_EQ(Crc32c(""), 0u);
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(Crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  std::string ascending;
  for (int i = 0; i < 32; ++i) ascending.push_back(static_cast<char>(i));
  EXPECT_EQ(Crc32c(ascending), 0x46DD794Eu);
  EXPECT_EQ(Crc32c(std::string(ascending.rbegin(), ascending.rend())), 0x113FDB5Cu);
}

TEST(Crc32cTest, ExtendingEqualsTheWhole) {
  std::mt19937 random(7);
  std::string data(5000, '\0');
  for (char& c : data) c = static_cast<char>(random());
  for (const size_t cut : {0, 1, 7, 512, 4096, 4999, 5000}) {
    const std::string_view all = data;
    EXPECT_EQ(Crc32cExtend(Crc32c(all.substr(0, cut)), all.substr(cut)), Crc32c(all)) << cut;
  }
}

TEST(Crc32cTest, CombiningEqualsTheWhole) {
  std::mt19937 random(11);
  std::string data(70'000, '\0');
  for (char& c : data) c = static_cast<char>(random());
  const std::string_view all = data;
  for (const size_t cut : {0, 1, 3, 4096, 65'535, 65'536, 69'999, 70'000}) {
    const std::string_view a = all.substr(0, cut);
    const std::string_view b = all.substr(cut);
    EXPECT_EQ(Crc32cCombine(Crc32c(a), Crc32c(b), b.size()), Crc32c(all)) << cut;
  }
}

TEST(Crc32cTest, OneFlippedBitShows) {
  std::string data(4096, 'x');
  const uint32_t crc = Crc32c(data);
  for (size_t i = 0; i < data.size(); i += 97) {
    data[i] ^= 1;
    EXPECT_NE(Crc32c(data), crc);
    data[i] ^= 1;
  }
}

}  // namespace
}  // namespace cairn
