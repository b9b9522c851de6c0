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
  void FileStep();
  void CloseStep(INodeId inode, const std::string& path);

  FsFixture& fs_;
  ReferenceModel model_;
  std::mt19937_64 random_;
  std::vector<Caller> users_;
  std::map<uint8_t, uint64_t> calls_;  // the last call id of each client
};

}  // namespace cairn::namenode
