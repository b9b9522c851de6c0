// What the writer is told, when, and that nothing waits for ever.
#include "datanode/pipeline/ack_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/datanode/pipeline/fake_streams.h"

namespace cairn::datanode {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<absl::StatusCode> CodesOf(const Ack& ack) {
  std::vector<absl::StatusCode> codes;
  for (const NodeAck& node : ack.nodes) codes.push_back(node.status.code());
  return codes;
}

constexpr auto kOk = absl::StatusCode::kOk;
constexpr auto kAborted = absl::StatusCode::kAborted;
constexpr auto kDeadline = absl::StatusCode::kDeadlineExceeded;
constexpr auto kUnavailable = absl::StatusCode::kUnavailable;
constexpr auto kInternal = absl::StatusCode::kInternal;
constexpr auto kDataLoss = absl::StatusCode::kDataLoss;

class AckRelayTest : public testing::Test {
 protected:
  // A relay with so many nodes behind it.
  void Start(size_t behind, AckRelay::Options options = {}) {
    std::vector<Target> targets;
    for (size_t i = 0; i < behind; ++i) {
      targets.push_back({.number = static_cast<NodeNumber>(2 + i),
                         .id = "n",
                         .addresses = {"host:" + std::to_string(2 + i)}});
    }
    relay_ = std::make_unique<AckRelay>(
        &threads_, &writer_, std::move(targets), options,
        AckRelay::Hooks{.visible = [this](uint64_t length) { visible_.store(length); },
                        .damaged = [this](NodeNumber) { return blamed_.load(); },
                        .latencies = &latencies_});
    if (behind > 0) relay_->SetMirror(mirror_.Stream());
  }
  // Past the setup.
  void StartReady(size_t behind, AckRelay::Options options = {}) {
    if (behind > 0) mirror_.Deliver(0, behind);
    Start(behind, options);
    relay_->Push(0, {.node = 1}, 0);
    relay_->Drain();
    ASSERT_EQ(writer_.acks(), 1u);
  }
  void ForwardAndPush(uint64_t seq) {
    Packet packet;
    packet.seq = seq;
    relay_->Forward(packet);
    relay_->Push(seq, {.node = 1}, 100 * seq);
  }
  Ack AckOf(size_t index) {
    const std::vector<Ack> acks = writer_.WaitForAcks(index + 1);
    EXPECT_GT(acks.size(), index);
    return acks.size() > index ? acks[index] : Ack{};
  }

  // What packets to the first node behind took, the relay being gone.
  PeerLatencies::Peer Measured() {
    relay_.reset();
    const auto report = latencies_.Report(SteadyMs());
    return report.empty() ? PeerLatencies::Peer{} : report.front();
  }
  static int64_t SteadyMs() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
  }

  PeerLatencies latencies_{24 * 3600 * 1000};
  FakeMirror mirror_;
  FakeWriter writer_;
  std::atomic<uint64_t> visible_ = 0;
  std::atomic<bool> blamed_ = false;
  ThreadCache threads_{"ack-relay"};
  std::unique_ptr<AckRelay> relay_;
};

TEST_F(AckRelayTest, WithoutAMirrorAcksAreSentAtOnce) {
  StartReady(0);
  for (uint64_t seq = 1; seq <= 50; ++seq) {
    ForwardAndPush(seq);
    EXPECT_EQ(writer_.acks(), seq + 1);
    EXPECT_EQ(visible_, 100 * seq);
  }
  EXPECT_EQ(AckOf(50).seq, 50u);
}

TEST_F(AckRelayTest, AnAckNeedsThisNodeAndTheMirrorInAnyOrder) {
  StartReady(2);
  mirror_.KeepAlive();
  ForwardAndPush(1);
  EXPECT_EQ(writer_.acks(), 1u);
  EXPECT_EQ(visible_, 0u);
  mirror_.Deliver(1, 2);
  EXPECT_EQ(AckOf(1).nodes.size(), 3u);
  EXPECT_EQ(visible_, 100u);

  Packet packet;
  packet.seq = 2;
  relay_->Forward(packet);
  mirror_.Deliver(2, 2);
  relay_->Push(2, {.node = 1}, 200);
  EXPECT_THAT(CodesOf(AckOf(2)), ElementsAre(kOk, kOk, kOk));
  EXPECT_EQ(visible_, 200u);
}

