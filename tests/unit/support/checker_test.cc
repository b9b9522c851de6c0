// Every kind of violation is found in a history made for it, and its operations are named; the same
// history without it passes.
#include "tests/support/checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/support/history.h"

namespace cairn::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Histories by hand: one operation a line, with its times.
class CheckerTest : public ::testing::Test {
 protected:
  // Begins at `start` and ends at `end`; the rest is in `op`. Its id.
  size_t Add(int64_t start, int64_t end, Operation op, Outcome outcome = Outcome::kOk) {
    op.id = record_.operations.size();
    op.start_us = start;
    op.end_us = outcome == Outcome::kUnknown ? kNever : end;
    op.outcome = outcome;
    if ((op.action == Action::kPublish || op.action == Action::kFlush ||
         op.action == Action::kClose)) {
      record_.writes[op.version].handed.emplace_back(start, op.length);
    }
    record_.operations.push_back(std::move(op));
    return record_.operations.back().id;
  }
  size_t Refuse(int64_t start, int64_t end, Operation op, Refusal refusal) {
    op.refusal = refusal;
    return Add(start, end, std::move(op), Outcome::kRefused);
  }

  static Operation Mkdir(std::string path) {
    return {.action = Action::kMkdir, .path = std::move(path)};
  }
  static Operation Publish(std::string path, Version version, uint64_t length,
                           bool overwrite = false) {
    return {.action = Action::kPublish,
            .path = std::move(path),
            .version = version,
            .length = length,
            .overwrite = overwrite};
  }
  static Operation Create(std::string path, Version version) {
    return {.action = Action::kCreate, .path = std::move(path), .version = version};
  }
  Operation Append(std::string path, Version version, uint64_t found) {
    record_.writes[version].base = found;
    return {
        .action = Action::kAppend, .path = std::move(path), .version = version, .length = found};
  }
  static Operation Flush(Version version, uint64_t length) {
    return {.action = Action::kFlush, .path = "/d/f", .version = version, .length = length};
  }
  static Operation Close(Version version, uint64_t length) {
    return {.action = Action::kClose, .path = "/d/f", .version = version, .length = length};
  }
  static Operation Truncate(std::string path, uint64_t length) {
    return {.action = Action::kTruncate, .path = std::move(path), .length = length};
  }
  static Operation Rename(std::string from, std::string to) {
    return {.action = Action::kRename, .path = std::move(from), .to = std::move(to)};
  }
  static Operation Delete(std::string path, bool recursive = false) {
    return {.action = Action::kDelete, .path = std::move(path), .recursive = recursive};
  }
  static Operation Stat(std::string path, uint64_t length) {
    return {.action = Action::kStat, .path = std::move(path), .length = length};
  }
  static Operation List(std::string path, std::vector<std::string> names) {
    return {.action = Action::kList, .path = std::move(path), .names = std::move(names)};
  }
  // A read of a whole file that gave `bytes`.
  static Operation Read(std::string path, const std::string& bytes, uint64_t offset = 0) {
    return {.action = Action::kRead,
            .path = std::move(path),
            .length = offset,
            .pieces = DecodePattern(offset, bytes),
            .to_end = true};
  }

  void ExpectFine() {
    const CheckResult result = CheckHistory(record_);
    EXPECT_TRUE(result.ok()) << result.ToString();
  }
  // Exactly these operations cannot be; what is said of them.
  std::string ExpectWrong(const std::vector<size_t>& operations) {
    const CheckResult result = CheckHistory(record_);
    EXPECT_TRUE(result.undecided.empty());
    EXPECT_EQ(result.violations.size(), 1u) << result.ToString();
    if (result.violations.empty()) return "";
    EXPECT_EQ(result.violations.front().operations, operations) << result.ToString();
    return result.violations.front().what;
  }

  Record record_;
};

TEST_F(CheckerTest, AnEmptyHistoryIsFine) { ExpectFine(); }

// --- Bytes ---

