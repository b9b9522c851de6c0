#include "datanode/pipeline/block_recovery.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "common/mutex.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using State = RecoveryAnswer::State;

constexpr Block kBlock{.id = 7, .generation = 5, .length = 0};
constexpr auto kNone = RecoveryAnswer::kNone;
constexpr auto kOpen = RecoveryAnswer::kOpen;
constexpr auto kRestarted = RecoveryAnswer::kRestarted;
constexpr auto kFinalized = RecoveryAnswer::kFinalized;

RecoveryAnswer Has(State state, uint64_t length, GenerationStamp generation = 5) {
  return {.state = state, .block = {7, generation, length}};
}

struct Case {
  const char* why;
  std::vector<RecoveryAnswer> answers;
  uint64_t length;
  std::vector<size_t> participants;
};

TEST(DecideRecovery, TheLengthAndWhoTakesPart) {
  const Case cases[] = {
      {"nobody has anything", {Has(kNone, 0), Has(kNone, 0)}, 0, {}},
      {"nobody has a byte", {Has(kOpen, 0), Has(kOpen, 0), Has(kNone, 0)}, 0, {}},
      {"the shortest of those that were written",
       {Has(kOpen, 300), Has(kOpen, 100), Has(kOpen, 200)},
       100,
       {0, 1, 2}},
      {"one that restarted does not count", {Has(kOpen, 200), Has(kRestarted, 100)}, 200, {0}},
      {"but takes part when it is long enough",
       {Has(kOpen, 200), Has(kRestarted, 200), Has(kRestarted, 300)},
       200,
       {0, 1, 2}},
      {"an open one without a byte: none was acknowledged",
       {Has(kOpen, 0), Has(kOpen, 100)},
       0,
       {}},
      {"what a power cut left: the most",
       {Has(kRestarted, 100), Has(kRestarted, 300), Has(kRestarted, 200)},
       300,
       {1}},
      {"a finalized one fixes the length",
       {Has(kFinalized, 400), Has(kOpen, 400), Has(kOpen, 300), Has(kRestarted, 500)},
       400,
       {0, 1, 3}},
      {"several finalized ones that do not agree: the longest",
       {Has(kFinalized, 400), Has(kFinalized, 300)},
       400,
       {0}},
      {"the result of a recovery that was not committed is worth no more than a restarted one",
       {Has(kFinalized, 100, 6), Has(kOpen, 200)},
       200,
       {1}},
      {"nor less", {Has(kFinalized, 300, 6), Has(kRestarted, 200)}, 300, {0}},
      {"and takes part when it is long enough",
       {Has(kFinalized, 300, 6), Has(kOpen, 200), Has(kFinalized, 200, 7)},
       200,
       {0, 1, 2}},
      {"one that took a stamp that no pipeline got",
       {Has(kOpen, 100, 6), Has(kOpen, 200)},
       100,
       {0, 1}},
      {"finalized, but another was reopened for an append that did not come about",
       {Has(kFinalized, 400), Has(kOpen, 400, 6)},
       400,
       {0, 1}},
  };
  for (const Case& c : cases) {
    const auto decision = DecideRecovery(c.answers, kBlock, /*cut=*/false);
    ASSERT_TRUE(decision.ok()) << c.why << ": " << decision.status();
    EXPECT_EQ(decision->length, c.length) << c.why;
    EXPECT_EQ(decision->participants, c.participants) << c.why;
  }
}

TEST(DecideRecovery, ATruncationFixesTheLength) {
  const Block to{.id = 7, .generation = 5, .length = 150};
  const auto decision = DecideRecovery(
      {Has(kFinalized, 400), Has(kFinalized, 150, 6), Has(kRestarted, 100), Has(kNone, 0)}, to,
      /*cut=*/true);
  ASSERT_TRUE(decision.ok());
  EXPECT_EQ(decision->length, 150u);
  EXPECT_THAT(decision->participants, ElementsAre(0, 1));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      DecideRecovery({Has(kRestarted, 100), Has(kNone, 0)}, to, /*cut=*/true).status()));
}

