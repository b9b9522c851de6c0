// Carries out the operations of `cairn bench metadata`, one at a time, and their bare counterparts.
//
// A round of n operations works below one folder: d<i> for mkdir, and files in folders of a
// hundred, so that a listing is one page of that size. What an index means is the same for every
// caller and process. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "client/bench/echo.h"
#include "client/bench/operations.h"
#include "client/file_system.h"

namespace cairn::bench {

// One operation of a round, for indexes first .. first + count - 1 of `total`.
struct Job {
  Operation operation = Operation::kMkdir;
  bool echo = false;     // a read: ask the echo server instead
  bool renamed = false;  // the round's files have their second names
  std::string dir;       // of the round
  uint64_t first = 0;
  uint64_t count = 0;
  uint64_t total = 0;
};

// What an index of a job means: the operation's path, and where a rename moves it.
struct JobPaths {
  std::string path;
  std::string to;
};
JobPaths PathsOf(const Job& job, uint64_t index);

class MetadataLoad {
 public:
  // Both must outlive it.
  MetadataLoad(FileSystem* fs, EchoClient* echo) : fs_(fs), echo_(echo) {}

  // What a round's operations need before them: a folder for each hundred files, and two others.
  static uint64_t FoldersFor(uint64_t total);
  absl::Status MakeFolder(const std::string& dir, uint64_t number);  // below FoldersFor
  absl::Status Do(const Job& job, uint64_t index);
  // So that no connection is made while something is measured.
  absl::Status Connect();

 private:
  absl::Status Create(const std::string& path);
  absl::Status CreateBlock(const std::string& path);

  FileSystem* const fs_;
  EchoClient* const echo_;
};

}  // namespace cairn::bench
