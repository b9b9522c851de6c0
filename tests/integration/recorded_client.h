// A client whose every operation is written down for the checker (tests/support/checker.h).
//
// Why: it decides once, for all tests of random histories, what an error says: that nothing was
// done, or that nobody knows. Contents are patterns that name their write. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "client/file_system.h"
#include "tests/support/history.h"

namespace cairn::testing {

class RecordedClient {
 public:
  // Both must outlive it.
  RecordedClient(FileSystem* fs, History* history, int client)
      : fs_(*fs), history_(*history), client_(client) {}

  void Mkdir(const std::string& path);
  void Publish(const std::string& path, uint64_t length, bool overwrite, Consistency consistency);
  void Truncate(const std::string& path, uint64_t length);
  void Rename(const std::string& from, const std::string& to);
  void Delete(const std::string& path, bool recursive);
  // Gives what it was told, for those who want to act on it.
  absl::StatusOr<FileStatus> Stat(const std::string& path);
  void List(const std::string& path);
  // From `offset` on; the status is for those who must be able to read.
  absl::Status Read(const std::string& path, uint64_t offset = 0);

  // A file that is written in steps; after an error it is abandoned.
  bool Create(const std::string& path, Consistency consistency);
  bool Append(const std::string& path);
  bool writing() const { return out_ != nullptr; }
  void Write(uint64_t bytes);
  void Flush(bool sync);
  void Close();

 private:
  Operation Make(Action action, const std::string& path) const;
  // Ends a recorded operation by what the call returned.
  void End(Operation& op, const absl::Status& status);
  void EndOfChange(Operation& op, const absl::Status& status);
  absl::Status PublishAll(Operation& op, Consistency consistency, bool* closing);
  void Abandon();

  FileSystem& fs_;
  History& history_;
  const int client_;
  std::unique_ptr<OutputStream> out_;
  std::string path_;  // of out_
  Version version_ = 0;
  uint64_t base_ = 0;     // where out_ began
  bool created_ = false;  // by out_
};

}  // namespace cairn::testing
