#include "tests/bench/prober.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>

#include "client/bench/statistics.h"
#include "common/net/channel.h"
#include "common/strings.h"
#include "proto/namenode.grpc.pb.h"
#include "tests/bench/in_flight.h"
#include "tests/bench/namespace_maker.h"

namespace cairn::bench {
namespace {

constexpr int64_t kCallMs = 60'000;
constexpr std::chrono::milliseconds kPause{1};

}  // namespace

Prober::Prober(const std::string& namenode, uint64_t files)
    : thread_([this, namenode, files] { Run(namenode, files); }) {}

Prober::~Prober() {
  ended_.store(true);
  if (thread_.joinable()) thread_.join();
}

void Prober::Run(const std::string& namenode, uint64_t files) {
  // A data channel shares its connection with nobody.
  const auto stub = v1::NameNode::NewStub(MakeChannel(namenode, ChannelPurpose::kData));
  v1::GetFileInfoRequest request;
  request.mutable_caller()->set_user("root");
  request.mutable_caller()->set_client_id(RandomBytes16());
  uint64_t file = 0;
  bool connected = false;
  while (!ended_.load()) {
    file = (file + 7'919) % files;  // a prime, so that all directories have their turn
    request.set_path(NamespaceShape::FilePath(file));
    v1::GetFileInfoReply reply;
    grpc::ClientContext context;
    SetupContext(context, kCallMs);
    const auto begin = std::chrono::steady_clock::now();
    const bool ok = stub->GetFileInfo(&context, request, &reply).ok();
    // The first call makes the connection.
    if (connected) waits_us_.push_back(MicrosSince(begin));
    connected = true;
    if (!ok) ++failed_;
    std::this_thread::sleep_for(kPause);
  }
}

Waits Prober::Finish() {
  ended_.store(true);
  thread_.join();
  Waits waits;
  waits.calls = waits_us_.size();
  waits.failed = failed_;
  waits.p50_ms = Percentile(waits_us_, 50) / 1e3;
  waits.p99_ms = Percentile(waits_us_, 99) / 1e3;
  waits.longest_ms = Percentile(waits_us_, 100) / 1e3;
  return waits;
}

}  // namespace cairn::bench
