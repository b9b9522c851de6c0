// Histories made by hand: one that is good, and what breaks when something is lost, is back, is
// mixed up or was never written.
#include "tests/fault/torture/judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace cairn::testing {
namespace {

using ::testing::HasSubstr;

// Two clients and, when all is over, the last one. Each operation ends before the next one begins.
class JudgeTest : public ::testing::Test {
 protected:
  void SetUp() override { Do(kLastClient, {.action = Action::kMkdir, .path = "/t0"}); }

  Operation& Do(int client, Operation op, Outcome outcome = Outcome::kOk) {
    op.id = record_.operations.size();
    op.client = client;
    op.start_us = now_us_;
    op.end_us = outcome == Outcome::kUnknown ? kNever : now_us_ + 10;
    op.outcome = outcome;
    now_us_ += 20;
    record_.operations.push_back(std::move(op));
    return record_.operations.back();
  }
  void Put(int client, const std::string& path, Version version, uint64_t length,
           Outcome outcome = Outcome::kOk) {
    record_.writes[version].handed.emplace_back(now_us_, length);
    Do(client,
       {.action = Action::kPublish,
        .path = path,
        .version = version,
        .length = length,
        .overwrite = true},
       outcome);
  }
  void Append(int client, const std::string& path, Version version, uint64_t from, uint64_t to) {
    Do(client, {.action = Action::kAppend, .path = path, .version = version, .length = from});
    record_.writes[version] = {.base = from, .handed = {{now_us_, to}}};
    Do(client, {.action = Action::kClose, .path = path, .version = version, .length = to});
  }
  void Read(int client, const std::string& path, std::vector<Piece> pieces) {
    Do(client,
       {.action = Action::kRead, .path = path, .pieces = std::move(pieces), .to_end = true});
  }
  void List(std::vector<std::string> names) {
    Do(kLastClient, {.action = Action::kList, .path = "/t0", .names = std::move(names)});
  }
  // One rule is broken, and these words say which.
  void ExpectBroken(const std::string& words) {
    const Judgement judgement = Judge(record_);
    ASSERT_EQ(judgement.broken.size(), 1u);
    EXPECT_THAT(judgement.broken[0], HasSubstr(words));
  }

