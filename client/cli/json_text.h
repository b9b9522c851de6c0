// The public JSON of the file commands: stat, ls, locations, fsck, admin quota.
//
// Field names are public (docs/operations.md): they may grow, and neither change nor vanish. Bytes
// that are no UTF-8 become U+FFFD. Pure functions, thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "client/types.h"

namespace cairn::cli {

// {"path","type","length","replication","block_size","owner","group","mode","mtime_ms","atime_ms",
// "inode","blocks"}, on one line.
std::string FileStatusJson(std::string_view path, const FileStatus& status);
// {"path","names_used","name_quota","space_used","space_quota","space_promised"}, on one line; a
// quota that is not set is null. What is promised to blocks that are being written is part of what
// is used.
std::string QuotaJson(std::string_view path, const ContentSummary& summary);
// [{"block_id","generation","offset","length","nodes":[{"id","address","rack"}]}], indented.
std::string LocationsJson(const std::vector<LocatedBlock>& blocks);

// Objects of one line each as an array: "[\n  {...},\n  {...}\n]\n", piece by piece.
class JsonArray {
 public:
  // The text to print before `object`, and `object`.
  std::string Add(std::string_view object);
  std::string End() const;

 private:
  bool empty_ = true;
};

}  // namespace cairn::cli