TEST_F(AckRelayTest, SaysThatItLivesFromTheStart) {
  relay_ = std::make_unique<AckRelay>(&threads_, &writer_, std::vector<Target>{{.number = 2}},
                                      AckRelay::Options{.alive_ms = 5}, AckRelay::Hooks{});
  EXPECT_TRUE(writer_.WaitForSignsOfLife(3));  // while it connects
  relay_->SetMirror(mirror_.Stream());
  mirror_.KeepAlive();
  EXPECT_TRUE(writer_.WaitForSignsOfLife(6));  // while it waits for the setup
  EXPECT_EQ(writer_.acks(), 0u);
}

TEST_F(AckRelayTest, AMirrorThatIsSilentHasStalled) {
  StartReady(2, {.alive_ms = 20, .stall_ms = 200});
  const auto start = std::chrono::steady_clock::now();
  ForwardAndPush(1);
  const Ack ack = AckOf(1);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(190));
  ASSERT_THAT(CodesOf(ack), ElementsAre(kOk, kDeadline, kAborted));
  EXPECT_THAT(ack.nodes[1].status.ToString(), HasSubstr("no answer from host:2"));
  EXPECT_EQ(ack.nodes[1].node, 2u);
  EXPECT_TRUE(writer_.WaitForSignsOfLife(3));
  EXPECT_EQ(visible_, 0u);
  EXPECT_FALSE(relay_->mirror_works());
  ForwardAndPush(2);  // goes on without it
  EXPECT_THAT(CodesOf(AckOf(2)), ElementsAre(kOk, kDeadline, kAborted));
  EXPECT_EQ(visible_, 0u);
}

TEST_F(AckRelayTest, AMirrorThatTakesNothingDoesNotHoldItsSender) {
  StartReady(1, {.alive_ms = 20, .stall_ms = 100});
  mirror_.TakeNothing();
  ForwardAndPush(1);
  EXPECT_THAT(CodesOf(AckOf(1)), ElementsAre(kOk, kDeadline));
  EXPECT_THAT(mirror_.taken(), IsEmpty());
}

