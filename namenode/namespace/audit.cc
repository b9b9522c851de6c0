#include "namenode/namespace/audit.h"

#include <fmt/format.h>

#include <string_view>
#include <variant>

namespace cairn::namenode {
namespace {

struct Perm {
  std::string_view owner;
  std::string_view group;
  uint32_t mode = 0;
};

std::string ToText(const Perm& perm) {
  return fmt::format("{}:{}:{:04o}", perm.owner, perm.group, perm.mode);
}

Perm PermNow(const FsState& state, INodeId id) {
  const INode* inode = state.FindINode(id);
  if (inode == nullptr) return {};
  return {state.PrincipalName(inode->owner()), state.PrincipalName(inode->group()), inode->mode()};
}

// One overload for each kind of edit that is told of.
struct Teller {
  const FsState& state;

  std::string operator()(const MkdirsEdit& edit) const {
    return ToText({edit.owner, edit.group, edit.mode});
  }
  std::string operator()(const CreateEdit& edit) const {
    return ToText({edit.owner, edit.group, edit.mode});
  }
  std::string operator()(const RenameEdit& edit) const {
    return ToText(PermNow(state, edit.inode));
  }
  std::string operator()(const SetTimesEdit& edit) const {
    return ToText(PermNow(state, edit.inode));
  }
  std::string operator()(const SetOwnerEdit& edit) const {
    Perm perm = PermNow(state, edit.inode);
    if (!edit.owner.empty()) perm.owner = edit.owner;
    if (!edit.group.empty()) perm.group = edit.group;
    return ToText(perm);
  }
  std::string operator()(const SetPermissionEdit& edit) const {
    Perm perm = PermNow(state, edit.inode);
    perm.mode = edit.mode;
    return ToText(perm);
  }
  template <typename T>
  std::string operator()(const T&) const {
    return {};
  }
};

}  // namespace

std::string PermOf(const FsState& before, const Edit& edit) {
  return std::visit(Teller{before}, edit);
}

}  // namespace cairn::namenode
