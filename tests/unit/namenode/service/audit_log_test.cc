#include "namenode/service/audit_log.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cairn::namenode {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kWhen = 1'795'831'865'123;

std::string LineOf(const AuditRecord& record, const absl::Status& outcome = absl::OkStatus()) {
  std::string line;
  AppendAuditLine(record, outcome, kWhen, &line);
  return line;
}

std::string SrcOf(const std::string& path) {
  const std::string line = LineOf({{.cmd = "open", .src = path, .dst = {}}, "u", "::1", ""});
  const std::string before = "cmd=open src=";
  const size_t begin = line.find(before) + before.size();
  return line.substr(begin, line.rfind(" dst=null perm=null") - begin);
}

TEST(AuditLogTest, ALineHasHdfssFields) {
  v1::RenameRequest request;
  request.set_from("/a");
  request.set_to("/b");
  const AuditRecord record{DescribeCall(request), "alice", "10.0.0.1", "alice:staff:0644"};
  EXPECT_EQ(LineOf(record),
            "2026-11-28T02:11:05.123Z allowed=true ugi=alice ip=10.0.0.1 cmd=rename src=/a dst=/b "
            "perm=alice:staff:0644");
}

TEST(AuditLogTest, ARefusalSaysWhyAndGivesNoPermissions) {
  v1::DeleteRequest request;
  request.set_path("/a");
  EXPECT_EQ(LineOf({DescribeCall(request), "bob", "10.0.0.2", "alice:staff:0644"},
                   absl::PermissionDeniedError("Permission denied")),
            "2026-11-28T02:11:05.123Z allowed=false ugi=bob ip=10.0.0.2 cmd=delete src=/a dst=null "
            "perm=null error=PERMISSION_DENIED");
}

TEST(AuditLogTest, AWritersCallsNameTheInode) {
  v1::CompleteRequest request;
  request.set_inode(17);
  request.set_publish_as("/a");
  EXPECT_THAT(LineOf({DescribeCall(request), "u", "::1", ""}),
              HasSubstr("cmd=complete src=inode:17 dst=/a "));
  EXPECT_EQ(SrcOf("inode:17"), "\"inode:17\"");
}

TEST(AuditLogTest, NoPathForgesAFieldOrALine) {
  EXPECT_EQ(SrcOf("/plain/name-1.csv"), "/plain/name-1.csv");
  EXPECT_EQ(SrcOf("/a b"), "\"/a b\"");
  EXPECT_EQ(SrcOf("/a dst=/b"), "\"/a dst=/b\"");
  EXPECT_EQ(SrcOf("/k=v"), "\"/k=v\"");
  EXPECT_EQ(SrcOf("/a\n2026 allowed=true"), "\"/a\\n2026 allowed=true\"");
  EXPECT_EQ(SrcOf("/a\r\t\x01\x7f"), "\"/a\\x0d\\t\\x01\\x7f\"");
  EXPECT_EQ(SrcOf("/\"quoted\" \\"), R"("/\"quoted\" \\")");
  EXPECT_EQ(SrcOf("null"), "\"null\"");
}

TEST(AuditLogTest, NamesInOtherScriptsStayReadableAndInvisibleOnesDoNot) {
  EXPECT_EQ(SrcOf("/Größe/日本"), "\"/Größe/日本\"");
  EXPECT_EQ(SrcOf("/\xC2\x85"), "\"/\\xc2\\x85\"");             // a control: next line
  EXPECT_EQ(SrcOf("/\xE2\x80\xA8x"), "\"/\\xe2\\x80\\xa8x\"");  // a line separator
  EXPECT_EQ(SrcOf("/\xE2\x80\xAE"
                  "fdp"),
            "\"/\\xe2\\x80\\xaefdp\"");                         // right to left
  EXPECT_EQ(SrcOf("/\xFFz\xC3\xB6"), "\"/\\xffz\\xc3\\xb6\"");  // not UTF-8
  EXPECT_EQ(SrcOf("/\xF0\x9F\x98\x80"), "\"/\xF0\x9F\x98\x80\"");
}

TEST(AuditLogTest, UsersAreQuotedTooAndLongValuesAreCut) {
  v1::ListRequest request;
  request.set_path("/" + std::string(100'000, 'x'));
  const std::string line = LineOf({DescribeCall(request), "a allowed=true", "", ""});
  EXPECT_THAT(line, HasSubstr("ugi=\"a allowed=true\" ip=null cmd=listStatus"));
  EXPECT_LT(line.size(), 9'000u);
  EXPECT_THAT(line, HasSubstr("xxx\"... dst=null"));
}

TEST(AuditLogTest, PeersAreAddressesWithoutPorts) {
  EXPECT_EQ(PeerIp("ipv4:10.0.0.1:4711"), "10.0.0.1");
  EXPECT_EQ(PeerIp("ipv6:[::1]:4711"), "::1");
  EXPECT_EQ(PeerIp("ipv6:%5Bfe80::1%5D:4711"), "fe80::1");
  EXPECT_EQ(PeerIp("unix:/run/x"), "unix:/run/x");
  EXPECT_EQ(PeerIp("ipv6:"), "");
}

}  // namespace
}  // namespace cairn::namenode
