// What the writer is told of a mirror that fails.
#include "datanode/pipeline/ack_relay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

namespace cairn::datanode {
namespace {

using testing::HasSubstr;

class RecordingUpstream final : public Upstream {
 public:
  bool Receive(Packet*) override { return false; }
  bool Send(const Ack& ack) override {
    acks.push_back(ack);
    return true;
  }
  void Cancel() override {}

  std::vector<Ack> acks;
};

class FailingDownstream final : public Downstream {
 public:
  explicit FailingDownstream(absl::Status status) : status_(std::move(status)) {}
  absl::Status Send(Packet&) override { return absl::OkStatus(); }
  absl::StatusOr<Ack> ReceiveAck() override { return status_; }
  void Cancel() override {}

 private:
  const absl::Status status_;
};

absl::Status StatusOfMirror(absl::Status status) {
  RecordingUpstream upstream;
  {
    AckRelay relay(&upstream, {{.number = 2, .id = "n2", .addresses = {"host:1"}}});
    relay.SetMirror(std::make_unique<FailingDownstream>(std::move(status)));
    relay.Push(1, {.node = 1});
    relay.Drain();
    EXPECT_FALSE(relay.mirror_works());
  }
  EXPECT_EQ(upstream.acks.size(), 1u);
  EXPECT_EQ(upstream.acks.at(0).nodes.size(), 2u);
  EXPECT_TRUE(upstream.acks.at(0).nodes.at(0).status.ok());
  return upstream.acks.at(0).nodes.at(1).status;
}

TEST(AckRelayTest, ACancelledMirrorIsUnavailable) {
  const absl::Status status = StatusOfMirror(absl::CancelledError("it stops"));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(status.ToString(), HasSubstr("host:1 ended the stream: it stops"));
}

TEST(AckRelayTest, OtherFailuresOfTheMirrorAreToldAsTheyAre) {
  EXPECT_TRUE(absl::IsDeadlineExceeded(StatusOfMirror(absl::DeadlineExceededError("stalled"))));
}

}  // namespace
}  // namespace cairn::datanode