TEST_F(CheckerTest, FindsBytesThatNobodyWrote) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/f", 1, 100));
  const size_t fine = Add(5, 6, Read("/d/f", PatternBytes(1, 0, 100)));
  ExpectFine();
  record_.operations[fine] = {};
  std::string damaged = PatternBytes(1, 0, 100);
  damaged[50] ^= 1;
  const size_t read = Add(5, 6, Read("/d/f", damaged));
  EXPECT_THAT(ExpectWrong({read}), HasSubstr("no write (byte 50 first)"));
}

TEST_F(CheckerTest, FindsBytesOfAVersionThatIsNotThere) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/f", 1, 100));
  const size_t read = Add(5, 6, Read("/d/f", PatternBytes(2, 0, 100)));
  EXPECT_THAT(ExpectWrong({read}), HasSubstr("v2, which nobody wrote"));
}

TEST_F(CheckerTest, FindsBytesBeforeTheyWereWritten) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Create("/d/f", 1));
  Add(10, 11, Flush(1, 50));
  Add(20, 30, Flush(1, 100));
  Add(12, 21, Read("/d/f", PatternBytes(1, 0, 70)));  // the second flush has begun
  ExpectFine();
  const size_t read = Add(12, 19, Read("/d/f", PatternBytes(1, 0, 70)));
  EXPECT_THAT(ExpectWrong({read}), HasSubstr("had handed over [0, 50)"));
}

TEST_F(CheckerTest, AByteBelowTheStartOfAnAppendMayBeTheSameByChance) {
  // Two versions that agree in the byte before the append.
  Version other = 3;
  while (PatternBytes(other, 64, 1) != PatternBytes(2, 64, 1)) ++other;
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/f", other, 65));
  Add(5, 6, Append("/d/f", 2, 65));
  Add(7, 8, Close(2, 128));
  Operation read = Read("/d/f", PatternBytes(other, 0, 65) + PatternBytes(2, 65, 63));
  ASSERT_EQ(read.pieces.back().offset, 64u);  // taken for the appending version's
  Add(9, 10, std::move(read));
  ExpectFine();
}

TEST_F(CheckerTest, AByteAboveTheEndOfAWriteMayBeTheSameByChance) {
  // Two versions that agree in the first byte of the append.
  Version other = 3;
  while (PatternBytes(other, 63, 1) != PatternBytes(2, 63, 1)) ++other;
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/f", 2, 63));
  Add(5, 6, Append("/d/f", other, 63));
  Add(7, 8, Close(other, 128));
  Operation read = Read("/d/f", PatternBytes(2, 0, 63) + PatternBytes(other, 63, 65));
  ASSERT_EQ(read.pieces.front().end(), 64u);  // taken for the first version's
  Add(9, 10, std::move(read));
  ExpectFine();
}

TEST_F(CheckerTest, FindsBytesBelowTheStartOfAnAppend) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/f", 1, 64));
  Add(5, 6, Append("/d/f", 2, 64));
  Add(7, 8, Close(2, 128));
  const size_t read = Add(9, 10, Read("/d/f", PatternBytes(1, 0, 32) + PatternBytes(2, 32, 96)));
  EXPECT_THAT(ExpectWrong({read}), HasSubstr("had handed over [64, 128)"));
}

// --- Acknowledged bytes ---

TEST_F(CheckerTest, FindsLostFlushedBytes) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Create("/d/f", 1));
  Add(5, 6, Flush(1, 100));
  Add(7, 8, Read("/d/f", PatternBytes(1, 0, 100)));
  ExpectFine();
  const size_t read = Add(9, 10, Read("/d/f", PatternBytes(1, 0, 99)));
  EXPECT_THAT(ExpectWrong({read}), HasSubstr("has 100 bytes [0, 100) of v1, v1 writes it"));
}

TEST_F(CheckerTest, AReadBesideAFlushMaySeeAnyPart) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Create("/d/f", 1));
  Add(5, 20, Flush(1, 100));
  Add(6, 7, Read("/d/f", ""));
  Add(8, 9, Read("/d/f", PatternBytes(1, 0, 10)));
  Add(10, 11, Read("/d/f", PatternBytes(1, 0, 70)));
  ExpectFine();
}

