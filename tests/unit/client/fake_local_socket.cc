#include "tests/unit/client/fake_local_socket.h"

#include <fcntl.h>
#include <poll.h>

#include <fstream>
#include <sstream>
#include <utility>
#include <vector>

#include "common/crc32c.h"
#include "datanode/store/checksum_file.h"

namespace cairn::testing {
namespace {

std::string Content(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

Fd OpenFile(const std::string& path) { return Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC)); }

}  // namespace

FakeLocalSocket::FakeLocalSocket()
    : listener_(*UnixListener::Listen(dir_ / "socket")), thread_([this] { Serve(); }) {}

FakeLocalSocket::~FakeLocalSocket() {
  stopped_ = true;
  thread_.join();
}

std::vector<uint32_t> FakeLocalSocket::CrcsOf(std::string_view bytes) {
  std::vector<uint32_t> crcs;
  for (size_t at = 0; at < bytes.size(); at += kChunkBytes) {
    crcs.push_back(Crc32c(bytes.substr(at, kChunkBytes)));
  }
  return crcs;
}
uint64_t FakeLocalSocket::ChecksumsOffset() { return datanode::kChecksumHeaderBytes; }

void FakeLocalSocket::Put(const Block& block, std::string_view bytes) {
  std::ofstream(DataFile(block.id), std::ios::binary) << bytes;
  std::ofstream(ChecksumFile(block.id), std::ios::binary)
      << datanode::EncodeChecksumFile(block.id, bytes.size(), CrcsOf(bytes));
}

void FakeLocalSocket::Serve() {
  std::vector<Fd> silent;
  while (!stopped_) {
    pollfd entry{listener_.fd(), POLLIN, 0};
    if (poll(&entry, 1, 10) <= 0) continue;
    auto socket = listener_.Accept();
    if (!socket.ok()) continue;
    ++requests_;
    if (mode_ == Mode::kSilent) {
      silent.push_back(*std::move(socket));
    } else if (mode_ != Mode::kHangUp) {
      Answer(*std::move(socket));
    }
  }
}

v1::LocalReadReply FakeLocalSocket::ReplyFor(const v1::LocalReadRequest& request) {
  const std::string bytes = Content(DataFile(request.block().id()));
  v1::LocalReadReply reply;
  reply.set_instance(mode_ == Mode::kOther ? "another" : Instance());
  *reply.mutable_block() = request.block();
  reply.mutable_block()->set_length(bytes.size());
  if (mode_ == Mode::kWrongBlock) reply.mutable_block()->set_id(request.block().id() + 1);
  reply.set_checksum_type(v1::LocalReadReply::CRC32C);
  if (mode_ == Mode::kWrongChecksums) reply.set_checksum_type(v1::LocalReadReply::UNKNOWN);
  reply.set_chunk_bytes(kChunkBytes);
  reply.set_checksums_offset(ChecksumsOffset());
  const std::vector<uint32_t> crcs = CrcsOf(bytes);
  if (!crcs.empty()) reply.set_tail_crc(crcs.back());
  if (mode_ == Mode::kRefuse) reply.set_code(static_cast<int>(absl::StatusCode::kNotFound));
  return reply;
}

void FakeLocalSocket::Answer(Fd socket) {
  const auto message = ReceiveUnix(socket, 16 << 10, 20'000);
  v1::LocalReadRequest request;
  if (!message.ok() || !request.ParseFromString(message->bytes)) return;
  if (request.instance() != Instance()) return;
  std::string answer = ReplyFor(request).SerializeAsString();
  if (mode_ == Mode::kRubbish) answer = "\xff\xff\xff";
  if (mode_ == Mode::kTooLong) answer = std::string(100'000, 'x');
  const BlockId id = request.block().id();
  Fd data = OpenFile(mode_ == Mode::kShortData ? ChecksumFile(id) : DataFile(id));
  Fd checksums = OpenFile(ChecksumFile(id));
  if (mode_ == Mode::kFolders) {
    data = OpenFile(dir_.path());
    checksums = OpenFile(dir_.path());
  }
  std::vector<int> descriptors = {data.get(), checksums.get()};
  if (mode_ == Mode::kOneDescriptor) descriptors.pop_back();
  if (mode_ == Mode::kRefuse) descriptors.clear();
  SendUnix(socket, answer, descriptors).IgnoreError();
}

}  // namespace cairn::testing
