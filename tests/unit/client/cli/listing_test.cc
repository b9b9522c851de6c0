#include "client/cli/listing.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

namespace cairn::cli {
namespace {

class ListingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};

TEST_F(ListingTest, Time) { EXPECT_EQ(FormatTime(1'700'000'000'999), "2023-11-14 22:13"); }

TEST_F(ListingTest, ColumnsAsHdfsHasThem) {
  Table table = LongListing();
  FileStatus file{.length = 1234,
                  .replication = 3,
                  .owner = "alice",
                  .group = "staff",
                  .mode = 0644,
                  .mtime_ms = 1'700'000'000'000};
  table.Add(LongListingRow("/d/a", file, false));
  FileStatus directory{
      .type = FileType::kDirectory, .owner = "bob", .group = "g", .mode = 0755, .mtime_ms = 0};
  table.Add(LongListingRow("/d/b c", directory, false));
  EXPECT_EQ(table.Take(),
            "-rw-r--r-- 3 alice staff 1234 2023-11-14 22:13 /d/a\n"
            "drwxr-xr-x - bob   g        0 1970-01-01 00:00 /d/b c\n");
  EXPECT_EQ(table.rows(), 0u);
  table.Add(LongListingRow("/d/a", file, true));
  EXPECT_EQ(table.Take(), "-rw-r--r-- 3 alice staff 1.3K 2023-11-14 22:13 /d/a\n");
}

TEST_F(ListingTest, WidthsCountCharacters) {
  Table table({Table::Align::kLeft, Table::Align::kLeft});
  table.Add({"\xc3\xa4", "1"});
  table.Add({"bb", "2"});
  EXPECT_EQ(table.Take(), "\xc3\xa4  1\nbb 2\n");
}

TEST_F(ListingTest, AnEmptyLastColumnLeavesNoBlanks) {
  Table table({Table::Align::kLeft, Table::Align::kLeft});
  table.Add({"a", ""});
  table.Add({"bb", "x "});
  EXPECT_EQ(table.Take(), "a\nbb x \n");
}

}  // namespace
}  // namespace cairn::cli
