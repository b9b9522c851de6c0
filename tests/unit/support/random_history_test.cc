// Long histories of a file system that is right are found right, in seconds; and one answer
// changed in them is found wrong.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/checker.h"
#include "tests/support/history.h"

namespace cairn::testing {
namespace {

// A file system in memory whose operations happen at one moment each, and clients whose calls
// overlap around these moments. Contents are real bytes: nothing here is of the checker's model.
class World {
 public:
  // `across`: files also move between directories.
  World(uint32_t seed, int clients, int directories, bool across)
      : random_(seed), clients_(clients), directories_(directories), across_(across) {}

  Record Run(size_t operations) {
    for (int i = 0; i < directories_; ++i) {
      const std::string path = fmt::format("/d{}", i);
      files_[path] = std::nullopt;
      Note({.action = Action::kMkdir,
            .path = path,
            .start_us = i,
            .end_us = i,
            .outcome = Outcome::kOk});
    }
    for (size_t client = 0; client < clients_.size(); ++client) Next(client, 1'000);
    while (!moments_.empty() && record_.operations.size() < operations) {
      const Moment moment = moments_.top();
      moments_.pop();
      moment.happen();
    }
    return record_;
  }

 private:
  struct File {
    std::string bytes;
    Version session = 0;
  };
  struct Client {
    std::string path;  // that it writes; empty: none
    Version session = 0;
    uint64_t end = 0;  // of what it handed over
  };
  struct Moment {
    int64_t time = 0;
    std::function<void()> happen;
    bool operator<(const Moment& other) const { return time > other.time; }
  };

  uint64_t Random(uint64_t below) { return random_() % below; }
  std::string AnyPath() { return fmt::format("/d{}/f{}", Random(directories_), Random(4)); }

  size_t Note(Operation op) {
    op.id = record_.operations.size();
    record_.operations.push_back(std::move(op));
    return record_.operations.back().id;
  }

  // What `client` does after `now`.
  void Next(size_t client, int64_t now) {
    Operation op = Choose(clients_[client]);
    op.client = static_cast<int>(client);
    op.start_us = now + 1 + static_cast<int64_t>(Random(30));
    if (op.action == Action::kPublish || op.action == Action::kFlush) {
      record_.writes[op.version].handed.emplace_back(op.start_us, op.length);
    }
    const size_t id = Note(op);
    int64_t moment = op.start_us + static_cast<int64_t>(Random(50));
    const int64_t end = moment + static_cast<int64_t>(Random(50));
    if (Random(40) != 0) {
      moments_.push({moment, [=, this] {
                       Answer(record_.operations[id], Happen(record_.operations[id]));
                       record_.operations[id].end_us = end;
                       Remember(client, record_.operations[id]);
                       Next(client, end);
                     }});
      return;
    }
    // Its outcome will not be known: it happens later, or never.
    clients_[client] = {};
    record_.operations[id].end_us = kNever;
    moment += static_cast<int64_t>(Random(400));
    if (Random(2) == 0) {
      moments_.push({moment, [=, this] {
                       Operation copy = record_.operations[id];
                       Happen(copy);
                     }});
    }
    moments_.push({end, [=, this] { Next(client, end); }});
  }

  Operation Choose(Client& client) {
    if (client.session != 0) {
      const bool close = Random(3) == 0;
      if (!close) client.end += 1 + Random(40);
      return {.action = close ? Action::kClose : Action::kFlush,
              .path = client.path,
              .version = client.session,
              .length = client.end};
    }
    Operation op{.path = AnyPath()};
    switch (Random(9)) {
      case 0:
        op.action = Action::kPublish;
        op.version = ++version_;
        op.length = Random(100);
        op.overwrite = Random(2) == 0;
        break;
      case 1:
        op.action = Action::kCreate;
        op.version = ++version_;
        break;
      case 2:
        op.action = Action::kAppend;
        op.version = ++version_;
        break;
      case 3:
        op.action = Action::kTruncate;
        op.length = Random(60);
        break;
      case 4:
        op.action = Action::kRename;
        op.to = AnyPath();
        if (!across_ || Random(20) != 0) op.to = op.path.substr(0, 3) + op.to.substr(3);
        break;
      case 5:
        op.action = Action::kDelete;
        break;
      case 6:
        op.action = Action::kList;
        op.path = op.path.substr(0, 3);
        break;
      case 7:
        op.action = Action::kStat;
        break;
      default:
        op.action = Action::kRead;
        break;
    }
    return op;
  }

  static void Answer(Operation& op, std::optional<Refusal> refusal) {
    op.outcome = refusal ? Outcome::kRefused : Outcome::kOk;
    op.refusal = refusal.value_or(Refusal::kOther);
  }

  void Remember(size_t client, const Operation& op) {
    const bool opened = op.action == Action::kCreate || op.action == Action::kAppend;
    if (opened && op.outcome == Outcome::kOk) {
      clients_[client] = {op.path, op.version, op.length};
      record_.writes[op.version].base = op.length;
    }
    if (op.action == Action::kClose || op.outcome != Outcome::kOk) clients_[client] = {};
  }

  File* Find(const std::string& path) {
    const auto it = files_.find(path);
    return it == files_.end() || !it->second ? nullptr : &*it->second;
  }

  // Does it, and puts the answer into it; why not, if it is refused.
  std::optional<Refusal> Happen(Operation& op) {
    File* file = Find(op.path);
    switch (op.action) {
      case Action::kPublish:
      case Action::kCreate:
        if (file != nullptr && !op.overwrite) return Refusal::kExists;
        files_[op.path] = File{.bytes = PatternBytes(op.version, 0, op.length)};
        if (op.action == Action::kCreate) files_[op.path]->session = op.version;
        return std::nullopt;
      case Action::kFlush:
      case Action::kClose:
        return Write(op);
      case Action::kList:
        for (const auto& [path, entry] : files_) {
          if (path.starts_with(op.path + "/")) op.names.push_back(path.substr(4));
        }
        return std::nullopt;
      default:
        break;
    }
    if (file == nullptr) return Refusal::kNotFound;
    switch (op.action) {
      case Action::kAppend:
        op.length = file->bytes.size();
        file->session = op.version;  // takes over
        return std::nullopt;
      case Action::kTruncate:
        if (file->session != 0 || op.length > file->bytes.size()) return Refusal::kOther;
        file->bytes.resize(op.length);
        return std::nullopt;
      case Action::kRename:
        if (op.to == op.path) return std::nullopt;
        if (files_.contains(op.to)) return Refusal::kExists;
        files_[op.to] = *file;
        files_.erase(op.path);
        return std::nullopt;
      case Action::kDelete:
        files_.erase(op.path);
        return std::nullopt;
      case Action::kStat:
        op.length = file->bytes.size();
        return std::nullopt;
      case Action::kRead:
        op.pieces = DecodePattern(0, file->bytes);
        op.to_end = true;
        return std::nullopt;
      default:
        return Refusal::kOther;
    }
  }

  std::optional<Refusal> Write(const Operation& op) {
    for (auto& [path, entry] : files_) {
      if (!entry || entry->session != op.version) continue;
      const uint64_t from = entry->bytes.size();
      if (op.length > from) entry->bytes += PatternBytes(op.version, from, op.length - from);
      if (op.action == Action::kClose) entry->session = 0;
      return std::nullopt;
    }
    return Refusal::kOther;
  }

  std::mt19937 random_;
  std::vector<Client> clients_;
  const int directories_;
  const bool across_;
  std::map<std::string, std::optional<File>> files_;  // nullopt: a directory
  std::priority_queue<Moment> moments_;
  Version version_ = 0;
  Record record_;
};

TEST(RandomHistoryTest, RightOnesAreFoundRight) {
  for (uint32_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    const Record record = World(seed, 1 + seed % 8, 1 + seed % 3, true).Run(600);
    const CheckResult result = CheckHistory(record);
    EXPECT_TRUE(result.ok()) << result.ToString();
  }
}

TEST(RandomHistoryTest, LongOnesOfEightClientsToo) {
  const Record record = World(99, 8, 6, false).Run(8'000);
  const CheckResult result = CheckHistory(record);
  EXPECT_TRUE(result.ok()) << result.ToString();
  RecordProperty("states", static_cast<int>(result.states));
}

// Changes the answer of one operation so that it must be wrong; false when there is nothing in it
// to change.
bool Falsify(Operation& op) {
  if (op.outcome != Outcome::kOk) return false;
  switch (op.action) {
    case Action::kRead:
      if (op.pieces.empty() || op.pieces.back().version != 0) return false;
      op.pieces.back().raw.back() ^= 1;  // one bit of the last bytes
      return true;
    case Action::kList:
      op.names.emplace_back("never");
      return true;
    case Action::kStat:
      op.is_directory = true;
      return true;
    case Action::kAppend:
      op.length += 1'000'000;
      return true;
    default:
      return false;
  }
}

TEST(RandomHistoryTest, WrongOnesAreFoundWrong) {
  size_t changed = 0;
  for (uint32_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    Record record = World(seed, 4, 2, true).Run(300);
    for (size_t i = 50 + seed; i < record.operations.size(); i += 37) {
      const Operation right = record.operations[i];
      if (!Falsify(record.operations[i])) continue;
      ++changed;
      const CheckResult result = CheckHistory(record);
      EXPECT_FALSE(result.violations.empty())
          << ToString(right) << " became " << ToString(record.operations[i]);
      record.operations[i] = right;
    }
  }
  EXPECT_GT(changed, 15u);
}

}  // namespace
}  // namespace cairn::testing
