#include "tests/integration/recorded_client.h"

#include <algorithm>
#include <utility>

#include "common/status.h"

namespace cairn::testing {
namespace {

// The status says that the call did nothing.
bool NothingDone(const absl::Status& status) {
  return status.code() == absl::StatusCode::kNotFound ||
         status.code() == absl::StatusCode::kAlreadyExists ||
         status.code() == absl::StatusCode::kInvalidArgument ||
         status.code() == absl::StatusCode::kPermissionDenied ||
         KindOf(status) == ErrorKind::kBeingWritten || KindOf(status) == ErrorKind::kSafeMode ||
         KindOf(status) == ErrorKind::kNotEnoughDataNodes;
}

Refusal RefusalOf(const absl::Status& status) {
  if (status.code() == absl::StatusCode::kNotFound) return Refusal::kNotFound;
  if (status.code() == absl::StatusCode::kAlreadyExists) return Refusal::kExists;
  return Refusal::kOther;
}

}  // namespace

Operation RecordedClient::Make(Action action, const std::string& path) const {
  return {.client = client_, .action = action, .path = path};
}

void RecordedClient::End(Operation& op, const absl::Status& status) {
  op.outcome = status.ok() ? Outcome::kOk : Outcome::kUnknown;
  op.error = std::string(MessageOf(status));
  history_.End(op);
}

void RecordedClient::EndOfChange(Operation& op, const absl::Status& status) {
  if (!NothingDone(status)) return End(op, status);
  op.outcome = Outcome::kRefused;
  op.refusal = RefusalOf(status);
  op.error = std::string(MessageOf(status));
  history_.End(op);
}

void RecordedClient::Mkdir(const std::string& path) {
  Operation op = Make(Action::kMkdir, path);
  history_.Begin(op);
  EndOfChange(op, fs_.Mkdirs(path, /*create_parents=*/false));
}

absl::Status RecordedClient::PublishAll(Operation& op, Consistency consistency, bool* closing) {
  ASSIGN_OR_RETURN(
      const std::unique_ptr<OutputStream> out,
      fs_.Create(op.path,
                 {.overwrite = op.overwrite, .publish = true, .consistency = consistency}));
  absl::Status status = out->Write(PatternBytes(op.version, 0, op.length));
  *closing = status.ok();
  if (status.ok()) status = out->Close();
  return status;
}

void RecordedClient::Publish(const std::string& path, uint64_t length, bool overwrite,
                             Consistency consistency) {
  Operation op = Make(Action::kPublish, path);
  op.version = history_.NewVersion();
  op.length = length;
  op.overwrite = overwrite;
  history_.Begin(op);
  history_.Hand(op.version, 0, length);
  bool closing = false;
  const absl::Status status = PublishAll(op, consistency, &closing);
  const bool exists = status.code() == absl::StatusCode::kAlreadyExists;
  if (status.ok() || (closing && !exists && status.code() != absl::StatusCode::kNotFound)) {
    return End(op, status);
  }
  // Nothing appears under the name before the file is closed. That its temporary is gone says
  // nothing of the name.
  op.outcome = Outcome::kRefused;
  op.refusal = closing && !exists ? Refusal::kOther : RefusalOf(status);
  op.error = std::string(MessageOf(status));
  history_.End(op);
}

void RecordedClient::Truncate(const std::string& path, uint64_t length) {
  Operation op = Make(Action::kTruncate, path);
  op.length = length;
  history_.Begin(op);
  EndOfChange(op, fs_.Truncate(path, length));
}

void RecordedClient::Rename(const std::string& from, const std::string& to) {
  Operation op = Make(Action::kRename, from);
  op.to = to;
  history_.Begin(op);
  EndOfChange(op, fs_.Rename(from, to));
}

void RecordedClient::Delete(const std::string& path, bool recursive) {
  Operation op = Make(Action::kDelete, path);
  op.recursive = recursive;
  history_.Begin(op);
  EndOfChange(op, fs_.Delete(path, recursive));
}

absl::StatusOr<FileStatus> RecordedClient::Stat(const std::string& path) {
  Operation op = Make(Action::kStat, path);
  history_.Begin(op);
  absl::StatusOr<FileStatus> info = fs_.GetFileInfo(path);
  if (info.ok()) {
    op.is_directory = info->is_directory();
    op.length = info->length;
  }
  EndOfChange(op, info.status());
  return info;
}

void RecordedClient::List(const std::string& path) {
  Operation op = Make(Action::kList, path);
  history_.Begin(op);
  const absl::Status status = fs_.ForEachEntry(path, [&](const FileStatus& entry) {
    // What is not published yet is nobody's business.
    if (entry.name.find("._COPYING_.") == std::string::npos) op.names.push_back(entry.name);
    return absl::OkStatus();
  });
  std::sort(op.names.begin(), op.names.end());
  EndOfChange(op, status);
}

absl::Status RecordedClient::Read(const std::string& path, uint64_t offset) {
  Operation op = Make(Action::kRead, path);
  op.length = offset;
  history_.Begin(op);
  const auto in = fs_.Open(path);
  if (!in.ok()) {
    EndOfChange(op, in.status());
    return in.status();
  }
  const uint64_t length = (*in)->length();
  std::string bytes(length - std::min(length, offset), '\0');
  const auto got = (*in)->PRead(offset, {bytes.data(), bytes.size()});
  if (got.ok()) {
    bytes.resize(*got);
    op.pieces = DecodePattern(offset, bytes);
    op.to_end = offset + *got >= length;
    op.length = std::min(length, offset);
  }
  End(op, got.status());
  return got.status();
}

bool RecordedClient::Create(const std::string& path, Consistency consistency) {
  Operation op = Make(Action::kCreate, path);
  op.version = history_.NewVersion();
  history_.Begin(op);
  auto out = fs_.Create(path, {.consistency = consistency});
  EndOfChange(op, out.status());
  if (!out.ok()) return false;
  out_ = *std::move(out);
  path_ = path;
  version_ = op.version;
  base_ = 0;
  created_ = true;
  return true;
}

bool RecordedClient::Append(const std::string& path) {
  Operation op = Make(Action::kAppend, path);
  op.version = history_.NewVersion();
  history_.Begin(op);
  auto out = fs_.Append(path, {});
  if (out.ok()) op.length = (*out)->length();
  EndOfChange(op, out.status());
  if (!out.ok()) return false;
  out_ = *std::move(out);
  path_ = path;
  version_ = op.version;
  base_ = op.length;
  created_ = false;
  return true;
}

void RecordedClient::Write(uint64_t bytes) {
  const uint64_t from = out_->length();
  history_.Hand(version_, base_, from + bytes);
  if (!out_->Write(PatternBytes(version_, from, bytes)).ok()) Abandon();
}

void RecordedClient::Flush(bool sync) {
  Operation op = Make(Action::kFlush, path_);
  op.version = version_;
  op.length = out_->length();
  history_.Begin(op);
  const absl::Status status = sync ? out_->HSync() : out_->HFlush();
  End(op, status);
  if (!status.ok()) Abandon();
}

void RecordedClient::Close() {
  Operation op = Make(Action::kClose, path_);
  op.version = version_;
  op.length = out_->length();
  history_.Begin(op);
  const absl::Status status = out_->Close();
  End(op, status);
  if (status.ok()) {
    out_.reset();
  } else {
    Abandon();
  }
}

// A new file goes, if it is still ours; one that was there stays as it is.
void RecordedClient::Abandon() {
  Operation op = Make(Action::kAbandon, path_);
  op.version = version_;
  if (created_) history_.Begin(op);
  const absl::Status status = out_->Abandon();
  out_.reset();
  if (!created_) return;
  op.error = std::string(MessageOf(status));
  history_.End(op);  // of unknown outcome, whatever it says
}

}  // namespace cairn::testing
