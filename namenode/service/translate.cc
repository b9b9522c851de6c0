#include "namenode/service/translate.h"

namespace cairn::namenode {

Block FromProto(const v1::Block& block) { return {block.id(), block.generation(), block.length()}; }

std::vector<FinishedBlock> FromProto(
    const google::protobuf::RepeatedPtrField<v1::FinishedBlock>& finished) {
  std::vector<FinishedBlock> blocks;
  blocks.reserve(finished.size());
  for (const v1::FinishedBlock& one : finished) {
    blocks.push_back({FromProto(one.block()), {one.storages().begin(), one.storages().end()}});
  }
  return blocks;
}

Consistency FromProto(v1::Consistency consistency) {
  switch (consistency) {
    case v1::EVENTUAL:
      return Consistency::kEventual;
    case v1::WEAK:
      return Consistency::kWeak;
    default:  // of a later client too: the strongest promise
      return Consistency::kStrong;
  }
}

CreateRequest FromProto(const v1::CreateRequest& request) {
  CreateRequest out;
  out.path = request.path();
  out.mode = request.mode();
  out.replication = request.replication();
  out.block_size = request.block_size();
  out.overwrite = request.overwrite();
  out.unpublished = request.unpublished();
  out.with_block = request.with_block();
  out.consistency = FromProto(request.consistency());
  return out;
}

CompleteRequest FromProto(const v1::CompleteRequest& request) {
  CompleteRequest out;
  out.inode = request.inode();
  out.finished = FromProto(request.finished());
  out.publish_as = request.publish_as();
  out.overwrite = request.overwrite();
  out.mtime_ms = request.mtime_ms();
  out.atime_ms = request.atime_ms();
  if (request.set_mode()) out.mode = request.mode();
  return out;
}

SetQuotaRequest FromProto(const v1::SetQuotaRequest& request) {
  const auto limit = [](const v1::QuotaLimit& proto) {
    return proto.has_limit() ? QuotaLimit(proto.limit()) : std::nullopt;
  };
  SetQuotaRequest out;
  out.path = request.path();
  if (request.has_names()) out.names = limit(request.names());
  if (request.has_space()) out.space = limit(request.space());
  return out;
}

void ToProto(const Block& block, v1::Block* out) {
  out->set_id(block.id);
  out->set_generation(block.generation);
  out->set_length(block.length);
}

void ToProto(const NodeAddress& node, v1::NodeAddress* out) {
  out->set_number(node.number);
  out->set_id(node.id);
  for (const std::string& address : node.addresses) out->add_addresses(address);
  out->set_http_address(node.http_address);
  out->set_rack(node.rack);
}

void ToProto(const LocatedBlock& block, v1::LocatedBlock* out) {
  ToProto(block.block, out->mutable_block());
  out->set_offset(block.offset);
  for (const NodeAddress& node : block.nodes) ToProto(node, out->add_nodes());
  out->set_open(block.open);
  out->set_corrupt(block.corrupt);
}

void ToProto(const FileStatus& status, v1::FileStatus* out) {
  out->set_name(status.name);
  out->set_type(status.type == INodeType::kFile ? v1::FileStatus::FILE : v1::FileStatus::DIRECTORY);
  out->set_length(status.length);
  out->set_replication(status.replication);
  out->set_block_size(status.block_size);
  out->set_owner(status.owner);
  out->set_group(status.group);
  out->set_mode(status.mode);
  out->set_mtime_ms(status.mtime_ms);
  out->set_atime_ms(status.atime_ms);
  out->set_inode(status.inode);
  out->set_blocks(status.blocks);
  out->set_children(status.children);
  out->set_open(status.open);
}

void ToProto(const ContentSummary& summary, v1::GetContentSummaryReply* out) {
  out->set_files(summary.files);
  out->set_directories(summary.directories);
  out->set_length(summary.length);
  out->set_space(summary.space);
  out->set_promised(summary.promised);
  if (summary.quota.names) out->set_name_quota(*summary.quota.names);
  if (summary.quota.space) out->set_space_quota(*summary.quota.space);
}

void ToProto(const AppendedFile& file, v1::AppendReply* out) {
  out->set_inode(file.inode);
  out->set_length(file.length);
  out->set_replication(file.replication);
  out->set_block_size(file.block_size);
  out->set_min_replicas(file.min_replicas);
  if (file.block.has_value()) ToProto(*file.block, out->mutable_block());
}

void ToProto(const CreatedFile& file, v1::CreateReply* out) {
  out->set_inode(file.inode);
  out->set_replication(file.replication);
  out->set_block_size(file.block_size);
  out->set_min_replicas(file.min_replicas);
  if (file.block.has_value()) ToProto(*file.block, out->mutable_block());
}

}  // namespace cairn::namenode
