// What the journal's tests share: a folder that goes away, short journals, and reading them back.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/env.h"
#include "namenode/journal/file_journal.h"
#include "namenode/journal/journal_reader.h"
#include "namenode/journal/journal_recovery.h"
#include "namenode/journal/segment_writer.h"

namespace cairn::namenode {

#define ASSERT_OK(expr)                                   \
  do {                                                    \
    const absl::Status ok_ = (expr);                      \
    ASSERT_TRUE(ok_.ok()) << std::string(MessageOf(ok_)); \
  } while (false)

class TempDir {
 public:
  TempDir() {
    // In memory where that is to be had: these tests sync thousands of times.
    path_ = "/dev/shm/cairn-journal-XXXXXX";
    if (mkdtemp(path_.data()) != nullptr) return;
    path_ = (std::filesystem::temp_directory_path() / "cairn-journal-XXXXXX").string();
    if (mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  // A new folder in it.
  std::string Make(const std::string& name) const {
    std::filesystem::create_directories(path_ + "/" + name);
    return path_ + "/" + name;
  }

 private:
  std::string path_;
};

using Strings = std::vector<std::string>;

inline std::string Text(std::string_view view) { return std::string(view); }

// The content that tests give to a txid.
inline std::string RecordOf(TxId txid) {
  return fmt::format("edit-{}-{}", txid, std::string(txid % 7, 'x'));
}

inline TxId AppendText(Journal& journal, std::string_view text) {
  return journal.Append([text](std::string* out) { out->append(text); });
}

// All records from `from`, in order; a failure is the status.
inline absl::StatusOr<Strings> ReadAll(Env* env, const Strings& dirs, TxId from = 1,
                                       TxId to = JournalReader::kAll) {
  ASSIGN_OR_RETURN(const auto reader, JournalReader::Open(env, dirs, from, to));
  Strings records;
  JournalRecord record;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader->Next(&record));
    if (!more) return records;
    if (record.txid != from + records.size()) return absl::InternalError("wrong txid");
    records.emplace_back(record.bytes);
  }
}

// RecordOf(first) to RecordOf(last).
inline Strings Records(TxId first, TxId last) {
  Strings records;
  for (TxId txid = first; txid <= last; ++txid) records.push_back(RecordOf(txid));
  return records;
}

// The records as a batch holds them.
inline std::string Packed(TxId first, TxId last) {
  std::string out;
  for (TxId txid = first; txid <= last; ++txid) {
    const std::string record = RecordOf(txid);
    const uint32_t size = static_cast<uint32_t>(record.size());
    for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(size >> (8 * i)));
    out += record;
  }
  return out;
}

// A journal in `dir` for one short life: starts above what recovery finds, appends RecordOf up to
// `last`, and stops.
inline void GrowTo(Env* env, const Strings& dirs, TxId last) {
  const absl::StatusOr<TxId> found = RecoverJournal(env, dirs, 1);
  ASSERT_OK(found.status());
  FileJournal journal(env, {.dirs = dirs, .preallocate_bytes = 0});
  ASSERT_OK(journal.Start(*found + 1));
  for (TxId txid = *found + 1; txid <= last; ++txid) {
    ASSERT_EQ(AppendText(journal, RecordOf(txid)), txid);
  }
  journal.Stop();
}

inline void WriteWhole(Env* env, const std::string& path, std::string_view content) {
  const absl::StatusOr<std::unique_ptr<File>> file = env->Open(path, OpenMode::kTruncate);
  ASSERT_OK(file.status());
  ASSERT_OK((*file)->WriteAt(0, content));
}

}  // namespace cairn::namenode
