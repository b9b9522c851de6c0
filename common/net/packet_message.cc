#include "common/net/packet_message.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/slice.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/cord.h"

namespace cairn {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedOutputStream;

constexpr int kPayloadField = v1::WritePacket::kPayloadFieldNumber;
static_assert(kPayloadField == v1::ReadPacket::kPayloadFieldNumber);
constexpr uint32_t kPayloadTag =
    WireFormatLite::MakeTag(kPayloadField, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
// Fields that are not the payload are copied; more of them than this is no packet of ours.
constexpr size_t kMaxFieldBytes = 4 << 20;
// A smaller piece costs less to copy than to count; gRPC keeps the smallest within the slice
// itself.
constexpr size_t kCopyBytes = 128;
constexpr int kVarintBytes = 10;
constexpr int kSizeBytes = 5;

// A payload that pieces under way point into.
class Held {
 public:
  Held(const absl::Cord& payload, int pieces) : payload_(payload), pieces_(pieces) {}
  const absl::Cord& payload() const { return payload_; }
  static void Release(void* held) {
    auto* const self = static_cast<Held*>(held);
    if (self->pieces_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete self;
  }

 private:
  const absl::Cord payload_;
  std::atomic<int> pieces_;
};

// Goes through bytes that lie in several slices.
class SliceReader {
 public:
  explicit SliceReader(const std::vector<grpc::Slice>& slices) : slices_(slices) { SkipEmpty(); }

  bool at_end() const { return slice_ == slices_.size(); }

  // At most `most` bytes: protobuf takes tags and lengths of more than kSizeBytes for errors.
  bool ReadVarint(uint64_t* value, int most = kVarintBytes) {
    *value = 0;
    for (int shift = 0; shift < 7 * most; shift += 7) {
      if (at_end()) return false;
      const uint8_t byte = *(slices_[slice_].begin() + at_);
      Advance(1);
      *value |= shift == 63 ? uint64_t{byte} << 63 : uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  // Appends the next bytes; false when there are fewer.
  bool CopyTo(uint64_t bytes, std::string* out) {
    while (bytes > 0) {
      if (at_end()) return false;
      const size_t piece = std::min<uint64_t>(bytes, slices_[slice_].size() - at_);
      out->append(reinterpret_cast<const char*>(slices_[slice_].begin()) + at_, piece);
      Advance(piece);
      bytes -= piece;
    }
    return true;
  }

  bool ShareWith(uint64_t bytes, absl::Cord* out) {
    while (bytes > 0) {
      if (at_end()) return false;
      const grpc::Slice& slice = slices_[slice_];
      const size_t piece = std::min<uint64_t>(bytes, slice.size() - at_);
      const std::string_view view(reinterpret_cast<const char*>(slice.begin()) + at_, piece);
      if (piece <= kCopyBytes) {
        out->Append(ToAbsl(view));
      } else {
        out->Append(ShareInCord(view, [held = slice] {}));
      }
      Advance(piece);
      bytes -= piece;
    }
    return true;
  }

 private:
  void Advance(size_t bytes) {
    at_ += bytes;
    SkipEmpty();
  }
  void SkipEmpty() {
    while (slice_ < slices_.size() && at_ == slices_[slice_].size()) {
      ++slice_;
      at_ = 0;
    }
  }

  const std::vector<grpc::Slice>& slices_;
  size_t slice_ = 0;
  size_t at_ = 0;
};

void AppendVarint(uint64_t value, std::string* out) {
  uint8_t bytes[10];
  uint8_t* const end = CodedOutputStream::WriteVarint64ToArray(value, bytes);
  out->append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(end - bytes));
}

// Splits a message into its payload and the encoding of all other fields.
bool Split(SliceReader reader, std::string* fields, absl::Cord* payload) {
  while (!reader.at_end()) {
    uint64_t tag = 0;
    if (!reader.ReadVarint(&tag, kSizeBytes) || tag > UINT32_MAX) return false;
    uint64_t length = 0;
    const bool delimited = (tag & 7) == WireFormatLite::WIRETYPE_LENGTH_DELIMITED;
    if (delimited && !reader.ReadVarint(&length, kSizeBytes)) return false;
    if (tag == kPayloadTag) {
      payload->Clear();  // as with any field, the last one counts
      if (!reader.ShareWith(length, payload)) return false;
      continue;
    }
    AppendVarint(tag, fields);
    switch (tag & 7) {
      case WireFormatLite::WIRETYPE_VARINT:
        if (!reader.ReadVarint(&length)) return false;
        AppendVarint(length, fields);
        length = 0;
        break;
      case WireFormatLite::WIRETYPE_FIXED64:
        length = 8;
        break;
      case WireFormatLite::WIRETYPE_FIXED32:
        length = 4;
        break;
      case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
        AppendVarint(length, fields);
        break;
      default:
        return false;  // a group, which no message of ours has
    }
    if (length > kMaxFieldBytes - std::min(kMaxFieldBytes, fields->size())) return false;
    if (!reader.CopyTo(length, fields)) return false;
  }
  return true;
}

}  // namespace

grpc::Status SerializePacket(const google::protobuf::MessageLite& fields, const absl::Cord& payload,
                             grpc::ByteBuffer* out) {
  const size_t field_bytes = fields.ByteSizeLong();
  size_t head_bytes = field_bytes;
  if (!payload.empty()) {
    head_bytes += CodedOutputStream::VarintSize32(kPayloadTag) +
                  CodedOutputStream::VarintSize64(payload.size());
  }
  std::vector<grpc::Slice> slices;
  slices.emplace_back(head_bytes);
  // A slice that was just made has no other user.
  uint8_t* at = const_cast<uint8_t*>(slices.front().begin());
  at = fields.SerializeWithCachedSizesToArray(at);
  if (!payload.empty()) {
    at = CodedOutputStream::WriteTagToArray(kPayloadTag, at);
    CodedOutputStream::WriteVarint64ToArray(payload.size(), at);
    int shared = 0;
    for (const auto piece : payload.Chunks()) shared += piece.size() > kCopyBytes ? 1 : 0;
    Held* const held = shared > 0 ? new Held(payload, shared) : nullptr;
    for (const auto piece : payload.Chunks()) {
      if (piece.size() <= kCopyBytes) {
        slices.emplace_back(piece.data(), piece.size());
      } else {
        slices.emplace_back(const_cast<char*>(piece.data()), piece.size(), &Held::Release, held);
      }
    }
  }
  *out = grpc::ByteBuffer(slices.data(), slices.size());
  return grpc::Status::OK;
}

grpc::Status SerializeShared(const std::shared_ptr<const v1::WritePacket>& packet,
                             grpc::ByteBuffer* out) {
  v1::WritePacket fields;
  if (packet->has_header()) *fields.mutable_header() = packet->header();
  fields.set_seq(packet->seq());
  fields.set_offset(packet->offset());
  fields.set_last(packet->last());
  fields.set_sync(packet->sync());
  *fields.mutable_crcs() = packet->crcs();
  const absl::Cord payload = ShareInCord(packet->payload(), [packet] {});
  return SerializePacket(fields, payload, out);
}

grpc::Status ParsePacket(grpc::ByteBuffer* in, google::protobuf::MessageLite* fields,
                         absl::Cord* payload) {
  std::vector<grpc::Slice> slices;
  payload->Clear();
  grpc::Status dumped = in->Dump(&slices);
  in->Clear();
  if (!dumped.ok()) return dumped;
  std::string encoded;
  if (!Split(SliceReader(slices), &encoded, payload) || !fields->ParseFromString(encoded)) {
    payload->Clear();
    return grpc::Status(grpc::StatusCode::INTERNAL, "a packet that cannot be read");
  }
  return grpc::Status::OK;
}

}  // namespace cairn
