// Reads of replicas whose files are on this host, and everything that can be wrong with these.
#include "client/local_first_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <thread>

#include "client/local_reader.h"
#include "tests/support/files.h"
#include "tests/unit/client/fake_cluster.h"
#include "tests/unit/client/fake_local_socket.h"

namespace cairn {
namespace {

using testing::Bytes;
using testing::FakeCluster;
using testing::FakeDataNode;
using testing::FakeLocalSocket;
using Mode = FakeLocalSocket::Mode;

constexpr uint64_t kBlock = 256 << 10;
constexpr int kBlocks = 4;
constexpr uint64_t kSize = (kBlocks - 1) * kBlock + 10'001;

// A file with replicas on three nodes; the nearest one passes its files.
class LocalFirstReaderTest : public ::testing::Test {
 protected:
  LocalFirstReaderTest() {
    const absl::Status status = cluster_.Write(*fs_, "/f", bytes_, {.block_size = kBlock});
    EXPECT_EQ(status, absl::OkStatus());
    for (const v1::FinishedBlock& finished : cluster_.namenode().file().blocks) {
      const v1::Block& block = finished.block();
      blocks_.push_back({block.id(), block.generation(), block.length()});
      socket_.Put(blocks_.back(), cluster_.datanode(0).Replica(block.id()));
    }
    cluster_.datanode(0).SetLocalSocket(socket_.path(), FakeLocalSocket::Instance());
  }

  static TransferOptions Patient() {
    TransferOptions transfer = FakeCluster::FastTransfer();
    transfer.local_ms = 20'000;
    return transfer;
  }
  std::unique_ptr<InputStream> Open() {
    auto in = fs_->Open("/f");
    EXPECT_TRUE(in.ok()) << in.status();
    return *std::move(in);
  }
  // Reads `in` from where it is to its end, and compares.
  void ExpectRest(InputStream& in, size_t piece = 10'000) {
    std::string rest;
    std::string buffer(piece, '\0');
    const uint64_t from = in.position();
    while (true) {
      const auto count = in.Read(buffer);
      ASSERT_TRUE(count.ok()) << count.status();
      if (*count == 0) break;
      rest.append(buffer, 0, *count);
    }
    EXPECT_TRUE(rest == std::string_view(bytes_).substr(from));
  }
  void ReadStart(InputStream& in, size_t count) {
    std::string start(count, '\0');
    ASSERT_EQ(in.Read(start).value(), count);
    EXPECT_TRUE(start == bytes_.substr(0, count));
  }
  ReadStatistics counts() { return fs_->GetReadStatistics(); }

