#include "client/cli/tree.h"

#include <string>
#include <utility>

namespace cairn::cli {
namespace {

absl::Status Walk(Context& context, const ClusterPath& path, const FileStatus& status, int depth,
                  const TreeVisitor& visitor) {
  RETURN_IF_ERROR(context.Continue());
  const bool descend = visitor.enter(path, status, depth);
  if (!descend || !status.is_directory()) return absl::OkStatus();
  std::string last;
  for (bool more = true; more;) {
    absl::StatusOr<ListPage> page = path.fs->List(path.path, last);
    if (!page.ok()) {
      context.Fail(path.shown, page.status());
      break;
    }
    for (const FileStatus& entry : page->entries) {
      RETURN_IF_ERROR(Walk(context, path.Child(entry.name), entry, depth + 1, visitor));
    }
    more = page->has_more && !page->entries.empty();
    if (more) last = page->entries.back().name;
  }
  RETURN_IF_ERROR(context.Continue());
  if (visitor.leave) visitor.leave(path, status);
  return absl::OkStatus();
}

}  // namespace

absl::Status WalkTree(Context& context, const ClusterPath& root, const TreeVisitor& visitor) {
  absl::StatusOr<FileStatus> status = root.fs->GetFileInfo(root.path);
  if (!status.ok()) {
    context.Fail(root.shown, status.status());
    return context.Continue();
  }
  return Walk(context, root, *status, 0, visitor);
}

}  // namespace cairn::cli
