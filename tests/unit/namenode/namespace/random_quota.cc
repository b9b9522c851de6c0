// The part of the random operations that is about quotas and joined files.
#include "tests/unit/namenode/namespace/random_ops.h"

namespace cairn::namenode {

void RandomOps::QuotaStep() {
  // Rather a directory, rather by somebody who may, and more often without a limit than with one.
  std::string path = KnownPath();
  if (Pick(4) != 0 && !model_.at(path).dir) path = ParentPath(path);
  if (Pick(4) != 0) fs_.caller = FsFixture::Superuser();
  Quota quota;
  if (Pick(4) == 0) quota.names = 1 + Pick(20);
  if (Pick(4) == 0) quota.space = Pick(30) * 4096;
  Expect("quota", path, model_.SetQuota(fs_.caller, path, quota), fs_.SetQuota(path, quota));
}

std::vector<std::string> RandomOps::ClosedFiles() const {
  std::vector<std::string> files;
  for (const auto& [path, entry] : model_.entries()) {
    if (!entry.dir && !entry.open) files.push_back(path);
  }
  return files;
}

void RandomOps::ConcatStep() {
  if (Pick(2) == 0) fs_.caller = FsFixture::Superuser();
  // Rather what can be joined; anything at all now and then.
  std::vector<std::string> targets;
  std::vector<std::string> rest;
  for (const std::string& path : ClosedFiles()) {
    if (model_.at(path).length % 4096 == 0) targets.push_back(path);
  }
  const std::string target =
      targets.empty() || Pick(8) == 0 ? KnownPath() : targets[Pick(targets.size())];
  std::vector<std::string> sources;
  for (const std::string& path : ClosedFiles()) {
    const ModelEntry& entry = model_.at(path);
    if (path == target || ParentPath(path) != ParentPath(target) || entry.length == 0) continue;
    if (entry.length % 4096 == 0 ? Pick(2) == 0 : rest.empty()) {
      (entry.length % 4096 == 0 ? sources : rest).push_back(path);
    }
  }
  sources.insert(sources.end(), rest.begin(), rest.end());
  if (sources.empty() || Pick(10) == 0) sources.push_back(KnownPath());
  Expect("concat", target + " " + testing::PrintToString(sources),
         model_.Concat(fs_.caller, target, sources, 4096), fs_.Concat(target, sources));
}

void RandomOps::CompareUsage(const std::string& path) {
  const auto summary = ReadContentSummary(fs_.state, FsFixture::Superuser(), path, fs_.facts);
  ASSERT_TRUE(summary.value.ok()) << path;
  const ModelUsage usage = model_.UsageOf(path);
  EXPECT_EQ(summary.value->files, usage.files) << path;
  EXPECT_EQ(summary.value->files + summary.value->directories, usage.names) << path;
  EXPECT_EQ(summary.value->length, usage.length) << path;
  EXPECT_EQ(summary.value->space, usage.space) << path;
  EXPECT_EQ(summary.value->promised, usage.promised) << path;
  EXPECT_EQ(summary.value->quota, model_.at(path).quota) << path;
}

}  // namespace cairn::namenode