  const std::string bytes_ = Bytes(kSize);
  FakeCluster cluster_{3};
  std::unique_ptr<FileSystem> fs_ = cluster_.Connect(Patient());
  FakeLocalSocket socket_;
  std::vector<Block> blocks_;
};

TEST_F(LocalFirstReaderTest, NothingGoesOverTcp) {
  int times = 0;
  for (const size_t piece : {size_t{1000}, size_t{4096}, size_t{10'000}, size_t{64 << 10},
                             size_t{100'001}, size_t{kSize + 1}}) {
    ExpectRest(*Open(), piece);
    ++times;
    EXPECT_EQ(counts().local_bytes, times * kSize);
    EXPECT_EQ(socket_.requests(), times * kBlocks);
  }
  EXPECT_EQ(counts().remote_bytes, 0u);
  EXPECT_EQ(counts().local_opens, static_cast<uint64_t>(times * kBlocks));
  EXPECT_EQ(counts().local_fallbacks, 0u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cluster_.datanode(i).reads(), 0);
}

TEST_F(LocalFirstReaderTest, AnyRangeFromSeveralThreads) {
  const auto in = Open();
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(t);
      std::string buffer(70'000, '\0');
      for (int i = 0; i < 40; ++i) {
        const uint64_t offset = random() % kSize;
        const size_t want = random() % buffer.size() + 1;
        const auto count = in->PRead(offset, std::span<char>(buffer).first(want));
        ASSERT_TRUE(count.ok()) << count.status();
        ASSERT_TRUE(buffer.substr(0, *count) == bytes_.substr(offset, want));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counts().remote_bytes, 0u);
}

TEST_F(LocalFirstReaderTest, CanBeSwitchedOff) {
  auto fs = FileSystem::Connect({.namenodes = {cluster_.namenode().address()},
                                 .user = "ann",
                                 .short_circuit = false,
                                 .transfer = Patient()});
  fs_ = *std::move(fs);
  ExpectRest(*Open());
  EXPECT_EQ(socket_.requests(), 0);
  EXPECT_EQ(counts().local_bytes, 0u);
  EXPECT_EQ(counts().remote_bytes, kSize);
}

// Whatever the socket does: the bytes come over TCP, from the same node, and it is left alone for a
// while.
TEST_F(LocalFirstReaderTest, ASocketThatDoesNotServe) {
  for (const Mode mode :
       {Mode::kRubbish, Mode::kTooLong, Mode::kHangUp, Mode::kOther, Mode::kOneDescriptor,
        Mode::kWrongBlock, Mode::kWrongChecksums, Mode::kShortData, Mode::kFolders}) {
    SCOPED_TRACE(static_cast<int>(mode));
    socket_.SetMode(mode);
    fs_ = cluster_.Connect(Patient());
    const int requests = socket_.requests();
    const int reads = cluster_.datanode(0).reads();
    ExpectRest(*Open());
    EXPECT_EQ(socket_.requests() - requests, 1);
    EXPECT_GE(cluster_.datanode(0).reads() - reads, kBlocks);
    EXPECT_EQ(counts().local_opens, 0u);
    EXPECT_EQ(counts().remote_bytes, kSize);
  }
}

TEST_F(LocalFirstReaderTest, ASilentSocketCostsItsPatienceOnce) {
  socket_.SetMode(Mode::kSilent);
  TransferOptions transfer = FakeCluster::FastTransfer();
  transfer.local_ms = 500;
  fs_ = cluster_.Connect(transfer);
  ExpectRest(*Open());
  EXPECT_LE(socket_.requests(), 1);  // none: the machine was too slow to ask
  EXPECT_EQ(counts().local_opens, 0u);
  EXPECT_EQ(counts().remote_bytes, kSize);
}

TEST_F(LocalFirstReaderTest, APlaceWithoutASocket) {
  for (const std::string& path :
       {std::string("/nowhere/socket"), std::string("relative"), socket_.DataFile(blocks_[0].id)}) {
    cluster_.datanode(0).SetLocalSocket(path, FakeLocalSocket::Instance());
    fs_ = cluster_.Connect(Patient());
    ExpectRest(*Open());
    EXPECT_EQ(counts().remote_bytes, kSize) << path;
  }
  EXPECT_EQ(socket_.requests(), 0);
}

TEST_F(LocalFirstReaderTest, ARefusedReplicaIsReadOverTcpAndTheNextIsAskedFor) {
  socket_.SetMode(Mode::kRefuse);
  ExpectRest(*Open());
  EXPECT_GE(socket_.requests(), kBlocks);
  EXPECT_EQ(counts().remote_bytes, kSize);
  socket_.SetMode(Mode::kServe);
  ExpectRest(*Open());
  EXPECT_EQ(counts().local_bytes, kSize);
}

TEST_F(LocalFirstReaderTest, ADeletedReplicaIsReadToItsEnd) {
  const auto in = Open();
  ReadStart(*in, 5'000);
  ASSERT_EQ(unlink(socket_.DataFile(blocks_[0].id).c_str()), 0);
  ASSERT_EQ(unlink(socket_.ChecksumFile(blocks_[0].id).c_str()), 0);
  ExpectRest(*in);
  EXPECT_EQ(counts().local_bytes, kSize);
}

TEST_F(LocalFirstReaderTest, AReplicaThatIsAppendedToIsReadAsItWas) {
  const Block last = blocks_.back();
  const auto in = Open();
  ASSERT_EQ(in->Seek(kSize - last.length).ok(), true);
  std::string start(100, '\0');
  ASSERT_EQ(in->Read(start).value(), 100u);
  // In place: more bytes, and another CRC of what was its last chunk.
  std::ofstream(socket_.DataFile(last.id), std::ios::app | std::ios::binary)
      << std::string(5'000, 'a');
  std::fstream(socket_.ChecksumFile(last.id), std::ios::in | std::ios::out | std::ios::binary)
          .seekp(-4, std::ios::end)
      << "else";
  ExpectRest(*in);
  EXPECT_EQ(counts().remote_bytes, 0u);
  EXPECT_EQ(counts().local_fallbacks, 0u);
}

TEST_F(LocalFirstReaderTest, ACutReplicaGoesOnOverTcp) {
  const auto in = Open();
  ReadStart(*in, 100'000);
  ASSERT_EQ(truncate(socket_.DataFile(blocks_[0].id).c_str(), 150'000), 0);
  ExpectRest(*in);
  EXPECT_EQ(counts().local_fallbacks, 1u);
  EXPECT_EQ(counts().local_bytes + counts().remote_bytes, kSize);
  EXPECT_GE(cluster_.datanode(0).reads(), 1);
  EXPECT_EQ(cluster_.datanode(0).verifies(), 0);
}

TEST_F(LocalFirstReaderTest, CutChecksumsAreNotBegunWith) {
  ASSERT_EQ(truncate(socket_.ChecksumFile(blocks_[0].id).c_str(), 200), 0);
  ExpectRest(*Open());
  EXPECT_EQ(counts().local_opens, 0u);  // seen at once
  EXPECT_EQ(counts().remote_bytes, kSize);
}

TEST_F(LocalFirstReaderTest, DamageThatTheNodeDoesNotSeeIsReadFromIt) {
  testing::FlipByte(socket_.DataFile(blocks_[1].id), 70'000);
  ExpectRest(*Open());
  EXPECT_EQ(counts().local_fallbacks, 1u);
  EXPECT_EQ(cluster_.datanode(0).reads(), 1);
  EXPECT_EQ(cluster_.datanode(1).reads(), 0);
  EXPECT_EQ(cluster_.datanode(0).verifies(), 0);
}

TEST_F(LocalFirstReaderTest, ABadReplicaIsReportedAndAnotherOneRead) {
  testing::FlipByte(socket_.DataFile(blocks_[1].id), 70'000);
  cluster_.datanode(0).SetFaults({.corrupt_reads = true});
  ExpectRest(*Open());
  EXPECT_EQ(counts().local_fallbacks, 1u);
  EXPECT_EQ(cluster_.datanode(0).verifies(), 1);
  EXPECT_GE(cluster_.datanode(1).reads(), 1);
  // The other three blocks never left this host.
  EXPECT_GE(counts().local_bytes, kSize - kBlock);
}

TEST_F(LocalFirstReaderTest, ANodeThatIsGoneIsReadAsFarAsItsFilesWerePassed) {
  const auto in = Open();
  ReadStart(*in, 5'000);
  cluster_.datanode(0).Stop();
  socket_.SetMode(Mode::kHangUp);
  ExpectRest(*in);
  EXPECT_EQ(counts().local_bytes, kBlock);
  EXPECT_GE(cluster_.datanode(1).reads(), kBlocks - 1);
}

// The reader alone, at every border.
TEST(LocalReaderTest, AnyRangeOfAnyReplica) {
  FakeLocalSocket files;
  std::mt19937 random(3);
  for (BlockId id = 1; id <= 60; ++id) {
    const uint64_t length = id % 4 == 0 ? (random() % 40) * kChunkBytes : random() % 600'000;
    const std::string bytes = Bytes(length);
    files.Put({id, 1, length}, bytes);
    const uint64_t offset = random() % (length + 1);
    const uint64_t count = random() % (length - offset + 1);
    const auto open_file = [](const std::string& path) {
      return Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    };
    const std::vector<uint32_t> crcs = FakeLocalSocket::CrcsOf(bytes);
    LocalReader reader({.data = open_file(files.DataFile(id)),
                        .checksums = open_file(files.ChecksumFile(id)),
                        .length = length,
                        .checksums_offset = FakeLocalSocket::ChecksumsOffset(),
                        .tail_crc = crcs.empty() ? 0 : crcs.back()},
                       offset, count);
    ASSERT_EQ(reader.Open(), absl::OkStatus());
    std::string got;
    std::string buffer(random() % 2 == 0 ? 10'000 : 300'000, '\0');
    while (reader.bytes_left() > 0) {
      const size_t want = random() % buffer.size() + 1;
      const auto some = reader.Read(std::span<char>(buffer).first(want));
      ASSERT_TRUE(some.ok()) << some.status();
      ASSERT_GT(*some, 0u);
      got.append(buffer, 0, *some);
    }
    ASSERT_TRUE(got == bytes.substr(offset, count)) << length << " " << offset << " " << count;
  }
}

TEST(LocalReaderTest, ARangeBeyondTheReplica) {
  LocalReader reader({.data = Fd(), .checksums = Fd(), .length = 100}, 50, 51);
  EXPECT_TRUE(absl::IsOutOfRange(reader.Open()));
}

}  // namespace
}  // namespace cairn
