// Networks that fail between real processes: cuts, cuts one way, links that flap, lose or crawl. No
// acknowledged file is lost, no client reads other bytes, the cluster is whole again afterwards,
// and the longest wait of a client is printed (P3, P4, P8).
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/fault/fault_fixture.h"
#include "tests/support/files.h"

namespace cairn::testing {
namespace {

constexpr size_t kMiB = 1 << 20;
constexpr size_t kPiece = 64 << 10;
constexpr int kNodes = 4;

class NetworkTest : public FaultTest {
 protected:
  static std::string HostOf(int datanode) { return fmt::format("dn{}", datanode); }

  // A DataNode that holds an open replica.
  int NodeThatWrites() {
    int node = -1;
    EXPECT_TRUE(WaitUntil(60'000, [&] {
      for (int i = 0; i < kNodes && node < 0; ++i) {
        if (!OpenFiles(cluster_->datanode(static_cast<size_t>(i))).empty()) node = i;
      }
      return node >= 0;
    }));
    return node;
  }

  // One fault of one DataNode while clients work; nothing may fail.
  template <typename Begin>
  void OneNode(const std::string& what, int64_t ms, Begin begin) {
    // What was slow is soon forgotten.
    StartCluster(kNodes, {}, {"--reserved=0", "--peer-latency-window=3s"});
    ASSERT_FALSE(HasFatalFailure());
    StartTraffic("/traffic");
    ASSERT_FALSE(HasFatalFailure());
    Do(begin("dn1"));
    Last(ms);
    AwaitFiles(2);
    Do(hosts_->Heal("dn1"));
    EndTraffic(what);
    EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
    ExpectHealed();
  }
};

TEST_F(NetworkTest, ANodeIsCutOffInTheMiddleOfAWrite) {
  StartCluster(kNodes);
  ASSERT_FALSE(HasFatalFailure());
  const std::string bytes = RandomBytes(1, 6 * kMiB);
  auto out = fs_->Create("/f", {});
  ASSERT_TRUE(out.ok()) << out.status();
  int64_t longest_us = 0;
  std::string cut;
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    // In the middle of each block another one of those that write.
    if (at % kMiB == kMiB / 2) {
      Do((*out)->HFlush());
      if (!cut.empty()) Do(hosts_->Heal(cut));
      cut = HostOf(NodeThatWrites());
      Do(hosts_->Cut(cut));
    }
    const int64_t start_us = History::NowUs();
    Do((*out)->Write(std::string_view(bytes).substr(at, kPiece)));
    longest_us = std::max(longest_us, History::NowUs() - start_us);
    ASSERT_FALSE(HasFatalFailure());
  }
  const int64_t start_us = History::NowUs();
  Do((*out)->Close());
  longest_us = std::max(longest_us, History::NowUs() - start_us);
  fmt::print("six cuts in a write: the longest call took {:.2f} s\n",
             static_cast<double>(longest_us) / 1e6);
  const CommandResult during = cluster_->Cairn({"cat", "/f"});
  EXPECT_TRUE(during.out == bytes) << during.err;
  Do(hosts_->Heal(cut));
  ExpectHealed();
  EXPECT_TRUE(cluster_->Cairn({"cat", "/f"}).out == bytes);
}

TEST_F(NetworkTest, NodesAreCutOffInTheMiddleOfARead) {
  StartCluster(kNodes);
  ASSERT_FALSE(HasFatalFailure());
  const std::string bytes = RandomBytes(2, 8 * kMiB);
  auto out = fs_->Create("/f", {});
  ASSERT_TRUE(out.ok()) << out.status();
  Do((*out)->Write(bytes));
  Do((*out)->Close());
  auto in = fs_->Open("/f");
  ASSERT_TRUE(in.ok()) << in.status();
  std::string got;
  std::string cut;
  int64_t longest_us = 0;
  for (int block = 0; got.size() < bytes.size(); ++block) {
    // One after the other, so that it meets those that this client reads from.
    if (!cut.empty()) Do(hosts_->Heal(cut));
    cut = HostOf(block % kNodes);
    Do(hosts_->Cut(cut));
    for (size_t i = 0; i < kMiB / kPiece; ++i) {
      std::string piece(kPiece, '\0');
      const int64_t start_us = History::NowUs();
      const auto count = (*in)->Read({piece.data(), piece.size()});
      longest_us = std::max(longest_us, History::NowUs() - start_us);
      ASSERT_TRUE(count.ok()) << count.status();
      got.append(piece, 0, *count);
    }
    ASSERT_LE(block, 8);
  }
  fmt::print("eight cuts in a read: the longest call took {:.2f} s\n",
             static_cast<double>(longest_us) / 1e6);
  EXPECT_TRUE(got == bytes);
  Do(hosts_->Heal(cut));
  ExpectHealed();
}

