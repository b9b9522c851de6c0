// Between the wire's messages and the library's structs. Pure functions, thread-safe; for this
// room alone.
#pragma once

#include "client/admin_client.h"
#include "client/types.h"
#include "common/consistency.h"
#include "proto/types.pb.h"

namespace cairn {

namespace v1 {
class BalanceReply;
class FileStatus;
class GetContentSummaryReply;
class GetServerDefaultsReply;
class HealthReply;
class ReportReply;
}  // namespace v1

FileStatus FromProto(const v1::FileStatus& in);
NodeAddress FromProto(const v1::NodeAddress& in);
LocatedBlock FromProto(const v1::LocatedBlock& in);
ContentSummary FromProto(const v1::GetContentSummaryReply& in);
ServerDefaults FromProto(const v1::GetServerDefaultsReply& in);
AdminReport FromProto(const v1::ReportReply& in);
HealthReport FromProto(const v1::HealthReply& in);
BalanceStatus FromProto(const v1::BalanceReply& in);
v1::Consistency ToProto(Consistency consistency);

}  // namespace cairn
