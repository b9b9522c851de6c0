#include "client/cli/mode.h"

#include <gtest/gtest.h>

namespace cairn::cli {
namespace {

uint32_t Change(std::string_view text, uint32_t mode, bool is_directory = false) {
  const absl::StatusOr<ModeChange> change = ModeChange::Parse(text);
  EXPECT_TRUE(change.ok()) << text;
  return change.ok() ? change->Apply(mode, is_directory) : 0;
}

TEST(ModeTest, Octal) {
  EXPECT_EQ(Change("755", 0), 0755u);
  EXPECT_EQ(Change("0640", 0777), 0640u);
  EXPECT_EQ(Change("1777", 0), 01777u);
  EXPECT_EQ(Change("777", 01000), 0777u);
}

TEST(ModeTest, Symbols) {
  EXPECT_EQ(Change("u+x", 0644), 0744u);
  EXPECT_EQ(Change("go-r", 0644), 0600u);
  EXPECT_EQ(Change("+x", 0644), 0755u);
  EXPECT_EQ(Change("a-x", 0755), 0644u);
  EXPECT_EQ(Change("a=r", 0777), 0444u);
  EXPECT_EQ(Change("o=", 0777), 0770u);
  EXPECT_EQ(Change("u=rwx,g=rx,o=", 0), 0750u);
  EXPECT_EQ(Change("u+w-x", 0500), 0600u);
}

TEST(ModeTest, CopiesAClass) {
  EXPECT_EQ(Change("g=u", 0700), 0770u);
  EXPECT_EQ(Change("o+g", 0640), 0644u);
}

TEST(ModeTest, CapitalXIsForDirectoriesAndPrograms) {
  EXPECT_EQ(Change("a+X", 0644), 0644u);
  EXPECT_EQ(Change("a+X", 0744), 0755u);
  EXPECT_EQ(Change("a+X", 0644, true), 0755u);
}

TEST(ModeTest, Sticky) {
  EXPECT_EQ(Change("+t", 0777), 01777u);
  EXPECT_EQ(Change("-t", 01777), 0777u);
  EXPECT_EQ(Change("u=rwx", 01700), 01700u);
  EXPECT_EQ(Change("o+t", 0777), 01777u);
}

TEST(ModeTest, RefusesWhatIsNoMode) {
  for (const char* text : {"", "8", "99999", "u", "x", "u+q", "u~x", "7 7", "0x1"}) {
    EXPECT_FALSE(ModeChange::Parse(text).ok()) << text;
  }
}

TEST(ModeTest, Format) {
  EXPECT_EQ(FormatMode(0644, false), "-rw-r--r--");
  EXPECT_EQ(FormatMode(0755, true), "drwxr-xr-x");
  EXPECT_EQ(FormatMode(01777, true), "drwxrwxrwt");
  EXPECT_EQ(FormatMode(01770, true), "drwxrwx--T");
}

}  // namespace
}  // namespace cairn::cli
