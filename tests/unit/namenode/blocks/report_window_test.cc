#include "namenode/blocks/report_window.h"

#include <gtest/gtest.h>

namespace cairn::namenode {
namespace {

constexpr int64_t kMargin = 100;

TEST(ReportWindowTest, RemembersTouchesForTheMargin) {
  ReportWindow window;
  window.Touch(1, 1000, kMargin);
  window.Touch(2, 1090, kMargin);
  window.Touch(3, 1150, kMargin);
  EXPECT_TRUE(window.Touched(1));
  EXPECT_TRUE(window.Touched(2));
  window.Touch(4, 1260, kMargin);
  EXPECT_FALSE(window.Touched(1));
  EXPECT_TRUE(window.Touched(3));
  window.Touch(5, 9000, kMargin);
  EXPECT_FALSE(window.Touched(4));
  EXPECT_TRUE(window.Touched(5));
}

TEST(ReportWindowTest, ForgetsNothingDuringAReport) {
  ReportWindow window;
  window.Touch(1, 1000, kMargin);
  window.Begin(1050, kMargin);
  window.Touch(2, 5000, kMargin);
  window.Touch(3, 9000, kMargin);
  EXPECT_TRUE(window.Touched(1));
  EXPECT_TRUE(window.Touched(2));
  window.End();
  window.Touch(4, 9500, kMargin);
  EXPECT_FALSE(window.Touched(1));
}

TEST(ReportWindowTest, AReportLongAfterATouchIsBelieved) {
  ReportWindow window;
  window.Touch(1, 1000, kMargin);
  window.Begin(1050, kMargin);
  EXPECT_TRUE(window.Touched(1));
  window.End();
  window.Begin(1300, kMargin);
  EXPECT_FALSE(window.Touched(1));
}

TEST(ReportWindowTest, EveryReportNamesAnew) {
  ReportWindow window;
  window.Begin(0, kMargin);
  window.Name(7);
  EXPECT_TRUE(window.Named(7));
  EXPECT_FALSE(window.Named(8));
  window.Begin(1, kMargin);  // the first was not finished
  EXPECT_FALSE(window.Named(7));
  window.Name(8);
  window.Touch(1, 2, kMargin);
  window.Reset();
  EXPECT_FALSE(window.active());
  EXPECT_FALSE(window.Touched(1));
  EXPECT_FALSE(window.Named(8));
}

}  // namespace
}  // namespace cairn::namenode
