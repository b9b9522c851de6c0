// Calls that no thread waits for, while their NameNode is killed and started again: what was
// acknowledged is there (P1), and nothing happens twice (P5).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "client/async_namespace.h"
#include "client/file_system.h"
#include "common/mutex.h"
#include "common/status.h"
#include "tests/support/cluster.h"
#include "tests/support/process.h"

namespace cairn::testing {
namespace {

constexpr int kUnderWay = 64;
constexpr int kKills = 3;
constexpr size_t kBetweenKills = 1'000;  // acknowledged, at least

// Creates files /files/0, /files/1, ... until told to end, kUnderWay at a time. Each is created
// once: that it exists already would mean that a call was carried out twice.
class Creator {
 public:
  explicit Creator(AsyncNamespace* names) : names_(names) {}

  void Start() {
    for (int i = 0; i < kUnderWay; ++i) Next();
  }
  size_t acknowledged() const {
    MutexLock lock(mu_);
    return acknowledged_.size();
  }
  bool AwaitAcknowledged(size_t count) {
    return WaitUntil(120'000, [&] { return acknowledged() >= count || failed(); });
  }
  bool failed() const {
    MutexLock lock(mu_);
    return !failures_.empty();
  }
  // Begins no more; true when none is under way.
  bool Finish() {
    ending_ = true;
    return WaitUntil(120'000, [&] {
      MutexLock lock(mu_);
      return under_way_ == 0;
    });
  }
  void Expect(const std::set<std::string>& there) const {
    MutexLock lock(mu_);
    for (const absl::Status& status : failures_) ADD_FAILURE() << status;
    for (size_t i = 0; i < callbacks_.size(); ++i) EXPECT_EQ(callbacks_[i], 1) << i;
    for (const size_t index : acknowledged_) EXPECT_TRUE(there.contains(Path(index))) << index;
    EXPECT_EQ(there.size(), callbacks_.size());
  }

 private:
  static std::string Path(size_t index) { return fmt::format("/files/{}", index); }

  void Next() {
    size_t index = 0;
    {
      MutexLock lock(mu_);
      if (ending_) return;
      index = callbacks_.size();
      callbacks_.push_back(0);
      ++under_way_;
    }
    names_->CreateEmpty(Path(index), {}, [this, index](absl::Status status) {
      {
        MutexLock lock(mu_);
        ++callbacks_[index];
        if (status.ok()) acknowledged_.insert(index);
        if (!status.ok()) failures_.push_back(status);
      }
      Next();
      MutexLock lock(mu_);
      --under_way_;
    });
  }

  AsyncNamespace* const names_;
  std::atomic<bool> ending_{false};
  mutable Mutex mu_;
  int under_way_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<int> callbacks_ ABSL_GUARDED_BY(mu_);
  std::set<size_t> acknowledged_ ABSL_GUARDED_BY(mu_);
  std::vector<absl::Status> failures_ ABSL_GUARDED_BY(mu_);
};

TEST(AsyncClientTest, ANameNodeThatIsKilledLosesAndRepeatsNothing) {
  auto started = Cluster::Start({.datanodes = 0, .namenode_flags = {}, .datanode_flags = {}});
  ASSERT_TRUE(started.ok()) << started.status();
  Cluster& cluster = **started;
  ASSERT_EQ(cluster.Cairn({"mkdir", "/files"}).code, 0);
  const auto names = AsyncNamespace::Connect({.namenodes = {cluster.rpc_address()},
                                              .user = "",
                                              .rack = "",
                                              .host = "",
                                              .timeout_ms = 120'000,
                                              .transfer = {}});
  ASSERT_TRUE(names.ok()) << names.status();
  Creator creator(names->get());
  creator.Start();
  for (int kill = 0; kill < kKills; ++kill) {
    ASSERT_TRUE(creator.AwaitAcknowledged(creator.acknowledged() + kBetweenKills));
    cluster.namenode().Kill();
    const absl::Status status = cluster.namenode().Start();
    ASSERT_TRUE(status.ok()) << status;
  }
  ASSERT_TRUE(creator.AwaitAcknowledged(creator.acknowledged() + kBetweenKills));
  ASSERT_TRUE(creator.Finish());

  std::set<std::string> there;
  std::istringstream listed(cluster.Cairn({"find", "/files", "-type", "f"}).out);
  for (std::string line; std::getline(listed, line);) there.insert(line);
  creator.Expect(there);
}

}  // namespace
}  // namespace cairn::testing
