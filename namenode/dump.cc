#include "namenode/dump.h"

#include <cerrno>
#include <cstdio>
#include <memory>
#include <span>
#include <string_view>

#include "namenode/codec/edit_codec.h"
#include "namenode/codec/image.h"
#include "namenode/journal/image_store.h"
#include "namenode/journal/journal_reader.h"

namespace cairn::namenode {
namespace {

// CANCELLED when nobody reads on.
absl::Status WriteFailure() {
  return errno == EPIPE ? absl::CancelledError("stdout is closed") : ErrnoStatus("stdout", errno);
}

}  // namespace

absl::Status PrintJsonLine(std::string_view json) {
  if (std::fwrite(json.data(), 1, json.size(), stdout) == json.size() &&
      std::fputc('\n', stdout) != EOF) {
    return absl::OkStatus();
  }
  return WriteFailure();
}

absl::Status FlushJsonLines() {
  return std::fflush(stdout) == 0 ? absl::OkStatus() : WriteFailure();
}

absl::Status DumpEdits(Env* env, const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<SegmentReader> reader, SegmentReader::Open(env, path));
  JournalRecord record;
  while (true) {
    ASSIGN_OR_RETURN(const bool more, reader->Next(&record));
    if (!more) return FlushJsonLines();
    ASSIGN_OR_RETURN(const EditRecord edit, DecodeEdit(record.bytes));
    RETURN_IF_ERROR(PrintJsonLine(EditToJson(record.txid, edit)));
  }
}

absl::Status DumpImageFile(Env* env, const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, ImageStore::OpenFile(env, path));
  RETURN_IF_ERROR(DumpImage(
      [&](char* buffer, size_t size) { return source->Read(std::span<char>(buffer, size)); },
      PrintJsonLine));
  return FlushJsonLines();
}

}  // namespace cairn::namenode
