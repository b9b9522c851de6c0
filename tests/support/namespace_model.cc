#include "tests/support/namespace_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace cairn::testing {
namespace {

constexpr size_t kPathPlaces = 128;  // the others are of sessions

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool IsBelow(const std::string& path, const std::string& directory) {
  if (directory == "/") return path != "/";
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

const ModelNode* Find(const ModelState& state, const std::string& path) {
  static const ModelNode kRoot{.directory = true};
  if (path == "/") return &kRoot;
  const auto it = state.nodes.find(path);
  return it == state.nodes.end() ? nullptr : &it->second;
}

ModelNode* FindFile(ModelState& state, const std::string& path) {
  const auto it = state.nodes.find(path);
  return it == state.nodes.end() || it->second.directory ? nullptr : &it->second;
}

bool HasParent(const ModelState& state, const std::string& path) {
  const ModelNode* parent = Find(state, ParentOf(path));
  return parent != nullptr && parent->directory;
}

// All nodes below `directory` follow one another, but others may lie between: "/a-b" sorts before
// "/a/b".
std::vector<std::string> Below(const ModelState& state, const std::string& directory) {
  std::vector<std::string> paths;
  for (const auto& [path, node] : state.nodes) {
    if (IsBelow(path, directory)) paths.push_back(path);
  }
  return paths;
}

void Orphan(const ModelNode& node, ModelState& state) {
  if (node.session != 0) state.orphans.insert(node.session);
}

void Extend(Version version, uint64_t end, ModelNode& file) {
  const uint64_t begin = file.length();
  if (end <= begin) return;
  if (!file.segments.empty() && file.segments.back().version == version) {
    file.segments.back().end = end;
  } else {
    file.segments.push_back({version, begin, end});
  }
}

void Cut(uint64_t length, ModelNode& file) {
  while (!file.segments.empty() && file.segments.back().begin >= length) file.segments.pop_back();
  if (!file.segments.empty()) {
    file.segments.back().end = std::min(file.segments.back().end, length);
  }
}

void Combine(uint64_t& hash, uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  hash ^= hash >> 29;
}

}  // namespace

bool SameBytes(const Piece& piece, const std::vector<Segment>& segments) {
  for (const Segment& segment : segments) {
    const uint64_t begin = std::max(piece.offset, segment.begin);
    const uint64_t end = std::min(piece.end(), segment.end);
    if (begin >= end || (piece.version != 0 && piece.version == segment.version)) continue;
    // Other versions, but it may be so little that the bytes are the same by chance.
    if (piece.version != 0 && end - begin >= 2 * kCellBytes) return false;
    const std::string seen = piece.version == 0
                                 ? piece.raw.substr(begin - piece.offset, end - begin)
                                 : PatternBytes(piece.version, begin, end - begin);
    if (seen != PatternBytes(segment.version, begin, end - begin)) return false;
  }
  return true;
}

NamespaceModel::NamespaceModel(const Record* record, std::vector<const Operation*> operations)
    : record_(*record), operations_(std::move(operations)) {
  for (const Operation* op : operations_) {
    for (const std::string& path : {op->path, op->to}) {
      if (!path.empty()) places_.emplace(path, 0);
    }
  }
  size_t number = 0;
  for (auto& [path, place] : places_) place = number++ % kPathPlaces;
}

Places NamespaceModel::PlaceOf(const std::string& path) const {
  Places places;
  if (const auto it = places_.find(path); it != places_.end()) places.set(it->second);
  return places;
}

Places NamespaceModel::PlaceOf(Version session) {
  Places places;
  if (session != 0) places.set(kPathPlaces + session % (places.size() - kPathPlaces));
  return places;
}

Places NamespaceModel::PlacesBelow(const std::string& directory) const {
  Places places;
  for (const auto& [path, place] : places_) {
    if (IsBelow(path, directory)) places.set(place);
  }
  return places;
}

Places NamespaceModel::Reads(const State& state, size_t op_index) const {
  const Operation& op = *operations_[op_index];
  if (op.action == Action::kList) return PlacesListed(state, op);
  Places places = PlacesWritten(state, op);
  const bool of_session =
      op.action == Action::kFlush || op.action == Action::kClose || op.action == Action::kAbandon;
  if (of_session) return places;
  places |= PlaceOf(op.path) | PlaceOf(ParentOf(op.path));
  if (!op.to.empty()) places |= PlaceOf(op.to) | PlaceOf(ParentOf(op.to));
  return places;
}

Places NamespaceModel::Writes(const State& state, size_t op_index) const {
  const Operation& op = *operations_[op_index];
  const bool reads =
      op.action == Action::kList || op.action == Action::kStat || op.action == Action::kRead;
  return reads || op.outcome == Outcome::kRefused ? Places() : PlacesWritten(state, op);
}

// A session is a place besides the path of its file: whoever ends it writes there.
Places NamespaceModel::PlacesWritten(const State& state, const Operation& op) const {
  const ModelNode* node = Find(state, op.path);
  Places places = PlaceOf(op.path);
  switch (op.action) {
    case Action::kFlush:
    case Action::kClose:
    case Action::kAbandon:
      places = PlaceOf(op.version);
      for (const auto& [path, file] : state.nodes) {
        if (file.session == op.version) places |= PlaceOf(path);
      }
      return places;
    case Action::kRename:
      // What moves along may get paths that only other operations name.
      if ((PlacesBelow(op.path) | PlacesBelow(op.to)).any()) return ~Places();
      return places | PlaceOf(op.to);
    case Action::kDelete:
      if (PlacesBelow(op.path).any()) return ~Places();
      break;
    case Action::kRead:
      return places;
    default:
      places |= PlaceOf(op.version);
      break;
  }
  return node == nullptr ? places : places | PlaceOf(node->session);
}

// One name that should be there and is not, or the other way around, is what a list depends on.
Places NamespaceModel::PlacesListed(const State& state, const Operation& op) const {
  const ModelNode* node = Find(state, op.path);
  if (node == nullptr || op.outcome != Outcome::kOk) return PlaceOf(op.path);
  const std::string prefix = op.path == "/" ? op.path : op.path + "/";
  for (const std::string& name : op.names) {
    if (Find(state, prefix + name) == nullptr) return PlaceOf(op.path) | PlaceOf(prefix + name);
  }
  for (const std::string& path : Below(state, op.path)) {
    const bool child = ParentOf(path) == op.path;
    if (child && !std::binary_search(op.names.begin(), op.names.end(), path.substr(prefix.size())))
      return PlaceOf(op.path) | PlaceOf(path);
  }
  return PlaceOf(op.path) | PlacesBelow(op.path);
}

uint64_t NamespaceModel::Hash(const State& state) const {
  uint64_t hash = state.nodes.size();
  for (const auto& [path, node] : state.nodes) {
    Combine(hash, std::hash<std::string>()(path));
    Combine(hash, node.directory ? 1 : 2 + uint64_t{node.session});
    for (const Segment& segment : node.segments) {
      Combine(hash, segment.version);
      Combine(hash, segment.end);
    }
  }
  for (const Version orphan : state.orphans) Combine(hash, orphan);
  return hash;
}

Step NamespaceModel::Apply(const State& state, size_t op_index, State* next) const {
  const Operation& op = *operations_[op_index];
  if (op.outcome == Outcome::kRefused) {
    return Refused(state, op) ? Step::kSame : Step::kImpossible;
  }
  if (op.action == Action::kStat || op.action == Action::kList) {
    return Fits(state, op) ? Step::kSame : Step::kImpossible;
  }
  *next = state;
  return Change(op, *next);
}

bool NamespaceModel::Refused(const State& state, const Operation& op) {
  const bool made =
      op.action == Action::kMkdir || op.action == Action::kPublish || op.action == Action::kCreate;
  switch (op.refusal) {
    case Refusal::kOther:
      return true;
    case Refusal::kNotFound:
      if (made) return !HasParent(state, op.path);
      if (Find(state, op.path) == nullptr) return true;
      return op.action == Action::kRename && !HasParent(state, op.to);
    case Refusal::kExists:
      return Find(state, op.action == Action::kRename ? op.to : op.path) != nullptr;
  }
  return false;
}

bool NamespaceModel::Fits(const State& state, const Operation& op) {
  const ModelNode* node = Find(state, op.path);
  if (node == nullptr) return false;
  if (op.action == Action::kStat) {
    if (node->directory != op.is_directory) return false;
    // How long a file is that is being written is nobody's business.
    return node->directory || node->session != 0 || node->length() == op.length;
  }
  if (!node->directory) return false;
  std::vector<std::string> names;
  for (const std::string& path : Below(state, op.path)) {
    if (ParentOf(path) == op.path) names.push_back(path.substr(path.rfind('/') + 1));
  }
  std::sort(names.begin(), names.end());
  return names == op.names;
}

Step NamespaceModel::Change(const Operation& op, State& state) const {
  switch (op.action) {
    case Action::kMkdir:
    case Action::kPublish:
    case Action::kCreate:
      return Make(op, state);
    case Action::kAppend:
      return Append(op, state);
    case Action::kFlush:
    case Action::kClose:
      return Flush(op, state);
    case Action::kAbandon:
      return Abandon(op, state);
    case Action::kTruncate:
      return Truncate(op, state);
    case Action::kRename:
      return Rename(op, state);
    case Action::kDelete:
      return Delete(op, state);
    case Action::kRead:
      return Read(op, state);
    case Action::kStat:
    case Action::kList:
      break;
  }
  return Step::kImpossible;
}

Step NamespaceModel::Make(const Operation& op, State& state) const {
  if (!HasParent(state, op.path)) return Step::kImpossible;
  if (const ModelNode* there = Find(state, op.path); there != nullptr) {
    if (there->directory || !op.overwrite) return Step::kImpossible;
    Orphan(*there, state);
  }
  ModelNode node{.directory = op.action == Action::kMkdir};
  if (op.action == Action::kPublish) Extend(op.version, op.length, node);
  if (op.action == Action::kCreate) node.session = op.version;
  state.nodes[op.path] = std::move(node);
  return Step::kChanged;
}

// Lets the file have `end` bytes at least, as its writer's packets may have made it.
bool NamespaceModel::Grow(const Operation& op, uint64_t end, ModelNode& file) const {
  if (end <= file.length()) return true;
  if (file.session == 0) return false;
  const auto written = record_.writes.find(file.session);
  if (written == record_.writes.end() || written->second.EndBefore(op.end_us) < end) return false;
  Extend(file.session, end, file);
  return true;
}

Step NamespaceModel::Append(const Operation& op, State& state) const {
  ModelNode* file = FindFile(state, op.path);
  if (file == nullptr || op.length < file->length()) return Step::kImpossible;
  if (!Grow(op, op.length, *file)) return Step::kImpossible;
  file->session = op.version;
  return Step::kChanged;
}

Step NamespaceModel::Flush(const Operation& op, State& state) const {
  const bool close = op.action == Action::kClose;
  // The DataNodes of a removed file may take some more.
  if (state.orphans.contains(op.version)) return close ? Step::kImpossible : Step::kSame;
  for (auto& [path, node] : state.nodes) {
    if (node.session != op.version) continue;
    const uint64_t before = node.length();
    Extend(op.version, op.length, node);
    if (!close) return node.length() == before ? Step::kSame : Step::kChanged;
    if (node.length() != op.length) return Step::kImpossible;
    node.session = 0;
    return Step::kChanged;
  }
  return Step::kImpossible;  // it is not the writer (any more)
}

Step NamespaceModel::Abandon(const Operation& op, State& state) {
  for (const auto& [path, node] : state.nodes) {
    if (node.session != op.version) continue;
    state.nodes.erase(path);
    return Step::kChanged;
  }
  return Step::kImpossible;
}

Step NamespaceModel::Truncate(const Operation& op, State& state) const {
  ModelNode* file = FindFile(state, op.path);
  if (file == nullptr) return Step::kImpossible;
  const uint64_t before = file->length();
  if (!Grow(op, op.length, *file)) return Step::kImpossible;
  if (file->session == 0 && before == op.length) return Step::kSame;
  Cut(op.length, *file);
  file->session = 0;
  return Step::kChanged;
}

Step NamespaceModel::Rename(const Operation& op, State& state) const {
  if (Find(state, op.path) == nullptr || op.path == "/") return Step::kImpossible;
  if (op.path == op.to) return Step::kSame;  // as rename(2)
  if (Find(state, op.to) != nullptr || !HasParent(state, op.to)) return Step::kImpossible;
  if (IsBelow(op.to, op.path)) return Step::kImpossible;
  std::vector<std::string> moved = Below(state, op.path);
  moved.push_back(op.path);
  for (const std::string& path : moved) {
    auto node = state.nodes.extract(path);
    node.key() = op.to + path.substr(op.path.size());
    state.nodes.insert(std::move(node));
  }
  return Step::kChanged;
}

Step NamespaceModel::Delete(const Operation& op, State& state) const {
  const ModelNode* node = Find(state, op.path);
  if (node == nullptr || op.path == "/") return Step::kImpossible;
  std::vector<std::string> gone = Below(state, op.path);
  if (!gone.empty() && !op.recursive) return Step::kImpossible;
  gone.push_back(op.path);
  for (const std::string& path : gone) {
    Orphan(state.nodes.at(path), state);
    state.nodes.erase(path);
  }
  return Step::kChanged;
}

// What was not flushed may be seen, and not be seen by the next one: the nodes that have it may be
// down then. So a read changes nothing.
Step NamespaceModel::Read(const Operation& op, State& state) const {
  const ModelNode* file = FindFile(state, op.path);
  if (file == nullptr) return Step::kImpossible;
  ModelNode seen = *file;
  const uint64_t end = op.pieces.empty() ? op.length : op.pieces.back().end();
  if (op.to_end && end < seen.length()) return Step::kImpossible;
  if (!Grow(op, end, seen)) return Step::kImpossible;
  for (const Piece& piece : op.pieces) {
    if (!SameBytes(piece, seen.segments)) return Step::kImpossible;
  }
  return Step::kSame;
}

std::string NamespaceModel::Describe(const State& state, const Operation& op) const {
  std::string text;
  for (const std::string& path : {op.path, op.to}) {
    if (path.empty()) continue;
    if (!text.empty()) text += "; ";
    const ModelNode* node = Find(state, path);
    if (node == nullptr) {
      text += path + " is not there";
    } else if (node->directory) {
      text += fmt::format("{} is a directory of {}", path, fmt::join(Below(state, path), " "));
    } else {
      text += fmt::format("{} has {} bytes", path, node->length());
      for (const Segment& segment : node->segments) {
        text += fmt::format(" [{}, {}) of v{}", segment.begin, segment.end, segment.version);
      }
      if (node->session != 0) text += fmt::format(", v{} writes it", node->session);
    }
  }
  return text;
}

}  // namespace cairn::testing
