#include "namenode/service/audit_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "common/clock.h"
#include "common/line_log.h"
#include "common/strings.h"
#include "common/units.h"

namespace cairn::namenode {
namespace {

constexpr std::string_view kNull = "null";   // what HDFS writes for "none"
constexpr size_t kMaxValueBytes = 8 * 1024;  // longer ones are refused anyway, and cut here

// Bytes that may stand without quotes.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (const char c : std::string_view("_-./:@%+,~#")) plain[static_cast<unsigned char>(c)] = true;
  for (char c = '0'; c <= '9'; ++c) plain[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) plain[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) plain[static_cast<unsigned char>(c)] = true;
  return plain;
}();

bool IsPlain(char c) { return kPlain[static_cast<unsigned char>(c)]; }

// Most lines are of the same second as the one before.
void AppendTime(int64_t wall_ms, std::string* out) {
  thread_local int64_t second = -1;
  thread_local std::string text;  // of that second, up to the point
  if (wall_ms / 1000 != second) {
    second = wall_ms / 1000;
    text = FormatUtc(wall_ms);
    text.resize(text.find('.') + 1);
  }
  out->append(text);
  fmt::format_to(std::back_inserter(*out), "{:03}Z", wall_ms % 1000);
}

// How many bytes from `at` on may stand in quotes as they are: a printable character of ASCII, or
// one of UTF-8 but for controls (U+0080 to U+009F) and general punctuation (U+2000 to U+207F),
// among which are line separators and those that change the direction of writing.
size_t PrintableBytes(std::string_view text, size_t at, bool utf8) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return first >= ' ' && first != 0x7F && first != '"' && first != '\\' ? 1 : 0;
  if (!utf8 || first < 0xC0) return 0;  // 0x80 to 0xBF: what is left of an escaped one
  const size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (first == 0xC2 && byte(at + 1) < 0xA0) return 0;
  if (first == 0xE2 && (byte(at + 1) == 0x80 || byte(at + 1) == 0x81)) return 0;
  return bytes;
}