TEST_F(CheckerTest, BytesThatWereNotFlushedMayVanishAndOthersNot) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Create("/d/f", 1));
  Add(5, 6, Flush(1, 40));
  Add(7, 0, Flush(1, 100), Outcome::kUnknown);  // the writer died
  Add(8, 9, Read("/d/f", PatternBytes(1, 0, 70)));
  Add(10, 11, Read("/d/f", PatternBytes(1, 0, 60)));
  Add(12, 13, Read("/d/f", PatternBytes(1, 0, 40)));
  ExpectFine();
  const size_t read = Add(14, 15, Read("/d/f", PatternBytes(1, 0, 39)));
  ExpectWrong({read});
}

TEST_F(CheckerTest, FindsAnAppendThatLosesWhatWasFlushed) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Create("/d/f", 1));
  Add(5, 6, Flush(1, 100));
  Add(7, 0, Flush(1, 150), Outcome::kUnknown);
  for (const uint64_t found : {100u, 120u, 150u}) {
    const size_t append = Add(10, 12, Append("/d/f", 2, found));
    ExpectFine();
    record_.operations.resize(append);
  }
  for (const uint64_t found : {90u, 151u}) {
    const size_t append = Add(10, 12, Append("/d/f", 2, found));
    ExpectWrong({append});
    record_.operations.resize(append);
  }
}

TEST_F(CheckerTest, FindsALostClosedFile) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Create("/d/f", 1));
  Add(5, 6, Close(1, 100));
  Add(7, 8, Stat("/d/f", 100));
  ExpectFine();
  const size_t gone = Refuse(9, 10, Read("/d/f", ""), Refusal::kNotFound);
  EXPECT_THAT(ExpectWrong({gone}), HasSubstr("/d/f has 100 bytes"));
  record_.operations.resize(gone);
  const size_t stat = Add(9, 10, Stat("/d/f", 50));
  ExpectWrong({stat});
}

TEST_F(CheckerTest, TruncationsCutAndAppendsGoOn) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/f", 1, 100));
  Add(5, 6, Truncate("/d/f", 70));
  Add(7, 8, Stat("/d/f", 70));
  Add(9, 10, Append("/d/f", 2, 70));
  Add(11, 12, Close(2, 90));
  const std::string content = PatternBytes(1, 0, 70) + PatternBytes(2, 70, 20);
  Add(13, 14, Read("/d/f", content));
  Add(13, 14, Read("/d/f", content.substr(65), 65));
  ExpectFine();
  // The old bytes came back.
  const size_t read = Add(15, 16, Read("/d/f", PatternBytes(1, 0, 90)));
  ExpectWrong({read});
}

TEST_F(CheckerTest, AReadBesideATruncationIsOnlyJudgedByItsBytes) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/f", 1, 100));
  Add(5, 20, Truncate("/d/f", 32));
  Add(21, 22, Append("/d/f", 2, 32));
  Add(23, 24, Close(2, 100));
  const std::string mixed = PatternBytes(1, 0, 64) + PatternBytes(2, 64, 36);
  Add(10, 30, Read("/d/f", mixed));
  ExpectFine();
  const size_t late = Add(25, 30, Read("/d/f", mixed));
  ExpectWrong({late});
}

TEST_F(CheckerTest, FindsAWriterThatGoesOnAfterAnotherTookOver) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Create("/d/f", 1));
  Add(5, 6, Flush(1, 100));
  Add(7, 8, Append("/d/f", 2, 100));
  ExpectFine();
  const size_t flush = Add(9, 10, Flush(1, 120));
  EXPECT_THAT(ExpectWrong({flush}), HasSubstr("v2 writes it"));
  record_.operations.resize(flush);
  const size_t close = Add(9, 10, Close(1, 100));
  ExpectWrong({close});
}

TEST_F(CheckerTest, TheWriterOfARemovedFileMayFlushButNotClose) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Create("/d/f", 1));
  Add(5, 6, Delete("/d/f"));
  Add(7, 8, Flush(1, 100));
  ExpectFine();
  const size_t close = Add(9, 10, Close(1, 100));
  ExpectWrong({close});
}

