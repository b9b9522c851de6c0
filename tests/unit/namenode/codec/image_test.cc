#include "namenode/codec/image.h"

#include <fmt/format.h>

#include "common/crc32c.h"
#include "namenode/codec/image_format.h"
#include "tests/unit/namenode/codec/image_fixture.h"
#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

class ImageTest : public FsTest {
 protected:
  // Some of everything.
  void Fill() {
    RegisterNodes(3);
    ASSERT_THAT(Do(PlanSetAdminState(state, Superuser(), {2, AdminState::kMaintenance})),
                Succeeds());
    ASSERT_THAT(Mkdir("/z/a", true), Succeeds());
    ASSERT_THAT(Mkdir("/b"), Succeeds());
    ASSERT_THAT(Rename("/z", "/b/z"), Succeeds());  // a child with a smaller id than its parent
    ASSERT_THAT(Chown("/b", "ann", "staff"), Succeeds());
    ASSERT_THAT(SetQuota("/b", {.names = 100, .space = 1 << 20}), Succeeds());
    ASSERT_THAT(SetQuota("/", {.space = INT64_MAX}), Succeeds());
    ASSERT_THAT(Put("/b/f", {4096, 4096, 5}), Succeeds());
    ASSERT_THAT(Put("/b/last", {4096, 9}), Succeeds());
    ASSERT_THAT(Put("/b/joined", {4096}), Succeeds());
    ASSERT_THAT(Concat("/b/joined", {"/b/last"}), Succeeds());  // its blocks' ids go down
    ASSERT_THAT(Put("/b/cut", {904}), Succeeds());
    ASSERT_THAT(Truncate("/b/cut", 5), Succeeds());
    consistency = Consistency::kWeak;
    ASSERT_THAT(Put("/b/more", {4096, 7}), Succeeds());
    ASSERT_THAT(Append("/b/more"), Succeeds());
    ASSERT_THAT(Mkdir("/gone/x", true), Succeeds());
    ASSERT_THAT(Put("/gone/x/f", {7}), Succeeds());
    ASSERT_THAT(Delete("/gone", true), Succeeds());
    retry = RetryKey{Client(7), 3, 2};
    with_block = true;
    unpublished = true;
    ASSERT_THAT(Create("/b/open"), Succeeds());
    retry.reset();
    ASSERT_THAT(Do(PlanStart(state)), Succeeds());
  }
};

TEST_F(ImageTest, EverythingComesBack) {
  Fill();
  const std::string bytes = ImageOf(state);
  auto loaded = LoadImage(Reader(bytes, 7));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->header.cluster_id, "cluster-1");
  EXPECT_EQ(loaded->header.txid, state.applied_txid());
  const FsState& copy = loaded->state;
  EXPECT_EQ(copy.digest(), state.digest());
  EXPECT_EQ(copy.RecomputeDigest(), state.digest());
  EXPECT_EQ(copy.applied_txid(), state.applied_txid());
  EXPECT_EQ(copy.counters(), state.counters());
  EXPECT_EQ(copy.files(), state.files());
  EXPECT_EQ(copy.root().dir().totals, state.root().dir().totals);
  EXPECT_EQ(copy.open_files(), 3u);
  EXPECT_EQ(copy.OpenFilesOf(holder), state.OpenFilesOf(holder));
  EXPECT_EQ(copy.quotas().size(), 2u);
  EXPECT_EQ(copy.quotas().Of(IdOf("/b")), (Quota{.names = 100, .space = 1 << 20}));
  EXPECT_EQ(copy.quotas().Of(kRootINode), Quota{.space = INT64_MAX});
  EXPECT_GT(copy.root().dir().totals.promised, 0u);
  const INode& joined = *copy.FindINode(IdOf("/b/joined"));
  ASSERT_EQ(joined.blocks().size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(joined.blocks()[i], state.FindINode(IdOf("/b/joined"))->blocks()[i]);
  }
  const INode& more = *copy.FindINode(IdOf("/b/more"));
  EXPECT_TRUE(copy.FindOpenState(more)->appended);
  EXPECT_EQ(copy.FindOpenState(more)->min_replicas, 1u);
  EXPECT_EQ(more.length(), 4103u);
  EXPECT_TRUE(copy.FindOpenBlock(more.blocks()[1])->untouched);
  ASSERT_EQ(FilesInRecovery(copy).size(), 1u);
  EXPECT_EQ(FilesInRecovery(copy)[0].inode, IdOf("/b/cut"));
  EXPECT_TRUE(FilesInRecovery(copy)[0].block.cut);
  EXPECT_EQ(FilesInRecovery(copy)[0].block.recovery, FilesInRecovery(state)[0].block.recovery);
  EXPECT_EQ(FilesInRecovery(copy)[0].block.block.length, 5u);
  EXPECT_TRUE(copy.HasReclaimWork());
  EXPECT_EQ(copy.registry().FindStorage(5)->node, 3u);
  EXPECT_EQ(copy.registry().FindNode(2)->admin, AdminState::kMaintenance);
  EXPECT_EQ(copy.registry().FindNode(3)->admin, AdminState::kInService);
  EXPECT_TRUE(copy.FindRetry({Client(7), 3, 2})->answer.ok());
  EXPECT_FALSE(copy.FindRetry({Client(7), 1, 0})->answer.ok());
  EXPECT_EQ(ReadFileInfo(copy, caller, "/b/f", facts).observed, 0u) << "an image is durable";
  EXPECT_TRUE(ImageOf(copy) == bytes);
}

