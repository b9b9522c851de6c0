// Replicas in real files, and a client that asks for them over the socket.
#include "datanode/service/local_reads.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/env.h"
#include "common/metrics.h"
#include "datanode/pipeline/open_transfers.h"
#include "datanode/service/convert.h"
#include "datanode/store/checksum_file.h"
#include "tests/unit/common/temp_dir.h"
#include "tests/unit/datanode/service/test_node.h"
#include "tests/unit/datanode/store/store_fixture.h"

namespace cairn::datanode {
namespace {

constexpr int64_t kPatienceMs = 60'000;
constexpr size_t kSize = 3 * kChunkBytes + 1'234;

class LocalReadsTest : public testing::Test {
 protected:
  LocalReadsTest() {
    ReplicaStore::Options options;
    options.data_dirs = {dir_ / "d0"};
    options.reserved_bytes = 0;
    store_ = *ReplicaStore::Open(env_.get(), options);
    EXPECT_EQ(store_->AdoptCluster(kCluster), absl::OkStatus());
    Start({});
    EXPECT_EQ(Put(*store_, kBlock, bytes_), absl::OkStatus());
  }

  void Start(LocalReads::Options options) {
    server_.reset();
    options.path = dir_ / "socket";
    auto started = LocalReads::Start(options, store_.get(), &transfers_, &metrics_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  struct Reply {
    v1::LocalReadReply message;
    std::vector<Fd> descriptors;
  };
  absl::StatusOr<Reply> AskWith(const std::string& request) {
    ASSIGN_OR_RETURN(const Fd socket, ConnectUnix(server_->path()));
    RETURN_IF_ERROR(SendUnix(socket, request, {}));
    ASSIGN_OR_RETURN(UnixMessage message, ReceiveUnix(socket, 64 << 10, kPatienceMs));
    Reply reply{.descriptors = std::move(message.descriptors)};
    if (!reply.message.ParseFromString(message.bytes)) return absl::InternalError("no reply");
    return reply;
  }
  std::string RequestFor(const Block& block) {
    v1::LocalReadRequest request;
    request.set_instance(server_->instance());
    ToProto(block, request.mutable_block());
    request.set_client("test");
    return request.SerializeAsString();
  }
  Reply Ask(const Block& block) {
    auto reply = AskWith(RequestFor(block));
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *std::move(reply) : Reply{};
  }
  void ExpectRefused(const Block& block, absl::StatusCode code, ErrorKind kind = ErrorKind::kNone) {
    const Reply reply = Ask(block);
    EXPECT_EQ(reply.message.code(), static_cast<int>(code)) << reply.message.message();
    EXPECT_EQ(reply.message.kind(), static_cast<int>(kind)) << reply.message.message();
    EXPECT_EQ(reply.message.instance(), server_->instance());
    EXPECT_TRUE(reply.descriptors.empty());
  }
  // The replica has these bytes, and each of its chunks the CRC that the reply leads to.
  void ExpectHolds(const Reply& reply, const std::string& bytes) {
    ASSERT_EQ(reply.message.code(), 0) << reply.message.message();
    ASSERT_EQ(reply.descriptors.size(), 2u);
    ASSERT_EQ(reply.message.block().length(), bytes.size());
    std::string read(bytes.size(), '\0');
    ASSERT_EQ(pread(reply.descriptors[0].get(), read.data(), read.size(), 0),
              static_cast<ssize_t>(read.size()));
    EXPECT_TRUE(read == bytes);
    const size_t whole = bytes.size() / kChunkBytes;
    std::string raw(4 * whole, '\0');
    ASSERT_EQ(pread(reply.descriptors[1].get(), raw.data(), raw.size(),
                    static_cast<off_t>(reply.message.checksums_offset())),
              static_cast<ssize_t>(raw.size()));
    std::vector<uint32_t> crcs;
    DecodeChecksums(raw, &crcs);
    if (bytes.size() % kChunkBytes != 0) crcs.push_back(reply.message.tail_crc());
    EXPECT_EQ(crcs, CrcsOf(bytes));
  }
  double Counted(const std::string& what) {
    return metrics_.AddCounter("cairn_datanode_local_reads_" + what + "_total", "")->Value();
  }

  static constexpr Block kBlock{7, 3, kSize};
  const std::string bytes_ = BytesOf(7, kSize);
  TempDir dir_;
  const std::unique_ptr<Env> env_ = NewPosixEnv();
  Metrics metrics_;
  OpenTransfers transfers_{{}, &metrics_};
  std::unique_ptr<ReplicaStore> store_;
  std::unique_ptr<LocalReads> server_;
};

TEST_F(LocalReadsTest, PassesFilesThatCanOnlyBeRead) {
  const Reply reply = Ask({7, 2, 100});  // at least this generation, and so much
  ExpectHolds(reply, bytes_);
  EXPECT_EQ(reply.message.block().generation(), 3u);
  EXPECT_EQ(reply.message.checksum_type(), v1::LocalReadReply::CRC32C);
  EXPECT_EQ(reply.message.chunk_bytes(), kChunkBytes);
  for (const Fd& file : reply.descriptors) {
    EXPECT_EQ(fcntl(file.get(), F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_EQ(pwrite(file.get(), "x", 1, 0), -1);
    EXPECT_NE(ftruncate(file.get(), 0), 0);
  }
  EXPECT_EQ(Counted("passed"), 1);
  EXPECT_EQ(Counted("refused"), 0);
  EXPECT_EQ(transfers_.load().read_requests, 1u);
  EXPECT_EQ(transfers_.load().active_reads, 0u);
}

TEST_F(LocalReadsTest, WholeChunksAndNothing) {
  const std::string whole = BytesOf(8, 2 * kChunkBytes);
  ASSERT_EQ(Put(*store_, {8, 1, whole.size()}, whole), absl::OkStatus());
  ExpectHolds(Ask({8, 1, whole.size()}), whole);
  ASSERT_EQ(Put(*store_, {9, 1, 0}, ""), absl::OkStatus());
  ExpectHolds(Ask({9, 1, 0}), "");
}

TEST_F(LocalReadsTest, RefusesWhatReadBlockRefuses) {
  ExpectRefused({99, 1, 0}, absl::StatusCode::kNotFound);
  ExpectRefused({7, 3, kSize + 1}, absl::StatusCode::kNotFound);
  ExpectRefused({7, 4, kSize}, absl::StatusCode::kFailedPrecondition, ErrorKind::kStaleReplica);
  EXPECT_EQ(Counted("refused"), 3);
  EXPECT_EQ(Counted("passed"), 0);
}

TEST_F(LocalReadsTest, RefusesWhatIsBeingWritten) {
  const auto writer = store_->Create({8, 1, 1 << 20});
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_EQ(AppendAll(**writer, bytes_, kChunkBytes), absl::OkStatus());
  ExpectRefused({8, 1, kChunkBytes}, absl::StatusCode::kFailedPrecondition);
  ASSERT_EQ((*writer)->Finalize(), absl::OkStatus());
  ExpectHolds(Ask({8, 1, kChunkBytes}), bytes_);
}

TEST_F(LocalReadsTest, RefusesBadReplicas) {
  std::filesystem::path data;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
    if (entry.path().filename() == "blk_7") data = entry.path();
  }
  std::fstream(data, std::ios::in | std::ios::out | std::ios::binary) << "damage";
  // Its readers find out; then it is verified and marked.
  EXPECT_EQ(Ask(kBlock).message.code(), 0);
  EXPECT_FALSE(store_->Verify(kBlock).value());
  ExpectRefused(kBlock, absl::StatusCode::kDataLoss, ErrorKind::kChecksum);
}

TEST_F(LocalReadsTest, RefusesOthersRequestsAndRubbish) {
  v1::LocalReadRequest request;
  ToProto(kBlock, request.mutable_block());
  for (const std::string& instance : {std::string(), std::string(16, 'x')}) {
    request.set_instance(instance);
    const auto reply = AskWith(request.SerializeAsString());
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->message.code(), static_cast<int>(absl::StatusCode::kUnavailable));
    EXPECT_EQ(reply->message.instance(), server_->instance());
    EXPECT_TRUE(reply->descriptors.empty());
  }
  for (const std::string& rubbish : {std::string("\xff\xff\xff"), std::string(100'000, 'x')}) {
    const auto reply = AskWith(rubbish);
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_EQ(reply->message.code(), static_cast<int>(absl::StatusCode::kInvalidArgument));
  }
  EXPECT_EQ(Counted("passed"), 0);
  ExpectHolds(Ask(kBlock), bytes_);
}

TEST_F(LocalReadsTest, WhatWasPassedOutlivesDeletion) {
  const Reply reply = Ask(kBlock);
  ASSERT_EQ(store_->Delete(kBlock), absl::OkStatus());
  ExpectHolds(reply, bytes_);
  ExpectRefused(kBlock, absl::StatusCode::kNotFound);
}

TEST_F(LocalReadsTest, WhatWasPassedOutlivesATruncation) {
  const Reply reply = Ask(kBlock);
  ASSERT_TRUE(store_->StartRecovery(kBlock, 5).ok());
  ASSERT_TRUE(store_->FinishRecovery({7, 3, kChunkBytes + 1}, 5).ok());
  ExpectHolds(reply, bytes_);
  const Reply shorter = Ask({7, 5, 0});
  ExpectHolds(shorter, bytes_.substr(0, kChunkBytes + 1));
  EXPECT_EQ(shorter.message.block().generation(), 5u);
}

TEST_F(LocalReadsTest, WhatWasPassedOutlivesAnAppend) {
  const Reply reply = Ask(kBlock);
  const std::string longer = bytes_ + BytesOf(17, 3 * kChunkBytes);
  {
    const auto writer = store_->Reopen({7, 4, 1 << 20}, 3, kSize);
    ASSERT_TRUE(writer.ok()) << writer.status();
    ASSERT_EQ(GrowTo(**writer, longer, kSize + 100), absl::OkStatus());
    ExpectHolds(reply, bytes_);
    ExpectRefused(kBlock, absl::StatusCode::kFailedPrecondition);
    ASSERT_EQ(GrowTo(**writer, longer, longer.size()), absl::OkStatus());
    ASSERT_EQ((*writer)->Finalize(), absl::OkStatus());
  }
  ExpectHolds(reply, bytes_);
  ExpectHolds(Ask({7, 4, longer.size()}), longer);
}

TEST_F(LocalReadsTest, SilentClientsDoNotKeepOthersOut) {
  Start({.path = "", .max_connections = 2, .request_ms = 1'000});
  std::vector<Fd> silent;
  for (int i = 0; i < 5; ++i) {
    auto socket = ConnectUnix(server_->path());
    ASSERT_TRUE(socket.ok()) << socket.status();
    silent.push_back(*std::move(socket));
  }
  ExpectHolds(Ask(kBlock), bytes_);
  // Each of them was left in its turn.
  for (const Fd& socket : silent) {
    EXPECT_TRUE(absl::IsUnavailable(ReceiveUnix(socket, 100, kPatienceMs).status()));
  }
}

TEST_F(LocalReadsTest, ClientsThatLeaveAreForgotten) {
  Start({.path = "", .max_connections = 2, .request_ms = kPatienceMs});
  for (int i = 0; i < 100; ++i) {
    auto socket = ConnectUnix(server_->path());
    if (absl::IsUnavailable(socket.status())) continue;  // the server did not come to it yet
    ASSERT_TRUE(socket.ok()) << socket.status();
  }
  absl::StatusOr<Reply> reply;
  ASSERT_TRUE(Eventually([&] { return (reply = AskWith(RequestFor(kBlock))).ok(); }))
      << reply.status();
  ExpectHolds(*reply, bytes_);
}

TEST_F(LocalReadsTest, StopsAtOnceAndTakesItsSocketAlong) {
  const auto idle = ConnectUnix(server_->path());
  ASSERT_TRUE(idle.ok()) << idle.status();
  const Reply reply = Ask(kBlock);
  const std::string first = server_->instance();
  server_->Stop();
  EXPECT_FALSE(std::filesystem::exists(dir_ / "socket"));
  EXPECT_TRUE(Eventually([] { return ThreadsNamed("local-reads") == 0; }));
  ExpectHolds(reply, bytes_);
  Start({});
  EXPECT_NE(server_->instance(), first);
  ExpectHolds(Ask(kBlock), bytes_);
}

}  // namespace
}  // namespace cairn::datanode
