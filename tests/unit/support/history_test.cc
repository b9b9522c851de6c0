#include "tests/support/history.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/support/cluster.h"

namespace cairn::testing {
namespace {

TEST(HistoryTest, KeepsWhatWasAskedAndAnswered) {
  History history(7);
  EXPECT_EQ(history.NewVersion(), 8u);
  Operation op{.client = 3, .action = Action::kRename, .path = "/a", .to = "/b"};
  history.Begin(op);
  EXPECT_EQ(history.record().operations[0].outcome, Outcome::kUnknown);
  EXPECT_EQ(history.record().operations[0].end_us, kNever);
  op.outcome = Outcome::kOk;
  history.End(op);
  const Operation kept = history.record().operations[0];
  EXPECT_EQ(kept.outcome, Outcome::kOk);
  EXPECT_GE(kept.end_us, kept.start_us);
  EXPECT_EQ(kept.to, "/b");
}

TEST(HistoryTest, KnowsWhatWasHandedOverWhen) {
  const Written written{.base = 10, .handed = {{100, 20}, {200, 30}}};
  EXPECT_EQ(written.EndBefore(99), 10u);
  EXPECT_EQ(written.EndBefore(100), 20u);
  EXPECT_EQ(written.EndBefore(500), 30u);
}

TEST(HistoryTest, LogsOfKilledProcessesAreOneHistory) {
  const TempDir dir;
  {
    History history(0, dir / "a");
    Operation op{.action = Action::kRead, .path = "/f"};
    history.Begin(op);
    op.outcome = Outcome::kOk;
    op.pieces = {{.offset = 0, .length = 16, .version = 4},
                 {.offset = 16, .length = 2, .raw = std::string("\0\xff", 2)}};
    op.to_end = true;
    history.End(op);
    Operation unfinished{.action = Action::kList, .path = "/"};
    history.Begin(unfinished);
  }
  {
    History history(100, dir / "b");
    history.Hand(history.NewVersion(), 5, 50);
    Operation op{.action = Action::kStat, .path = "/g"};
    history.Begin(op);
    op.outcome = Outcome::kRefused;
    op.refusal = Refusal::kNotFound;
    op.error = "no";
    history.End(op);
  }
  std::ofstream(dir / "b", std::ios::app) << R"({"id":1,"cli)";  // it died here
  const Record record = History::Load({dir / "a", dir / "b"});
  ASSERT_EQ(record.operations.size(), 3u);
  EXPECT_EQ(record.operations[0].pieces.size(), 2u);
  EXPECT_EQ(record.operations[0].pieces[1].raw, std::string("\0\xff", 2));
  EXPECT_TRUE(record.operations[0].to_end);
  EXPECT_EQ(record.operations[1].action, Action::kList);
  EXPECT_EQ(record.operations[1].outcome, Outcome::kUnknown);
  EXPECT_EQ(record.operations[2].id, 2u);
  EXPECT_EQ(record.operations[2].refusal, Refusal::kNotFound);
  ASSERT_TRUE(record.writes.contains(101));
  EXPECT_EQ(record.writes.at(101).base, 5u);
  EXPECT_EQ(record.writes.at(101).EndBefore(kNever), 50u);
}

}  // namespace
}  // namespace cairn::testing