TEST_F(CheckerTest, AnAbandonedFileMayGoAtAnyTime) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Create("/d/f", 1));
  Add(5, 0, {.action = Action::kAbandon, .path = "/d/f", .version = 1}, Outcome::kUnknown);
  Add(7, 8, Read("/d/f", ""));
  Refuse(9, 10, Read("/d/f", ""), Refusal::kNotFound);
  ExpectFine();
  const size_t back = Add(11, 12, Read("/d/f", ""));
  ExpectWrong({back});
}

// --- Publishing and renaming ---

TEST_F(CheckerTest, FindsHalfAPublishedFile) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 20, Publish("/d/f", 1, 100));
  Refuse(4, 5, Read("/d/f", ""), Refusal::kNotFound);
  Add(6, 7, Read("/d/f", PatternBytes(1, 0, 100)));
  ExpectFine();
  const size_t half = Add(8, 9, Read("/d/f", PatternBytes(1, 0, 50)));
  ExpectWrong({half});
}

TEST_F(CheckerTest, FindsAMixOfTwoVersions) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/f", 1, 128));
  Add(5, 20, Publish("/d/f", 2, 128, /*overwrite=*/true));
  Add(6, 7, Read("/d/f", PatternBytes(1, 0, 128)));
  Add(8, 9, Read("/d/f", PatternBytes(2, 0, 128)));
  ExpectFine();
  const size_t old = Add(10, 11, Read("/d/f", PatternBytes(1, 0, 128)));
  ExpectWrong({old});  // the new one had been seen
  record_.operations.resize(old);
  const size_t mix = Add(6, 11, Read("/d/f", PatternBytes(1, 0, 64) + PatternBytes(2, 64, 64)));
  const CheckResult result = CheckHistory(record_);
  ASSERT_EQ(result.violations.size(), 1u);
  EXPECT_THAT(result.violations.front().operations, ::testing::Contains(mix));
}

TEST_F(CheckerTest, FindsARenameInTwoSteps) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/a", 1, 10));
  Add(5, 20, Rename("/d/a", "/d/b"));
  Add(6, 7, List("/d", {"a"}));
  Add(8, 9, List("/d", {"b"}));
  ExpectFine();
  const size_t both = Add(6, 9, List("/d", {"a", "b"}));
  EXPECT_FALSE(CheckHistory(record_).ok());
  record_.operations.resize(both);
  const size_t none = Add(6, 9, List("/d", {}));
  EXPECT_FALSE(CheckHistory(record_).ok());
  record_.operations.resize(none);
  Add(30, 31, Stat("/d/b", 10));
  const size_t old = Add(32, 33, Stat("/d/a", 10));
  ExpectWrong({old});
}

TEST_F(CheckerTest, ADirectoryMovesWithAllBelow) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Mkdir("/d/x"));
  Add(5, 6, Publish("/d/x/f", 1, 10));
  Add(5, 6, Publish("/d/x-y", 2, 10));  // sorts between the directory and its file
  Add(7, 8, Rename("/d/x", "/d/z"));
  Add(9, 10, Read("/d/z/f", PatternBytes(1, 0, 10)));
  Add(9, 10, List("/d", {"x-y", "z"}));
  Refuse(9, 10, Stat("/d/x/f", 0), Refusal::kNotFound);
  Refuse(11, 12, Rename("/d/x", "/d/q"), Refusal::kNotFound);
  Refuse(11, 12, Rename("/d/z", "/d/x-y"), Refusal::kExists);
  ExpectFine();
  const size_t lost = Refuse(13, 14, Stat("/d/z/f", 0), Refusal::kNotFound);
  ExpectWrong({lost});
}

// --- Names ---

TEST_F(CheckerTest, FindsWrongRefusals) {
  Add(1, 2, Mkdir("/d"));
  Refuse(3, 4, Mkdir("/d"), Refusal::kExists);
  Refuse(3, 4, Mkdir("/d/no/such"), Refusal::kNotFound);
  ExpectFine();
  const size_t exists = Refuse(5, 6, Publish("/d/f", 1, 10), Refusal::kExists);
  ExpectWrong({exists});
}

