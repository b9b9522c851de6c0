// A FakeNameNode with FakeDataNodes, and a FileSystem on them. For tests of one thread; the fakes
// themselves are thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "client/file_system.h"
#include "tests/unit/client/fake_datanode.h"
#include "tests/unit/client/fake_namenode.h"

namespace cairn::testing {

class FakeCluster {
 public:
  explicit FakeCluster(int datanodes);

  ~FakeCluster();
  FakeNameNode& namenode() { return *namenode_; }
  FakeDataNode& datanode(int index) { return *datanodes_[index]; }
  int size() const { return static_cast<int>(datanodes_.size()); }

  // Small packets and short limits; reads are not hedged. The cluster must outlive it.
  static TransferOptions FastTransfer();
  std::unique_ptr<FileSystem> Connect(TransferOptions transfer = FastTransfer());

  // Writes a file in pieces of odd sizes; its bytes must then be on the DataNodes.
  absl::Status Write(FileSystem& fs, const std::string& path, const std::string& bytes,
                     const CreateOptions& options = {});
  // Bytes of the one file, taken from a replica of each of its blocks.
  std::string Stored();

 private:
  std::vector<std::unique_ptr<FakeDataNode>> datanodes_;
  std::unique_ptr<FakeNameNode> namenode_;
};

// `count` bytes that differ from place to place.
std::string Bytes(size_t count);

}  // namespace cairn::testing
