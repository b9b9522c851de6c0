// DataNodes that have no disks: they register and report what a NamespaceShape says they hold.
//
// Why: what a NameNode needs to take in reports is measured with the real conversation, without
// the replicas. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/status.h"
#include "proto/control.grpc.pb.h"
#include "tests/bench/namespace_maker.h"

namespace cairn::bench {

class FakeDataNodes {
 public:
  FakeDataNodes(const std::string& namenode, NamespaceShape shape);

  absl::Status Register(uint32_t node);
  // One full report of all its replicas, as a DataNode streams it; returns how many.
  absl::StatusOr<uint64_t> FullReport(uint32_t node);
  absl::Status Heartbeat(uint32_t node);

 private:
  void FillStorage(uint32_t node, v1::StorageInfo* storage) const;

  const std::string namenode_;
  const NamespaceShape shape_;
  const std::unique_ptr<v1::DataNodeControl::Stub> stub_;
};

}  // namespace cairn::bench