// Members by number.
class FakePeers final : public RecoveryPeers {
 public:
  absl::StatusOr<RecoveryAnswer> Start(const Target& member, const Block& block,
                                       GenerationStamp recovery) override {
    MutexLock lock(mu_);
    EXPECT_EQ(block, kBlock);
    EXPECT_EQ(recovery, 9u);
    if (unreachable.contains(member.number)) return absl::UnavailableError("cannot connect");
    return answers.at(member.number);
  }
  absl::StatusOr<StorageNumber> Finish(const Target& member, const Block& block,
                                       GenerationStamp recovery) override {
    MutexLock lock(mu_);
    EXPECT_EQ(recovery, 9u);
    finished.push_back(std::to_string(member.number) + ": " + std::to_string(block.generation) +
                       "/" + std::to_string(block.length));
    if (unable.contains(member.number)) return absl::ResourceExhaustedError("full");
    return member.number * 10;
  }
  void Stop() override {}

  std::map<NodeNumber, RecoveryAnswer> answers;
  std::set<NodeNumber> unreachable;  // at the first question
  std::set<NodeNumber> unable;       // to finish
  std::vector<std::string> finished;

 private:
  Mutex mu_;
};

RecoveryOrder OrderTo(const std::vector<NodeNumber>& numbers) {
  RecoveryOrder order{.block = kBlock, .recovery = 9, .members = {}};
  for (const NodeNumber number : numbers) {
    order.members.push_back({.number = number, .id = "n" + std::to_string(number)});
  }
  return order;
}

TEST(RecoverBlock, EndsWithWhatTheMembersAgreedOn) {
  FakePeers peers;
  peers.answers = {{1, Has(kOpen, 300)}, {2, Has(kOpen, 200, 6)}, {3, Has(kNone, 0)}};
  const auto result = RecoverBlock(OrderTo({1, 2, 3}), &peers);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->block, (Block{7, 9, 200}));
  EXPECT_THAT(result->storages, ElementsAre(10, 20));
  EXPECT_THAT(peers.finished, UnorderedElementsAre("1: 5/200", "2: 6/200"));
}

TEST(RecoverBlock, AMemberThatDoesNotAnswerEndsIt) {
  FakePeers peers;
  peers.answers = {{1, Has(kOpen, 300)}, {2, Has(kOpen, 200)}};
  peers.unreachable = {2};
  const absl::Status status = RecoverBlock(OrderTo({1, 2}), &peers).status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(status.ToString(), HasSubstr("n2: cannot connect"));
  EXPECT_THAT(peers.finished, IsEmpty());
  EXPECT_TRUE(absl::IsInvalidArgument(RecoverBlock(OrderTo({}), &peers).status()));
}

TEST(RecoverBlock, OneThatFinishesIsEnough) {
  FakePeers peers;
  peers.answers = {{1, Has(kOpen, 300)}, {2, Has(kOpen, 300)}};
  peers.unable = {1};
  const auto result = RecoverBlock(OrderTo({1, 2}), &peers);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->storages, ElementsAre(20));
  peers.unable = {1, 2};
  EXPECT_TRUE(absl::IsResourceExhausted(RecoverBlock(OrderTo({1, 2}), &peers).status()));
}

TEST(RecoverBlock, ABlockWithoutAByteNeedsNobody) {
  FakePeers peers;
  peers.answers = {{1, Has(kOpen, 0)}, {2, Has(kNone, 0)}};
  const auto result = RecoverBlock(OrderTo({1, 2}), &peers);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->block, (Block{7, 9, 0}));
  EXPECT_THAT(result->storages, IsEmpty());
  EXPECT_THAT(peers.finished, IsEmpty());
}

}  // namespace
}  // namespace cairn::datanode
