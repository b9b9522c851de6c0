// The wire's messages and the NameNode's own types, one into the other. Pure functions; no
// decisions here.
#pragma once

#include "namenode/namesystem/client_operations.h"
#include "proto/namenode.pb.h"
#include "proto/types.pb.h"

namespace cairn::namenode {

Block FromProto(const v1::Block& block);
std::vector<FinishedBlock> FromProto(
    const google::protobuf::RepeatedPtrField<v1::FinishedBlock>& finished);
Consistency FromProto(v1::Consistency consistency);
CreateRequest FromProto(const v1::CreateRequest& request);
CompleteRequest FromProto(const v1::CompleteRequest& request);
SetQuotaRequest FromProto(const v1::SetQuotaRequest& request);

void ToProto(const Block& block, v1::Block* out);
void ToProto(const NodeAddress& node, v1::NodeAddress* out);
void ToProto(const LocatedBlock& block, v1::LocatedBlock* out);
void ToProto(const FileStatus& status, v1::FileStatus* out);
void ToProto(const ContentSummary& summary, v1::GetContentSummaryReply* out);
void ToProto(const CreatedFile& file, v1::CreateReply* out);
void ToProto(const AppendedFile& file, v1::AppendReply* out);

}  // namespace cairn::namenode
