// What the audit log tells of an edit beside the call's own words: whose the file is, and its mode.
//
// Pure; called by the namesystem right after a plan, with the state that the plan saw.
#pragma once

#include <string>

#include "namenode/namespace/edit.h"
#include "namenode/namespace/fs_state.h"

namespace cairn::namenode {

// "owner:group:0644" of the inode as the edit leaves it, for the edits that make an inode, move one
// or change its attributes (HDFS gives `perm` for the same); else empty.
std::string PermOf(const FsState& before, const Edit& edit);

}  // namespace cairn::namenode