TEST_F(ImageTest, FreshStateAndHeader) {
  const auto loaded = LoadImage(Reader(ImageOf(state)));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state.digest(), state.digest());
  const auto header = ReadImageHeader(Reader(ImageOf(state)));
  ASSERT_TRUE(header.ok());
  EXPECT_EQ(header->digest, state.digest());
}

TEST_F(ImageTest, ManyPieces) {
  check_digest = false;
  for (int i = 0; i < 12'000; ++i) {
    ASSERT_THAT(Mkdir("/" + std::string(200, 'd') + std::to_string(i)), Succeeds());
  }
  const auto loaded = LoadImage(Reader(ImageOf(state), 1 << 20));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state.digest(), state.digest());
}

TEST_F(ImageTest, DamageIsFound) {
  Fill();
  const std::string good = ImageOf(state);
  for (size_t size = 0; size < good.size(); ++size) {
    const auto cut = LoadImage(Reader(good.substr(0, size)));
    EXPECT_THAT(cut.status(), Fails(kDataLoss)) << "cut at " << size;
  }
  const size_t piece = 20 + static_cast<uint8_t>(good[12]);  // behind the header
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ (1 << at % 8));
    const absl::Status status = LoadImage(Reader(bad)).status();
    if (at >= 8 && at < 12) {
      EXPECT_THAT(status, Fails(kFailedPrecondition, "layout"));
    } else {
      const std::string where = at < piece + 12 ? "at byte " : fmt::format("at byte {} ", piece);
      EXPECT_THAT(status, Fails(kDataLoss, where)) << "flipped at " << at;
    }
  }
  EXPECT_THAT(LoadImage(Reader(good + "x")).status(), Fails(kDataLoss));
  EXPECT_THAT(LoadImage(Reader(good + good)).status(), Fails(kDataLoss));
  std::string newer = good;
  newer[8] = 5;
  EXPECT_THAT(LoadImage(Reader(newer)).status(), Fails(kFailedPrecondition, "layout 5"));
}

// Layout 3 knew no admin states: its nodes are in service.
TEST_F(ImageTest, TheLayoutBeforeIsRead) {
  RegisterNodes(2);
  std::string image = ImageOf(state);
  const auto header_bytes = static_cast<size_t>(U32At(image, 12)) + 16;
  image[8] = 3;
  std::string crc;
  AppendU32(Crc32c(std::string_view(image).substr(0, header_bytes)), &crc);
  image.replace(header_bytes, crc.size(), crc);
  const auto loaded = LoadImage(Reader(image));
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->state.digest(), state.digest());
  EXPECT_EQ(loaded->state.registry().FindNode(2)->admin, AdminState::kInService);
  image[8] = 2;
  EXPECT_THAT(LoadImage(Reader(image)).status(), Fails(kFailedPrecondition, "layout 2"));
}

TEST_F(ImageTest, WriteErrorsComeThrough) {
  Fill();
  int calls = 0;
  const auto status = SaveImage(state, "c", [&](std::string_view) {
    return ++calls < 2 ? absl::OkStatus() : absl::ResourceExhaustedError("disk full");
  });
  EXPECT_THAT(status, Fails(kResourceExhausted, "disk full"));
}

TEST_F(ImageTest, DumpIsJsonLines) {
  Fill();
  std::vector<std::string> lines;
  const auto status = DumpImage(Reader(ImageOf(state)), [&](std::string_view line) {
    lines.emplace_back(line);
    return absl::OkStatus();
  });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_THAT(lines.front(), testing::HasSubstr("\"cluster_id\":\"cluster-1\""));
  EXPECT_THAT(lines[1], testing::HasSubstr("next_inode"));
  EXPECT_THAT(lines, testing::Contains(testing::HasSubstr("\"name\":\"open\"")));
  EXPECT_THAT(lines, testing::Contains(
                         testing::HasSubstr("\"name_quota\":\"100\",\"space_quota\":\"1048576\"")));
  for (const std::string& line : lines) EXPECT_EQ(line.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace cairn::namenode
