#include "datanode/scrubber/scan_progress.h"

#include <gtest/gtest.h>

namespace cairn::datanode {
namespace {

constexpr ScanProgress kProgress{.began_ms = 1'700'000'000'123,
                                 .done = 0x0123456789ABCDEF,
                                 .finished = true,
                                 .last_pass_ms = 1'814'400'000};

TEST(ScanProgressTest, ComesBackAsItWas) {
  EXPECT_EQ(*DecodeScanProgress(EncodeScanProgress(kProgress)), kProgress);
  EXPECT_EQ(*DecodeScanProgress(EncodeScanProgress({})), ScanProgress{});
}

TEST(ScanProgressTest, DamageIsFound) {
  const std::string bytes = EncodeScanProgress(kProgress);
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_TRUE(absl::IsDataLoss(DecodeScanProgress(bytes.substr(0, length)).status())) << length;
  }
  EXPECT_TRUE(absl::IsDataLoss(DecodeScanProgress(bytes + "x").status()));
  for (size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    EXPECT_TRUE(absl::IsDataLoss(DecodeScanProgress(damaged).status())) << at;
  }
}

}  // namespace
}  // namespace cairn::datanode
