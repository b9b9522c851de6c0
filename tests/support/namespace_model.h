// A small file system as it should be: what an answer says about the state, and what an operation
// makes of it. The model for Linearizer.
//
// A file is what its writers put there (segments of versions), and perhaps the session of a writer
// that has not closed it. While a session is open the file may grow at any time up to what its
// writer handed over: packets arrive without anybody being told, and a reader may see any part of
// them. What a flush has promised must stay. When the writer is gone, somebody else's append or
// truncation begins at what was left, and ends the session.
// Pure; used by checker.cc.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/support/history.h"
#include "tests/support/linearize.h"

namespace cairn::testing {

// Bytes [begin, end) of a file are those of `version`.
struct Segment {
  Version version = 0;
  uint64_t begin = 0;
  uint64_t end = 0;

  friend bool operator==(const Segment&, const Segment&) = default;
};

struct ModelNode {
  bool directory = false;
  std::vector<Segment> segments;  // of a file, from 0 on without a gap
  Version session = 0;            // of its writer; 0: closed

  uint64_t length() const { return segments.empty() ? 0 : segments.back().end; }
};

struct ModelState {
  std::map<std::string, ModelNode> nodes;  // by path, less "/"
  std::set<Version> orphans;               // sessions whose files are gone
};

class NamespaceModel {
 public:
  using State = ModelState;

  // `operations`: those to be ordered, by the numbers that Linearizer uses. Both must outlive it.
  NamespaceModel(const Record* record, std::vector<const Operation*> operations);

  uint64_t Hash(const State& state) const;
  Step Apply(const State& state, size_t op, State* next) const;
  Places Reads(const State& state, size_t op) const;
  Places Writes(const State& state, size_t op) const;

  const Operation& operation(size_t op) const { return *operations_[op]; }
  // What the state has at the paths of an operation, for messages.
  std::string Describe(const State& state, const Operation& operation) const;

 private:
  Places PlaceOf(const std::string& path) const;
  static Places PlaceOf(Version session);
  Places PlacesBelow(const std::string& directory) const;
  Places PlacesListed(const State& state, const Operation& op) const;
  Places PlacesWritten(const State& state, const Operation& op) const;
  // Changes `state` as the operation does; what Apply gives.
  Step Change(const Operation& op, State& state) const;
  Step Make(const Operation& op, State& state) const;
  Step Append(const Operation& op, State& state) const;
  Step Flush(const Operation& op, State& state) const;
  static Step Abandon(const Operation& op, State& state);
  Step Truncate(const Operation& op, State& state) const;
  Step Rename(const Operation& op, State& state) const;
  Step Delete(const Operation& op, State& state) const;
  Step Read(const Operation& op, State& state) const;
  static bool Fits(const State& state, const Operation& op);  // kStat, kList
  static bool Refused(const State& state, const Operation& op);
  bool Grow(const Operation& op, uint64_t end, ModelNode& file) const;

  const Record& record_;
  const std::vector<const Operation*> operations_;
  std::map<std::string, size_t> places_;  // path -> its bit
};

// Whether the piece's bytes are those that `segments` have there; the piece must not go beyond.
bool SameBytes(const Piece& piece, const std::vector<Segment>& segments);

}  // namespace cairn::testing
