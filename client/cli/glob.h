// Patterns over names, as sh(1) has them: * ? [abc] [a-z] [!a] and \ before a literal character.
//
// Why in the cluster: the local shell expands what it sees locally; a pattern over paths in the
// cluster, in quotes, is for us (HDFS does the same, and lets * match a leading dot). Pure
// functions, thread-safe. Used by path expansion and find.
#pragma once

#include <string>
#include <string_view>

namespace cairn::cli {

// Whether it holds an unescaped * ? or [.
bool HasGlob(std::string_view pattern);
// Whether `name`, one path component, matches as a whole. Bytes, not characters, except that ?
// takes a whole UTF-8 character.
bool GlobMatch(std::string_view pattern, std::string_view name);
// The pattern with its escapes taken away: the name that it would match literally.
std::string Unescape(std::string_view pattern);

}  // namespace cairn::cli