void AppendQuoted(std::string_view text, std::string* out) {
  const bool utf8 = IsValidUtf8(text);
  out->push_back('"');
  for (size_t at = 0; at < text.size();) {
    if (const size_t bytes = PrintableBytes(text, at, utf8); bytes > 0) {
      out->append(text.substr(at, bytes));
      at += bytes;
      continue;
    }
    const char c = text[at++];
    if (c == '"' || c == '\\') {
      out->push_back('\\');
      out->push_back(c);
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '\t') {
      out->append("\\t");
    } else {
      fmt::format_to(std::back_inserter(*out), "\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  out->push_back('"');
}

// A value that comes from outside: as it is where nothing in it could be taken for something else.
void AppendValue(std::string_view key, std::string_view value, std::string* out) {
  out->push_back(' ');
  out->append(key);
  out->push_back('=');
  if (value.empty()) {
    out->append(kNull);
  } else if (value != kNull && value.size() <= kMaxValueBytes &&
             std::all_of(value.begin(), value.end(), IsPlain)) {
    out->append(value);
  } else {
    AppendQuoted(value.substr(0, kMaxValueBytes), out);
    if (value.size() > kMaxValueBytes) out->append("...");
  }
}

// src and dst: only what begins with a slash stands as it is, so that nobody's path is inode:N.
void AppendPath(std::string_view key, std::string_view path, std::string* out) {
  if (path.empty() || path.front() == '/') return AppendValue(key, path, out);
  out->push_back(' ');
  out->append(key);
  out->push_back('=');
  AppendQuoted(path.substr(0, kMaxValueBytes), out);
}

AuditedCall ByINode(std::string_view cmd, uint64_t inode) {
  return {.cmd = cmd, .src = {}, .dst = {}, .inode = inode};
}

AuditedCall ByPath(std::string_view cmd, const std::string& src, const std::string& dst = {}) {
  return {.cmd = cmd, .src = src, .dst = dst};
}

}  // namespace

AuditedCall DescribeCall(const v1::MkdirsRequest& r) { return ByPath("mkdirs", r.path()); }
AuditedCall DescribeCall(const v1::CreateRequest& r) { return ByPath("create", r.path()); }
AuditedCall DescribeCall(const v1::AddBlockRequest& r) { return ByINode("addBlock", r.inode()); }
AuditedCall DescribeCall(const v1::AbandonBlockRequest& r) {
  return ByINode("abandonBlock", r.inode());
}
AuditedCall DescribeCall(const v1::NewStampRequest& r) { return ByINode("newStamp", r.inode()); }
AuditedCall DescribeCall(const v1::UpdatePipelineRequest& r) {
  return ByINode("updatePipeline", r.inode());
}
AuditedCall DescribeCall(const v1::CompleteRequest& r) {
  AuditedCall call = ByINode("complete", r.inode());
  call.dst = r.publish_as();
  return call;
}
AuditedCall DescribeCall(const v1::AbandonFileRequest& r) {
  return ByINode("abandonFile", r.inode());
}
AuditedCall DescribeCall(const v1::AppendRequest& r) { return ByPath("append", r.path()); }
AuditedCall DescribeCall(const v1::TruncateRequest& r) { return ByPath("truncate", r.path()); }
AuditedCall DescribeCall(const v1::RecoverLeaseRequest& r) {
  return ByPath("recoverLease", r.path());
}
AuditedCall DescribeCall(const v1::RenameRequest& r) { return ByPath("rename", r.from(), r.to()); }
AuditedCall DescribeCall(const v1::DeleteRequest& r) { return ByPath("delete", r.path()); }
AuditedCall DescribeCall(const v1::SetReplicationRequest& r) {
  return ByPath("setReplication", r.path());
}
AuditedCall DescribeCall(const v1::SetTimesRequest& r) { return ByPath("setTimes", r.path()); }
AuditedCall DescribeCall(const v1::SetOwnerRequest& r) { return ByPath("setOwner", r.path()); }
AuditedCall DescribeCall(const v1::SetPermissionRequest& r) {
  return ByPath("setPermission", r.path());
}
AuditedCall DescribeCall(const v1::SetQuotaRequest& r) { return ByPath("setQuota", r.path()); }
AuditedCall DescribeCall(const v1::ConcatRequest& r) {
  return ByPath("concat", fmt::format("{}", fmt::join(r.sources(), ",")), r.target());
}
AuditedCall DescribeCall(const v1::GetFileInfoRequest& r) {
  return ByPath("getfileinfo", r.path());
}
AuditedCall DescribeCall(const v1::ListRequest& r) { return ByPath("listStatus", r.path()); }
AuditedCall DescribeCall(const v1::GetBlockLocationsRequest& r) { return ByPath("open", r.path()); }
AuditedCall DescribeCall(const v1::GetContentSummaryRequest& r) {
  return ByPath("contentSummary", r.path());
}
AuditedCall DescribeCall(const v1::SafeModeRequest& r) {
  switch (r.action()) {
    case v1::SafeModeRequest::ENTER:
      return ByPath("safemode_enter", {});
    case v1::SafeModeRequest::LEAVE:
      return ByPath("safemode_leave", {});
    default:
      return ByPath("safemode_get", {});
  }
}
AuditedCall DescribeCall(const v1::SetAdminStateRequest& r) {
  switch (r.action()) {
    case v1::SetAdminStateRequest::DECOMMISSION:
      return ByPath("decommission", r.node());
    case v1::SetAdminStateRequest::MAINTENANCE:
      return ByPath("maintenance", r.node());
    default:
      return ByPath("recommission", r.node());
  }
}
AuditedCall DescribeCall(const v1::BalanceRequest& r) {
  switch (r.action()) {
    case v1::BalanceRequest::START:
      return ByPath("balance_start", {});
    case v1::BalanceRequest::STOP:
      return ByPath("balance_stop", {});
    default:
      return ByPath("balance_get", {});
  }
}
AuditedCall DescribeCall(const v1::CheckpointRequest&) { return ByPath("checkpoint", {}); }
AuditedCall DescribeCall(const v1::RepairRequest&) { return ByPath("repair", {}); }

std::string PeerIp(std::string_view peer) {
  if (peer.starts_with("ipv4:")) return std::string(peer.substr(5, peer.rfind(':') - 5));
  if (!peer.starts_with("ipv6:")) return std::string(peer);
  peer.remove_prefix(5);
  // "[ADDRESS]:PORT", with the brackets as they are or percent-encoded.
  const bool encoded = peer.starts_with("%5B");
  const size_t begin = encoded ? 3 : 1;
  const size_t end = peer.rfind(encoded ? "%5D" : "]");
  return std::string(end == std::string_view::npos ? peer : peer.substr(begin, end - begin));
}

void AppendAuditLine(const AuditRecord& record, const absl::Status& outcome, int64_t wall_ms,
                     std::string* out) {
  AppendTime(wall_ms, out);
  out->append(outcome.ok() ? " allowed=true" : " allowed=false");
  AppendValue("ugi", record.user, out);
  AppendValue("ip", record.ip, out);
  out->append(" cmd=");
  out->append(record.call.cmd);
  if (record.call.inode != 0) {
    fmt::format_to(std::back_inserter(*out), " src=inode:{}", record.call.inode);
  } else {
    AppendPath("src", record.call.src, out);
  }
  AppendPath("dst", record.call.dst, out);
  AppendValue("perm", outcome.ok() ? record.perm : std::string_view(), out);
  if (!outcome.ok()) AppendValue("error", absl::StatusCodeToString(outcome.code()), out);
}

void AuditLog::Write(const AuditRecord& record, const absl::Status& outcome) {
  thread_local std::string line;
  line.clear();
  AppendAuditLine(record, outcome, clock_->WallMs(), &line);
  (void)lines_->Append(line);  // a line that is dropped is counted there
}

std::string DroppedAuditLine(Clock& clock, uint64_t count) {
  return fmt::format("{} dropped={}", FormatUtc(clock.WallMs()), count);
}

}  // namespace cairn::namenode