TEST_F(AckRelayTest, AMirrorThatOnlyLivesHasFailedAfterAWhile) {
  StartReady(1, {.alive_ms = 5, .stall_ms = 500, .max_progress_ms = 1'500});
  mirror_.KeepAlive();
  const auto start = std::chrono::steady_clock::now();
  ForwardAndPush(1);
  const Ack ack = AckOf(1);
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(1'490));
  ASSERT_THAT(CodesOf(ack), ElementsAre(kOk, kDeadline));
  EXPECT_THAT(ack.nodes[1].status.ToString(), HasSubstr("has acknowledged nothing"));
}

TEST_F(AckRelayTest, SilenceIsNoStallWhileNothingIsOwed) {
  StartReady(1, {.alive_ms = 5, .stall_ms = 2'000, .max_progress_ms = 2'000});
  EXPECT_TRUE(writer_.WaitForSignsOfLife(500));  // 2.5 s at least
  EXPECT_TRUE(relay_->mirror_works());
  ForwardAndPush(1);
  mirror_.Deliver(1, 1);
  EXPECT_THAT(CodesOf(AckOf(1)), ElementsAre(kOk, kOk));
}

TEST_F(AckRelayTest, TheSetupCanStallToo) {
  Start(1, {.alive_ms = 20, .stall_ms = 100});
  relay_->Push(0, {.node = 1}, 0);
  relay_->Drain();
  EXPECT_THAT(CodesOf(AckOf(0)), ElementsAre(kOk, kDeadline));
}

TEST_F(AckRelayTest, AMirrorThatCannotBeReachedIsNamed) {
  relay_ = std::make_unique<AckRelay>(&threads_, &writer_,
                                      std::vector<Target>{{.number = 2}, {.number = 3}},
                                      AckRelay::Options{}, AckRelay::Hooks{});
  relay_->SetMirror(absl::UnavailableError("cannot connect"));
  relay_->Push(0, {.node = 1}, 0);
  EXPECT_THAT(CodesOf(AckOf(0)), ElementsAre(kOk, kUnavailable, kAborted));
}

TEST_F(AckRelayTest, WrongAcksFailTheMirror) {
  const std::vector<Ack> wrong = {{.seq = 2, .nodes = std::vector<NodeAck>(1)},
                                  {.seq = 0, .nodes = std::vector<NodeAck>(1)},
                                  {.seq = 1, .nodes = std::vector<NodeAck>(2)},
                                  {.seq = 1, .nodes = {}}};
  for (const Ack& ack : wrong) {
    FakeMirror mirror;
    FakeWriter writer;
    AckRelay relay(&threads_, &writer, {{.number = 2}}, {}, {});
    relay.SetMirror(mirror.Stream());
    mirror.Deliver(0, 1);
    relay.Push(0, {.node = 1}, 0);
    Packet packet;
    packet.seq = 1;
    relay.Forward(packet);
    mirror.Deliver(ack);
    relay.Push(1, {.node = 1}, 0);
    EXPECT_THAT(CodesOf(writer.WaitForAcks(2).at(1)), ElementsAre(kOk, kInternal));
  }
}

TEST_F(AckRelayTest, AnAckOfWhatWasNotSentFailsTheMirror) {
  StartReady(1);
  mirror_.Deliver(1, 1);
  while (relay_->mirror_works()) std::this_thread::yield();
  ForwardAndPush(1);
  EXPECT_THAT(CodesOf(AckOf(1)), ElementsAre(kOk, kInternal));
}

TEST_F(AckRelayTest, WhatTheMirrorEndedWithIsToldAndWhatItAckedBeforeCounts) {
  StartReady(1);
  ForwardAndPush(1);
  mirror_.Deliver(1, 1);
  mirror_.End(absl::ResourceExhaustedError("full"));
  ForwardAndPush(2);  // its sending fails too: that says nothing
  EXPECT_THAT(CodesOf(AckOf(1)), ElementsAre(kOk, kOk));
  EXPECT_THAT(CodesOf(AckOf(2)), ElementsAre(kOk, absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(visible_, 100u);
}

TEST_F(AckRelayTest, ACancelledMirrorIsUnavailable) {
  StartReady(1);
  mirror_.End(absl::CancelledError("it stops"));
  ForwardAndPush(1);
  const Ack ack = AckOf(1);
  ASSERT_THAT(CodesOf(ack), ElementsAre(kOk, kUnavailable));
  EXPECT_THAT(ack.nodes[1].status.ToString(), HasSubstr("host:2 ended the stream: it stops"));
}

TEST_F(AckRelayTest, OnlyWhatAllHaveIsVisible) {
  StartReady(2);
  Ack ack{.seq = 1, .nodes = std::vector<NodeAck>(2), .alive = false};
  ack.nodes[1].status = absl::ResourceExhaustedError("full");
  ForwardAndPush(1);
  mirror_.Deliver(ack);
  EXPECT_THAT(CodesOf(AckOf(1)), ElementsAre(kOk, kOk, absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(visible_, 0u);
}

TEST_F(AckRelayTest, DamagedBytesAreTheReceiversFaultFirst) {
  StartReady(2);
  ForwardAndPush(1);
  mirror_.End(WithKind(absl::DataLossError("wrong checksum"), ErrorKind::kChecksum));
  const Ack ack = AckOf(1);
  EXPECT_THAT(CodesOf(ack), ElementsAre(kOk, kDataLoss, kAborted));
  EXPECT_EQ(KindOf(ack.nodes[1].status), ErrorKind::kChecksum);
}

TEST_F(AckRelayTest, DamagedBytesAtSeveralReceiversAreTheSendersFault) {
  blamed_ = true;
  StartReady(2);
  ForwardAndPush(1);
  mirror_.End(WithKind(absl::DataLossError("wrong checksum"), ErrorKind::kChecksum));
  const Ack ack = AckOf(1);
  EXPECT_THAT(CodesOf(ack), ElementsAre(kDataLoss, kAborted, kAborted));
  EXPECT_EQ(KindOf(ack.nodes[0].status), ErrorKind::kChecksum);
}

TEST_F(AckRelayTest, TheWindowIsBounded) {
  StartReady(1);
  mirror_.KeepAlive();
  std::atomic<uint64_t> pushed = 0;
  std::thread pusher([&] {
    for (uint64_t seq = 1; seq <= AckRelay::kWindow + 2; ++seq) {
      ForwardAndPush(seq);
      pushed = seq;
    }
  });
  // The one that waits has been forwarded.
  while (mirror_.taken().size() < AckRelay::kWindow + 1) std::this_thread::yield();
  EXPECT_EQ(pushed, AckRelay::kWindow);
  for (uint64_t seq = 1; seq <= AckRelay::kWindow + 1; ++seq) mirror_.Deliver(seq, 1);
  pusher.join();
  mirror_.Deliver(AckRelay::kWindow + 2, 1);
  relay_->Drain();
  EXPECT_EQ(writer_.acks(), AckRelay::kWindow + 3);
}

TEST_F(AckRelayTest, CancelEndsWhatWaits) {
  StartReady(1);
  mirror_.KeepAlive();
  std::thread drainer([&] {
    for (uint64_t seq = 1; seq <= AckRelay::kWindow; ++seq) ForwardAndPush(seq);
    mirror_.TakeNothing();
    ForwardAndPush(AckRelay::kWindow + 1);  // waits in the mirror, then in the window
    relay_->Drain();
  });
  while (mirror_.taken().size() < AckRelay::kWindow) std::this_thread::yield();
  relay_->Cancel();
  drainer.join();
  EXPECT_FALSE(relay_->mirror_works());
}

TEST_F(AckRelayTest, AStreamThatIsCancelledWhileItConnectsEndsItsMirror) {
  relay_ = std::make_unique<AckRelay>(&threads_, &writer_, std::vector<Target>{{.number = 2}},
                                      AckRelay::Options{}, AckRelay::Hooks{});
  relay_->Cancel();
  relay_->SetMirror(mirror_.Stream());
  relay_->Push(0, {.node = 1}, 0);
  relay_->Drain();
  EXPECT_FALSE(relay_->mirror_works());
}

TEST_F(AckRelayTest, AnEarlyAckIsTheLastButTheMirrorGoesOn) {
  StartReady(1, {.alive_ms = 5});
  mirror_.KeepAlive();
  ForwardAndPush(1);
  relay_->PushLastEarly(2, {.node = 1, .held_length = 200});
  const Ack early = AckOf(1);
  EXPECT_EQ(early.seq, 2u);
  EXPECT_THAT(CodesOf(early), ElementsAre(kOk));  // this node alone
  EXPECT_EQ(early.nodes[0].held_length, 200u);
  mirror_.Deliver(1, 1);
  ForwardAndPush(2);
  mirror_.Deliver(2, 1);
  relay_->Drain();
  EXPECT_THAT(mirror_.taken(), ElementsAre(1, 2));
  EXPECT_EQ(writer_.acks(), 2u);
}

// What tells a slow node from one that only waits for the slow one behind it.
TEST_F(AckRelayTest, CountsTheTimeThatItWaitsForTheMirrorAlone) {
  StartReady(1);
  mirror_.KeepAlive();
  ForwardAndPush(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // what is measured
  mirror_.Deliver(1, 1);
  EXPECT_GE(AckOf(1).nodes[0].waited_us, 50'000u);
  const uint64_t before = AckOf(1).nodes[0].waited_us;
  Packet packet;
  packet.seq = 2;
  relay_->Forward(packet);
  mirror_.Deliver(2, 1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'000));  // this node's own work
  relay_->Push(2, {.node = 1}, 200);
  EXPECT_LT(AckOf(2).nodes[0].waited_us, before + 800'000);
}

TEST_F(AckRelayTest, NothingFollowsTheLastAck) {
  StartReady(1, {.alive_ms = 5});
  mirror_.KeepAlive();
  Packet packet;
  packet.seq = 1;
  packet.last = true;
  relay_->Forward(packet);
  relay_->Push(1, {.node = 1}, 100);
  EXPECT_TRUE(writer_.WaitForSignsOfLife(3));
  mirror_.Deliver(1, 1);
  relay_->Drain();
  const int before = writer_.signs_of_life();
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // time for ten
  EXPECT_EQ(writer_.signs_of_life(), before);
}

TEST_F(AckRelayTest, AWriterThatIsGoneDoesNotStopTheMirror) {
  StartReady(1);
  writer_.Leave();
  ForwardAndPush(1);
  mirror_.Deliver(1, 1);
  relay_->Drain();
  EXPECT_TRUE(relay_->mirror_works());
  EXPECT_EQ(visible_, 100u);
}

TEST_F(AckRelayTest, MeasuresWhatPacketsTakeAtTheMirror) {
  StartReady(1);
  mirror_.KeepAlive();
  int64_t least_us = 0;
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    const auto start = std::chrono::steady_clock::now();
    ForwardAndPush(seq);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // it is slow
    least_us = std::chrono::duration_cast<std::chrono::microseconds>(
                   std::chrono::steady_clock::now() - start)
                   .count();
    mirror_.Deliver(seq, 1);
    AckOf(seq);
  }
  ASSERT_GE(least_us, 20'000);
  const PeerLatencies::Peer measured = Measured();
  EXPECT_EQ(measured.node, 2u);
  EXPECT_EQ(measured.samples, 3u);         // the setup is none
  EXPECT_GE(measured.median_us, 17'000u);  // the middle of a bucket
}

TEST_F(AckRelayTest, WhatTheMirrorWaitedForIsNotItsOwn) {
  StartReady(2);
  mirror_.KeepAlive();
  uint64_t waited_us = 0;
  for (uint64_t seq = 1; seq <= 3; ++seq) {
    ForwardAndPush(seq);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    Ack ack{.seq = seq, .nodes = std::vector<NodeAck>(2)};
    // All the time that has passed, and more: the others are as slow as they may be.
    waited_us += 3'600'000'000;
    ack.nodes[0].waited_us = waited_us;
    mirror_.Deliver(ack);
    AckOf(seq);
  }
  const PeerLatencies::Peer measured = Measured();
  EXPECT_EQ(measured.node, 2u);
  EXPECT_EQ(measured.samples, 3u);
  EXPECT_LT(measured.median_us, 10u);
}

TEST_F(AckRelayTest, PacketsInLineShareWhatTheyTake) {
  StartReady(1);
  mirror_.KeepAlive();
  const auto start = std::chrono::steady_clock::now();
  constexpr uint64_t kPackets = AckRelay::kWindow;
  for (uint64_t seq = 1; seq <= kPackets; ++seq) ForwardAndPush(seq);
  std::this_thread::sleep_for(std::chrono::milliseconds(40));
  for (uint64_t seq = 1; seq <= kPackets; ++seq) mirror_.Deliver(seq, 1);
  AckOf(kPackets);
  const auto all_us = std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::steady_clock::now() - start)
                          .count();
  const PeerLatencies::Peer measured = Measured();
  EXPECT_EQ(measured.samples, kPackets);
  // The median packet had half of the others before it.
  EXPECT_LE(static_cast<int64_t>(measured.median_us),
            all_us * 2 * 5 / 4 / static_cast<int64_t>(kPackets));
}

TEST_F(AckRelayTest, AFailedMirrorIsNotMeasured) {
  StartReady(1);
  mirror_.KeepAlive();
  ForwardAndPush(1);
  mirror_.Deliver({.seq = 1, .nodes = {{.node = 2, .status = absl::InternalError("disk")}}});
  AckOf(1);
  EXPECT_EQ(Measured().samples, 0u);
}

}  // namespace
}  // namespace cairn::datanode
