// Random operations of several users on a namespace and on the reference model at once; each
// outcome is compared. For property tests of namespace/ and codec/.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/namenode/namespace/fs_fixture.h"
#include "tests/unit/namenode/namespace/reference_model.h"

namespace cairn::namenode {

class RandomOps {
 public:
  RandomOps(FsFixture& fs, uint64_t seed);

  void Step();               // one operation
  void CompareEverything();  // every entry, listing and total

 private:
  uint64_t Pick(uint64_t n) { return random_() % n; }
  std::string RandomPath();
  std::string KnownPath();
  void BeginCall();
  void Expect(const char* what, const std::string& path, absl::StatusCode expected,
              const absl::Status& actual);

  void TreeStep(uint64_t kind);
  void AttributeStep(uint64_t kind);
  // Files that are written (random_files.cc).
  void FileStep();
  void CreateStep();
  void AddStep(INodeId inode, const std::string& path);
  void CloseStep(INodeId inode, const std::string& path);
  void PipelineStep(INodeId inode);
  void AbandonStep(INodeId inode, const std::string& path);
  void ReopenStep();  // append, truncate
  void OwnStep(uint64_t kind);
  // Quotas and joined files (random_quota.cc).
  void QuotaStep();
  void ConcatStep();
  void CompareUsage(const std::string& path);
  std::vector<std::string> ClosedFiles() const;
  void AdminStateStep();
  void TakeOverStep();
  void EndLease(INodeId inode, const std::string& path, const Planned& plan);
  void RecoveryStep();
  // A stamp, and the pipeline that has it, for a block that is to be written.
  void Touch(INodeId inode, BlockId block);
  std::vector<BlockId> OpenBlocksOf(INodeId inode) const;
  void CheckBlocks(const std::string& path, INodeId inode);

  FsFixture& fs_;
  ReferenceModel model_;
  std::mt19937_64 random_;
  std::vector<Caller> users_;
  std::map<uint8_t, uint64_t> calls_;  // the last call id of each client
};

}  // namespace cairn::namenode
