// What the tests of the scrubber share: a store over files in memory, a clock that they move, and
// the scrubber's metrics.
#pragma once

#include <atomic>
#include <string>

#include "common/clock.h"
#include "common/metrics.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {

class ScanTest : public StoreTest {
 protected:
  // Path of a finalized replica's data. Ids are below 256: all are in one folder.
  static std::string DataOf(BlockId id) {
    return "/d0/current/finalized/subdir0/subdir0/blk_" + std::to_string(id);
  }
  static std::string ChecksumsOf(BlockId id) { return DataOf(id) + "_1.meta"; }
  void PutReplica(BlockId id, size_t length) {
    ASSERT_TRUE(Put(*store_, {id, 1, length}, BytesOf(id, length)).ok());
  }
  double Counted(const std::string& name) {
    return metrics_.AddCounter("cairn_datanode_scan_" + name, "", {{"path", "/d0"}})->Value();
  }
  double Gauged(const std::string& name) {
    return metrics_.AddGauge("cairn_datanode_scan_" + name, "", {{"path", "/d0"}})->Value();
  }

  ManualClock clock_;
  Metrics metrics_;
  std::atomic<bool> stop_ = false;
  std::unique_ptr<ReplicaStore> store_;
};

}  // namespace cairn::datanode
