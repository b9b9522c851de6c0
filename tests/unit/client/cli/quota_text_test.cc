#include "client/cli/quota_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "client/cli/json_text.h"

namespace cairn::cli {
namespace {

using ::testing::ElementsAre;

const ContentSummary kNone{.files = 2, .directories = 1, .length = 5, .space = 15};
const ContentSummary kSome{.files = 2,
                           .directories = 1,
                           .length = 1024,
                           .space = 3072,
                           .promised = 1024,
                           .name_quota = 10,
                           .space_quota = 1 << 20};
const ContentSummary kOver{.files = 2,
                           .directories = 1,
                           .length = 1024,
                           .space = 2048,
                           .name_quota = 2,
                           .space_quota = 1024};

TEST(QuotaTextTest, Lines) {
  EXPECT_EQ(QuotaText(kNone), "names  3, no quota\nspace  15, no quota\n");
  EXPECT_EQ(QuotaText(kSome),
            "names  3 of 10, 7 left\n"
            "space  4K of 1M, 1020K left (1K for blocks that are being written)\n");
  EXPECT_EQ(QuotaText(kOver), "names  3 of 2, 1 too many\nspace  2K of 1K, 1K too many\n");
}

TEST(QuotaTextTest, ColumnsAreThoseOfHdfs) {
  EXPECT_THAT(CountQuotaRow("/a", kNone),
              ElementsAre("none", "inf", "none", "inf", "1", "2", "5", "/a"));
  EXPECT_THAT(CountQuotaRow("/a", kSome),
              ElementsAre("10", "7", "1048576", "1044480", "1", "2", "1024", "/a"));
  EXPECT_THAT(CountQuotaRow("/a", kOver),
              ElementsAre("2", "-1", "1024", "-1024", "1", "2", "1024", "/a"));
}

TEST(QuotaTextTest, Json) {
  EXPECT_EQ(QuotaJson("/a", kNone),
            R"({"path":"/a","names_used":3,"name_quota":null,"space_used":15,)"
            R"("space_quota":null,"space_promised":0})");
  EXPECT_EQ(nlohmann::json::parse(QuotaJson("/a", kSome)),
            nlohmann::json::parse(R"({"path":"/a","names_used":3,"name_quota":10,)"
                                  R"("space_used":4096,"space_quota":1048576,)"
                                  R"("space_promised":1024})"));
}

}  // namespace
}  // namespace cairn::cli
