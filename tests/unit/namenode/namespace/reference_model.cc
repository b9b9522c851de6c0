#include "tests/unit/namenode/namespace/reference_model.h"

#include <algorithm>

namespace cairn::namenode {
namespace {

bool IsBelow(const std::string& path, const std::string& top) {
  return path.starts_with(top == "/" ? top : top + "/") && path != top;
}

bool IsMember(const Caller& who, const std::string& group) {
  return std::find(who.groups.begin(), who.groups.end(), group) != who.groups.end();
}

}  // namespace

std::string ParentPath(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

ReferenceModel::ReferenceModel() {
  entries_["/"] = {.dir = true, .owner = "hdfs", .group = "supergroup", .mode = 01777};
}

bool ReferenceModel::May(const Caller& who, const ModelEntry& entry, uint32_t access) const {
  if (who.superuser) return true;
  const int shift = who.user == entry.owner ? 6 : IsMember(who, entry.group) ? 3 : 0;
  return ((entry.mode >> shift) & access) == access;
}

bool ReferenceModel::MayRemove(const Caller& who, const std::string& path) const {
  const ModelEntry& dir = entries_.at(ParentPath(path));
  const bool sticky_allows = (dir.mode & 01000) == 0 || who.superuser || who.user == dir.owner ||
                             who.user == entries_.at(path).owner;
  return May(who, dir, 3) && sticky_allows;
}

ReferenceModel::Walked ReferenceModel::Walk(const Caller& who, const std::string& path) const {
  Walked walked{.last = "/"};
  if (path == "/") return walked;
  walked.missing = static_cast<int>(std::count(path.begin(), path.end(), '/'));
  for (size_t end = path.find('/', 1); walked.missing > 0; end = path.find('/', end + 1)) {
    const ModelEntry& here = entries_.at(walked.last);
    if (!here.dir) return {Code::kFailedPrecondition, walked.last, walked.missing};
    if (!May(who, here, 1)) return {Code::kPermissionDenied, walked.last, walked.missing};
    const std::string next = path.substr(0, end);
    if (!entries_.contains(next)) return walked;
    walked.last = next;
    --walked.missing;
  }
  return walked;
}

ReferenceModel::Code ReferenceModel::Mkdirs(const Caller& who, const std::string& path,
                                            bool parents, uint32_t mode) {
  const Walked walked = Walk(who, path);
  if (walked.code != Code::kOk) return walked.code;
  const ModelEntry last = entries_.at(walked.last);
  if (walked.missing == 0) return last.dir && parents ? Code::kOk : Code::kAlreadyExists;
  if (walked.missing > 1 && !parents) return Code::kNotFound;
  if (!May(who, last, 3)) return Code::kPermissionDenied;
  if (!Fits(walked.last, walked.missing, 0)) return Code::kResourceExhausted;
  uint32_t its_mode = mode;
  for (std::string at = path; at != walked.last; at = ParentPath(at)) {
    entries_[at] = {.dir = true, .owner = who.user, .group = last.group, .mode = its_mode};
    its_mode = mode | 0300;
  }
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::Create(const Caller& who, const std::string& path,
                                            bool overwrite, uint32_t mode, uint32_t replication,
                                            uint64_t promised) {
  const Walked walked = Walk(who, path);
  if (walked.code != Code::kOk) return walked.code;
  const ModelEntry last = entries_.at(walked.last);
  if (walked.missing == 0) {
    if (last.dir) return Code::kFailedPrecondition;
    if (!overwrite) return Code::kAlreadyExists;
    if (!MayRemove(who, path) || !May(who, last, 2)) return Code::kPermissionDenied;
  } else {
    if (walked.missing > 1) return Code::kNotFound;
    if (!May(who, last, 3)) return Code::kPermissionDenied;
  }
  auto space = static_cast<int64_t>(promised * replication);
  if (walked.missing == 0) {
    space -= static_cast<int64_t>((last.length + last.promised) * last.replication);
  }
  if (!Fits(ParentPath(path), walked.missing, space)) return Code::kResourceExhausted;
  entries_[path] = {.owner = who.user,
                    .group = entries_.at(ParentPath(path)).group,
                    .mode = mode,
                    .replication = replication,
                    .open = true,
                    .promised = promised};
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::Publish(const Caller& who, const std::string& from,
                                             const std::string& to, bool overwrite,
                                             uint64_t length) {
  const Walked walked = Walk(who, to);
  if (walked.code != Code::kOk) return walked.code;
  const ModelEntry& last = entries_.at(walked.last);
  if (walked.missing == 0 && to != from) {
    if (last.dir) return Code::kFailedPrecondition;
    if (!overwrite) return Code::kAlreadyExists;
    if (!MayRemove(who, to)) return Code::kPermissionDenied;
  } else if (walked.missing > 0) {
    if (walked.missing > 1) return Code::kNotFound;
    if (!May(who, last, 3)) return Code::kPermissionDenied;
  }
  ModelEntry moved = entries_.at(from);
  auto space = static_cast<int64_t>(length * moved.replication);
  if (walked.missing == 0 && to != from) {
    space -= static_cast<int64_t>((last.length + last.promised) * last.replication);
  }
  if (to != from && !Fits(ParentPath(to), walked.missing, space, from)) {
    return Code::kResourceExhausted;
  }
  moved.open = false;
  moved.length = length;
  moved.promised = 0;
  entries_.erase(from);
  entries_[to] = moved;
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::Rename(const Caller& who, const std::string& from,
                                            const std::string& to) {
  const Walked source = Walk(who, from);
  if (source.code != Code::kOk) return source.code;
  if (source.missing > 0) return Code::kNotFound;
  const Walked target = Walk(who, to);
  if (target.code != Code::kOk) return target.code;
  if (from == "/") return Code::kInvalidArgument;
  if (from == to) return Code::kOk;
  if (target.missing == 0) return Code::kAlreadyExists;
  if (IsBelow(to, from)) return Code::kInvalidArgument;
  if (target.missing > 1) return Code::kNotFound;
  if (!MayRemove(who, from) || !May(who, entries_.at(target.last), 3)) {
    return Code::kPermissionDenied;
  }
  const ModelUsage usage = UsageOf(from);
  if (!Fits(target.last, static_cast<int64_t>(usage.names),
            static_cast<int64_t>(usage.space + usage.promised), from)) {
    return Code::kResourceExhausted;
  }
  Move(from, to);
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::Delete(const Caller& who, const std::string& path,
                                            bool recursive) {
  const Walked walked = Walk(who, path);
  if (walked.code != Code::kOk) return walked.code;
  if (walked.missing > 0) return Code::kNotFound;
  if (path == "/") return Code::kInvalidArgument;
  if (!MayRemove(who, path)) return Code::kPermissionDenied;
  if (!ChildrenOf(path).empty() && !recursive) return Code::kFailedPrecondition;
  for (const auto& [at, entry] : entries_) {
    if (at != path && !IsBelow(at, path)) continue;
    if (entry.dir && !ChildrenOf(at).empty() && !May(who, entry, 7)) {
      return Code::kPermissionDenied;
    }
    if (at != path && !MayRemove(who, at)) return Code::kPermissionDenied;
  }
  Erase(path);
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::SetPermission(const Caller& who, const std::string& path,
                                                   uint32_t mode) {
  const Walked walked = Walk(who, path);
  if (walked.code != Code::kOk) return walked.code;
  if (walked.missing > 0) return Code::kNotFound;
  ModelEntry& entry = entries_.at(path);
  if (!who.superuser && who.user != entry.owner) return Code::kPermissionDenied;
  entry.mode = mode;
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::SetOwner(const Caller& who, const std::string& path,
                                              const std::string& owner, const std::string& group) {
  const Walked walked = Walk(who, path);
  if (walked.code != Code::kOk) return walked.code;
  if (walked.missing > 0) return Code::kNotFound;
  ModelEntry& entry = entries_.at(path);
  if (!who.superuser) {
    if (who.user != entry.owner) return Code::kPermissionDenied;
    if (!owner.empty() && owner != who.user) return Code::kPermissionDenied;
    if (!group.empty() && !IsMember(who, group)) return Code::kPermissionDenied;
  }
  if (!owner.empty()) entry.owner = owner;
  if (!group.empty()) entry.group = group;
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::SetReplication(const Caller& who, const std::string& path,
                                                    uint32_t replication) {
  const Walked walked = Walk(who, path);
  if (walked.code != Code::kOk) return walked.code;
  if (walked.missing > 0) return Code::kNotFound;
  ModelEntry& entry = entries_.at(path);
  if (entry.dir) return Code::kFailedPrecondition;
  if (!May(who, entry, 2)) return Code::kPermissionDenied;
  const uint64_t copy = entry.length + entry.promised;
  const auto space =
      static_cast<int64_t>(copy * replication) - static_cast<int64_t>(copy * entry.replication);
  if (!Fits(ParentPath(path), 0, space)) return Code::kResourceExhausted;
  entry.replication = replication;
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::MayReopen(const Caller& who, const std::string& path) const {
  const Walked walked = Walk(who, path);
  if (walked.code != Code::kOk) return walked.code;
  if (walked.missing > 0) return Code::kNotFound;
  const ModelEntry& entry = entries_.at(path);
  if (entry.dir) return Code::kFailedPrecondition;
  if (!May(who, entry, 2)) return Code::kPermissionDenied;
  if (entry.recovering) return Code::kUnavailable;
  return entry.open ? Code::kFailedPrecondition : Code::kOk;
}

ReferenceModel::Code ReferenceModel::Append(const Caller& who, const std::string& path,
                                            uint64_t block_size) {
  const Code code = MayReopen(who, path);
  if (code != Code::kOk) return code;
  ModelEntry& entry = entries_.at(path);
  const uint64_t short_by = (block_size - entry.length % block_size) % block_size;
  if (!Fits(ParentPath(path), 0, static_cast<int64_t>(short_by * entry.replication))) {
    return Code::kResourceExhausted;
  }
  entry.open = true;
  entry.promised = short_by;
  return code;
}

ReferenceModel::Code ReferenceModel::Truncate(const Caller& who, const std::string& path,
                                              uint64_t length, uint64_t block_size) {
  const Code code = MayReopen(who, path);
  if (code != Code::kOk) return code;
  ModelEntry& entry = entries_.at(path);
  if (length > entry.length) return Code::kInvalidArgument;
  if (length == entry.length) return Code::kOk;
  entry.length = length;
  entry.open = entry.recovering = length % block_size != 0;
  return Code::kOk;
}

ReferenceModel::Code ReferenceModel::CanList(const Caller& who, const std::string& path) const {
  const Walked walked = Walk(who, path);
  if (walked.code != Code::kOk) return walked.code;
  if (walked.missing > 0) return Code::kNotFound;
  const ModelEntry& entry = entries_.at(path);
  return entry.dir && !May(who, entry, 5) ? Code::kPermissionDenied : Code::kOk;
}

std::vector<std::string> ReferenceModel::ChildrenOf(const std::string& path) const {
  std::vector<std::string> names;
  const std::string prefix = path == "/" ? path : path + "/";
  for (auto it = entries_.lower_bound(prefix); it != entries_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    const std::string name = it->first.substr(prefix.size());
    if (!name.empty() && name.find('/') == std::string::npos) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

void ReferenceModel::Move(const std::string& from, const std::string& to) {
  std::map<std::string, ModelEntry> moved;
  for (const auto& [path, entry] : entries_) {
    if (path == from || IsBelow(path, from)) moved[to + path.substr(from.size())] = entry;
  }
  Erase(from);
  entries_.merge(moved);
}

void ReferenceModel::Erase(const std::string& path) {
  std::erase_if(entries_,
                [&](const auto& item) { return item.first == path || IsBelow(item.first, path); });
}

}  // namespace cairn::namenode