  Record record_;
  int64_t now_us_ = 1'000;
};

TEST_F(JudgeTest, WhatFitsIsGood) {
  Put(1, "/t0/f0", 1, 4'000);
  Append(2, "/t0/f0", 2, 4'000, 9'000);
  Put(1, "/t0/f1", 3, 100, Outcome::kUnknown);
  Do(2, {.action = Action::kRename, .path = "/t0/f0", .to = "/t0/f2"});
  List({"f1", "f2"});
  Read(kLastClient, "/t0/f1", {{0, 100, 3, ""}});
  Read(kLastClient, "/t0/f2", {{0, 4'000, 1, ""}, {4'000, 5'000, 2, ""}});
  EXPECT_THAT(Judge(record_).broken, ::testing::IsEmpty());
}

TEST_F(JudgeTest, AnAcknowledgedFileThatIsMissing) {
  Put(1, "/t0/f0", 1, 4'000);
  List({});
  ExpectBroken("no order of the operations");
}

TEST_F(JudgeTest, ADeletedFileThatIsBack) {
  Put(1, "/t0/f0", 1, 4'000);
  Do(2, {.action = Action::kDelete, .path = "/t0/f0"});
  List({"f0"});
  ExpectBroken("no order of the operations");
}

TEST_F(JudgeTest, AcknowledgedBytesThatAreLost) {
  Put(1, "/t0/f0", 1, 4'000);
  Append(2, "/t0/f0", 2, 4'000, 9'000);
  Read(kLastClient, "/t0/f0", {{0, 4'000, 1, ""}});
  ExpectBroken("no order of the operations");
}

TEST_F(JudgeTest, AReplacedFileThatIsBack) {
  Put(1, "/t0/f0", 1, 4'000);
  Put(2, "/t0/f0", 2, 3'000);
  Read(1, "/t0/f0", {{0, 3'000, 2, ""}});
  Read(kLastClient, "/t0/f0", {{0, 4'000, 1, ""}});
  ExpectBroken("no order of the operations");
}

TEST_F(JudgeTest, HalfOfOneWriteAndHalfOfAnother) {
  Put(1, "/t0/f0", 1, 4'000);
  Put(2, "/t0/f0", 2, 4'000, Outcome::kUnknown);
  Read(kLastClient, "/t0/f0", {{0, 2'000, 1, ""}, {2'000, 2'000, 2, ""}});
  ExpectBroken("no order of the operations");
}

TEST_F(JudgeTest, ATruncationThatDidNotLast) {
  Put(1, "/t0/f0", 1, 4'000);
  Do(2, {.action = Action::kTruncate, .path = "/t0/f0", .length = 1'000});
  Read(1, "/t0/f0", {{0, 1'000, 1, ""}});
  Read(kLastClient, "/t0/f0", {{0, 4'000, 1, ""}});
  ExpectBroken("no order of the operations");
}

TEST_F(JudgeTest, BytesThatNobodyWrote) {
  Put(1, "/t0/f0", 1, 4'000);
  Read(2, "/t0/f0", {{0, 4'000, 9, ""}});
  ExpectBroken("never written there");
}

TEST_F(JudgeTest, BytesThatWereNotWrittenYet) {
  Put(1, "/t0/f0", 1, 4'000);
  Read(2, "/t0/f0", {{0, 4'096, 1, ""}});
  ExpectBroken("never written there");
}

TEST_F(JudgeTest, ABitThatIsWrong) {
  Put(1, "/t0/f0", 1, 4'000);
  std::string bytes = PatternBytes(1, 0, 4'000);
  bytes[2'345] = static_cast<char>(bytes[2'345] ^ 4);
  Read(2, "/t0/f0", DecodePattern(0, bytes));
  ExpectBroken("never written there");
}

TEST_F(JudgeTest, AFileThatAHealedClusterDoesNotGive) {
  Put(1, "/t0/f0", 1, 4'000);
  Do(1, {.action = Action::kRead, .path = "/t0/f0"}, Outcome::kUnknown);  // in the storm: fine
  Do(kLastClient, {.action = Action::kRead, .path = "/t0/f0"}, Outcome::kUnknown);
  ExpectBroken("a healed cluster does not give what it has");
}

TEST_F(JudgeTest, StallsAreToldByTheFaultsBesideThem) {
  constexpr int64_t kSecond = 1'000'000;
  const auto stat = [&](int client, int64_t start_s, int64_t end_s) {
    Operation& op = Do(client, {.action = Action::kStat, .path = "/t0/f0"});
    op.start_us = start_s * kSecond;
    op.end_us = end_s * kSecond;
  };
  Put(1, "/t0/f0", 1, 4'000);
  stat(1, 10, 13);
  stat(2, 10, 19);  // was stopped itself
  stat(1, 30, 32);
  const Fault stop{.kind = FaultKind::kStop, .target = TargetKind::kClient, .index = 1};
  const Fault cut{.kind = FaultKind::kCut, .target = TargetKind::kDataNode, .index = 0};
  const std::string text = StallsText(record_,
                                      {{stop, 10 * kSecond, 15 * kSecond},
                                       {cut, 11 * kSecond, 12 * kSecond},
                                       {cut, 30 * kSecond, 33 * kSecond}},
                                      /*clients=*/2);
  EXPECT_THAT(text, HasSubstr("cut DataNode              2.00 s        3.00 s  stat /t0/f0"));
  EXPECT_THAT(text, HasSubstr("stop client               0.00 s        3.00 s  stat /t0/f0"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("9.00 s")));
}

}  // namespace
}  // namespace cairn::testing
