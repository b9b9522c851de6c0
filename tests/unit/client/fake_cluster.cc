#include "tests/unit/client/fake_cluster.h"

#include <algorithm>
#include <random>

#include "common/status.h"

namespace cairn::testing {

FakeCluster::FakeCluster(int datanodes) {
  std::vector<FakeDataNode*> nodes;
  for (int i = 0; i < datanodes; ++i) {
    datanodes_.push_back(std::make_unique<FakeDataNode>(static_cast<NodeNumber>(i + 1)));
    nodes.push_back(datanodes_.back().get());
  }
  for (FakeDataNode* node : nodes) node->SetPeers(nodes);
  namenode_ = std::make_unique<FakeNameNode>(nodes);
}

// What one is at may need the others.
FakeCluster::~FakeCluster() {
  for (const auto& node : datanodes_) node->Stop();
}

TransferOptions FakeCluster::FastTransfer() {
  return {.packet_bytes = 16 << 10,
          .window_packets = 4,
          .stall_ms = 20'000,
          .max_progress_ms = 20'000,
          .missing_ms = 200,
          .connect_ms = 5'000,
          .retry_pause_ms = 10,
          .hedge_share = 0};
}

std::unique_ptr<FileSystem> FakeCluster::Connect(TransferOptions transfer) {
  auto fs = FileSystem::Connect({.namenodes = {namenode_->address()},
                                 .user = "ann",
                                 .rack = "",
                                 .host = "here",
                                 .transfer = transfer});
  if (!fs.ok()) std::abort();
  return *std::move(fs);
}

absl::Status FakeCluster::Write(FileSystem& fs, const std::string& path, const std::string& bytes,
                                const CreateOptions& options) {
  ASSIGN_OR_RETURN(const std::unique_ptr<OutputStream> out, fs.Create(path, options));
  std::string_view left = bytes;
  for (size_t piece = 1; !left.empty(); piece = piece * 3 + 1) {
    const std::string_view now = left.substr(0, piece % 100'000);
    RETURN_IF_ERROR(out->Write(now));
    left.remove_prefix(now.size());
  }
  return out->Close();
}

std::string FakeCluster::Stored() {
  std::string bytes;
  for (const v1::FinishedBlock& block : namenode_->file().blocks) {
    for (const auto& node : datanodes_) {
      const auto& storages = block.storages();
      if (std::count(storages.begin(), storages.end(), node->storage()) == 0) continue;
      bytes += node->Replica(block.block().id());
      break;
    }
  }
  return bytes;
}

std::string Bytes(size_t count) {
  std::mt19937 random(static_cast<uint32_t>(count));
  std::string bytes(count, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

}  // namespace cairn::testing