TEST_F(CheckerTest, FindsANameThatComesBack) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Publish("/d/f", 1, 10));
  Add(5, 6, Delete("/d", /*recursive=*/true));
  Refuse(7, 8, Stat("/d/f", 0), Refusal::kNotFound);
  ExpectFine();
  const size_t back = Add(9, 10, Stat("/d/f", 10));
  ExpectWrong({back});
}

TEST_F(CheckerTest, FindsAnOperationDoneTwice) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 4, Mkdir("/d/a"));
  Add(5, 6, Delete("/d/a"));
  Add(7, 8, Mkdir("/d/a"));
  const size_t list = Add(9, 10, List("/d", {}));
  ExpectWrong({list});
}

TEST_F(CheckerTest, UnknownOutcomesMayHappenLateOrNever) {
  Add(1, 2, Mkdir("/d"));
  Add(3, 0, Mkdir("/d/a"), Outcome::kUnknown);
  Add(3, 0, Publish("/d/f", 1, 10), Outcome::kUnknown);
  Add(3, 0, Publish("/d/g", 2, 10), Outcome::kUnknown);
  Add(10, 11, List("/d", {}));
  Add(12, 13, List("/d", {"f"}));
  Add(14, 15, List("/d", {"a", "f"}));
  Add(20, 21, Read("/d/f", PatternBytes(1, 0, 10)));
  ExpectFine();
  const size_t read = Add(22, 23, List("/d", {"a"}));
  ExpectWrong({read});
}

TEST_F(CheckerTest, JudgesDirectoriesOfTheRootApartUntilSomethingConnectsThem) {
  Add(1, 2, Mkdir("/d"));
  Add(1, 2, Mkdir("/e"));
  const size_t one = Add(3, 4, Stat("/d/f", 10));
  const size_t two = Add(3, 4, Stat("/e/f", 10));
  const CheckResult apart = CheckHistory(record_);
  ASSERT_EQ(apart.violations.size(), 2u);
  EXPECT_THAT(apart.violations[0].operations, ElementsAre(one));
  EXPECT_THAT(apart.violations[1].operations, ElementsAre(two));
  record_.operations.resize(2);
  Add(3, 4, List("/", {"d", "e"}));
  Add(5, 6, Rename("/d", "/e/d"));
  Add(7, 8, List("/", {"e"}));
  ExpectFine();
  const size_t list = Add(7, 8, List("/", {"d"}));
  ExpectWrong({list});
}

TEST_F(CheckerTest, GivesUpInsteadOfRunningForEver) {
  Add(1, 2, Mkdir("/d"));
  for (Version version = 1; version <= 12; ++version) {
    Add(3, 9, Publish("/d/f", version, 10, /*overwrite=*/true));
  }
  Add(10, 11, Stat("/d/f", 11));
  const CheckResult result = CheckHistory(record_, {.max_states = 1000});
  EXPECT_EQ(result.undecided.size(), 1u);
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(result.ToString(), HasSubstr("gave up"));
}

TEST_F(CheckerTest, OperationsReadWell) {
  Add(1'500'000, 2'000'000, Publish("/d/f", 3, 10));
  EXPECT_EQ(ToString(record_.operations[0]),
            "#0 client 0 [1.500000 .. 2.000000] publish /d/f as v3, 10 bytes: ok");
  Add(1, 0, Rename("/a", "/b"), Outcome::kUnknown);
  EXPECT_EQ(ToString(record_.operations[1]),
            "#1 client 0 [0.000001 .. ?] rename /a -> /b: unknown");
  Add(1, 2, Read("/d/f", PatternBytes(3, 0, 18)));
  EXPECT_EQ(ToString(record_.operations[2]),
            "#2 client 0 [0.000001 .. 0.000002] read /d/f: [0, 16) of v3 [16, 18) of none, the "
            "end: ok");
}

}  // namespace
}  // namespace cairn::testing
