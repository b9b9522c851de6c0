// A file system as a map from paths to entries: slow, plain, and written from the rules alone, to
// compare the namespace with. Paths are normalized. Every operation returns the code that the
// plan must give, and changes the model when it is OK.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "namenode/namespace/quota.h"
#include "namenode/namespace/types.h"

namespace cairn::namenode {

struct ModelEntry {
  bool dir = false;
  std::string owner;
  std::string group;
  uint32_t mode = 0;
  uint64_t length = 0;
  uint32_t replication = 0;
  bool open = false;
  bool recovering = false;  // open, and the NameNode holds it
  uint64_t promised = 0;    // by how much its open blocks may still grow
  Quota quota;              // of a directory
};

struct ModelUsage {
  uint64_t names = 0;
  uint64_t files = 0;
  uint64_t length = 0;
  uint64_t space = 0;
  uint64_t promised = 0;  // times replication
};

class ReferenceModel {
 public:
  ReferenceModel();

  using Code = absl::StatusCode;
  Code Mkdirs(const Caller& who, const std::string& path, bool parents, uint32_t mode);
  Code Create(const Caller& who, const std::string& path, bool overwrite, uint32_t mode,
              uint32_t replication, uint64_t promised);
  // Closed with `length` bytes.
  Code Publish(const Caller& who, const std::string& from, const std::string& to, bool overwrite,
               uint64_t length);
  Code AddBlock(const std::string& path, uint64_t block_size);
  Code Rename(const Caller& who, const std::string& from, const std::string& to);
  Code Delete(const Caller& who, const std::string& path, bool recursive);
  Code SetPermission(const Caller& who, const std::string& path, uint32_t mode);
  Code SetOwner(const Caller& who, const std::string& path, const std::string& owner,
                const std::string& group);
  Code SetReplication(const Caller& who, const std::string& path, uint32_t replication);
  Code Append(const Caller& who, const std::string& path, uint64_t block_size);
  // Whole blocks of `block_size` are cut at once; a part of one leaves the file in recovery.
  Code Truncate(const Caller& who, const std::string& path, uint64_t length, uint64_t block_size);
  Code SetQuota(const Caller& who, const std::string& path, const Quota& quota);
  Code Concat(const Caller& who, const std::string& target, const std::vector<std::string>& sources,
              uint64_t block_size);
  Code CanList(const Caller& who, const std::string& path) const;

  const std::map<std::string, ModelEntry>& entries() const { return entries_; }
  ModelEntry& at(const std::string& path) { return entries_.at(path); }
  ModelUsage UsageOf(const std::string& path) const;
  std::vector<std::string> ChildrenOf(const std::string& path) const;  // names, sorted

 private:
  // How far a path exists: the code of the walk, the deepest entry, the names behind it.
  struct Walked {
    Code code = Code::kOk;
    std::string last;
    int missing = 0;
  };
  Walked Walk(const Caller& who, const std::string& path) const;
  Code MayReopen(const Caller& who, const std::string& path) const;
  bool May(const Caller& who, const ModelEntry& entry, uint32_t access) const;
  // So much more in `dir` keeps within every quota up to the root; with `from`, up to what holds
  // `from` too.
  bool Fits(const std::string& dir, int64_t names, int64_t space,
            const std::string& from = "") const;
  bool MayRemove(const Caller& who, const std::string& path) const;
  void Move(const std::string& from, const std::string& to);
  void Erase(const std::string& path);

  std::map<std::string, ModelEntry> entries_;
};

std::string ParentPath(const std::string& path);

}  // namespace cairn::namenode