TEST_F(NetworkTest, ACutOfOneWayBetweenAnyTwo) {
  StartCluster(kNodes);
  ASSERT_FALSE(HasFatalFailure());
  const std::vector<std::pair<std::string, std::string>> ways = {{NetHosts::kHere, "dn1"},
                                                                 {"dn1", NetHosts::kHere},
                                                                 {"dn1", "dn2"},
                                                                 {"dn2", "dn1"},
                                                                 {"dn1", "nn"},
                                                                 {"nn", "dn1"}};
  for (const auto& [from, to] : ways) {
    StartTraffic(fmt::format("/{}_{}", from, to));
    ASSERT_FALSE(HasFatalFailure());
    Do(hosts_->DropOneWay(from, to));
    Last(from == "nn" || to == "nn" ? kDeadAfterMs + 1'000 : 2'000);
    AwaitFiles(2);
    Do(hosts_->Heal(from == NetHosts::kHere ? to : from));
    EndTraffic(fmt::format("nothing goes from {} to {}", from, to));
    EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
    ASSERT_FALSE(HasFailure());
  }
  ExpectHealed();
}

TEST_F(NetworkTest, ANodeThatHearsAndIsNotHeard) {
  OneNode("nothing goes from dn1", kDeadAfterMs + 2'000,
          [&](const std::string& host) { return hosts_->DropSent(host); });
}

TEST_F(NetworkTest, ANodeThatIsHeardAndHearsNot) {
  OneNode("nothing comes to dn1", kDeadAfterMs + 2'000,
          [&](const std::string& host) { return hosts_->DropReceived(host); });
}

TEST_F(NetworkTest, ANodeThatLosesPackets) {
  OneNode("dn1 loses 30% of its packets", 5'000,
          [&](const std::string& host) { return hosts_->Lose(host, 0.3); });
}

TEST_F(NetworkTest, ANodeWithASlowLink) {
  OneNode("dn1 has 8 Mbit/s", 5'000,
          [&](const std::string& host) { return hosts_->Slow(host, 8'000'000); });
}

TEST_F(NetworkTest, ALinkThatFlaps) {
  StartCluster(kNodes);
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  for (int i = 0; i < 16; ++i) {
    Do(i % 2 == 0 ? hosts_->Cut("dn1") : hosts_->Heal("dn1"));
    Last(200 + 97 * i % 600);
  }
  EndTraffic("the link of dn1 flaps");
  EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
  ExpectHealed();
}

TEST_F(NetworkTest, TheNameNodeLosesPackets) {
  StartCluster(kNodes);
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  Do(hosts_->Lose("nn", 0.3));
  Last(5'000);
  Do(hosts_->Heal("nn"));
  AwaitFiles(2);
  EndTraffic("the NameNode loses 30% of its packets");
  EXPECT_EQ(traffic_->failures(), 0u) << traffic_->ToString();
  ExpectHealed();
}

// Everybody is dead to it, and nobody is.
TEST_F(NetworkTest, TheNameNodeIsCutOffForLongerThanDeadAfter) {
  StartCluster(kNodes);
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  Do(hosts_->Cut("nn"));
  Last(2 * kDeadAfterMs);
  Do(hosts_->Heal("nn"));
  AwaitFiles(2);
  EndTrafficWhenHealed("the NameNode is cut off for 8 s");
}

TEST_F(NetworkTest, DataNodesCannotReachTheNameNodeAndClientsCan) {
  StartCluster(kNodes);
  ASSERT_FALSE(HasFatalFailure());
  StartTraffic("/traffic");
  ASSERT_FALSE(HasFatalFailure());
  for (int i = 0; i < kNodes; ++i) Do(hosts_->DropOneWay(HostOf(i), "nn"));
  EXPECT_TRUE(WaitUntil(60'000, [&] { return ReportNumber(*cluster_, "nodes_failed") == kNodes; }));
  for (int i = 0; i < kNodes; ++i) Do(hosts_->Heal(HostOf(i)));
  AwaitFiles(2);
  // Writes may have failed meanwhile: there was no DataNode to be had.
  EndTrafficWhenHealed("no DataNode reaches the NameNode until all are dead to it");
}

// The cable of a writer's host is out for longer than its lease lasts: its file goes, and it is
// told.
TEST_F(NetworkTest, AWriterThatIsCutOffLosesItsFileAndIsTold) {
  StartCluster(kNodes, {"--lease-soft-limit=2s", "--lease-hard-limit=4s"});
  ASSERT_FALSE(HasFatalFailure());
  SlowPut put(cluster_.get(), {"--timeout=60s"}, "/f");
  ASSERT_TRUE(put.Feed(RandomBytes(3, kMiB + 1'000)));
  ASSERT_TRUE(WaitUntil(60'000, [&] { return !cluster_->Cairn({"ls", "/"}).out.empty(); }));
  Do(hosts_->Cut("client"));
  // Asked from here: the command's own host is cut off.
  EXPECT_TRUE(WaitUntil(60'000, [&] {
    const auto page = fs_->List("/", "");
    return page.ok() && page->entries.empty();
  }));
  Do(hosts_->Heal("client"));
  put.Feed(RandomBytes(4, kMiB));
  const CommandResult result = put.Finish();
  EXPECT_EQ(result.code, 1) << result.err;
  EXPECT_TRUE(cluster_->Cairn({"ls", "/"}).out.empty());
  ExpectHealed();
}

}  // namespace
}  // namespace cairn::testing
