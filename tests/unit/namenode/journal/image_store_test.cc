#include "namenode/journal/image_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "namenode/journal/disk_space.h"
#include "tests/unit/namenode/journal/journal_testing.h"

namespace cairn::namenode {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

std::string NameOf(TxId txid) { return fmt::format("fsimage_{:020}", txid); }

class ImageStoreTest : public ::testing::Test {
 protected:
  void Write(TxId txid, std::string_view content) {
    auto sink = store_.Create(txid);
    ASSERT_OK(sink.status());
    for (size_t at = 0; at < content.size(); at += 1000) {
      ASSERT_OK((*sink)->Append(content.substr(at, 1000)));
    }
    ASSERT_OK((*sink)->Finish());
  }
  absl::StatusOr<std::string> Read(TxId txid, size_t piece = 777) {
    ASSIGN_OR_RETURN(const auto source, store_.Open(txid));
    std::string content;
    std::string buffer(piece, '\0');
    while (true) {
      ASSIGN_OR_RETURN(const size_t got, source->Read({buffer.data(), buffer.size()}));
      if (got == 0) break;
      content.append(buffer, 0, got);
    }
    EXPECT_EQ(content.size(), source->size());
    return content;
  }

  const std::unique_ptr<Env> env_ = NewPosixEnv();
  const TempDir temp_;
  const std::string a_ = temp_.Make("a");
  const std::string b_ = temp_.Make("b");
  ImageStore store_{env_.get(), {a_, b_}};
};

TEST_F(ImageStoreTest, WhatIsWrittenIsRead) {
  std::string large;
  for (int i = 0; large.size() < (3u << 20) + 17; ++i) large += fmt::format("{};", i);
  Write(7, large);
  Write(0, "");
  EXPECT_EQ(Read(7).value(), large);
  EXPECT_EQ(Read(7, 2u << 20).value(), large);
  EXPECT_EQ(Read(0).value(), "");
  EXPECT_TRUE(absl::IsNotFound(Read(8).status()));
  EXPECT_THAT(env_->List(a_).value(), ElementsAre(NameOf(0), NameOf(7)));
  EXPECT_EQ(env_->List(a_).value(), env_->List(b_).value());
}

TEST_F(ImageStoreTest, AnUnfinishedImageIsNone) {
  {
    auto sink = store_.Create(5).value();
    ASSERT_OK(sink->Append("half"));
    EXPECT_THAT(store_.List().value(), IsEmpty());
  }
  EXPECT_THAT(env_->List(a_).value(), IsEmpty());
  WriteWhole(env_.get(), a_ + "/" + NameOf(5) + ".tmp", "left by a crash");
  ASSERT_OK(store_.Recover());
  EXPECT_THAT(env_->List(a_).value(), IsEmpty());
}

TEST_F(ImageStoreTest, TheTwoNewestAreKept) {
  for (const TxId txid : {10, 30, 20, 5}) Write(txid, fmt::format("image {}", txid));
  EXPECT_THAT(store_.List().value(), ElementsAre(30, 20, 10, 5));
  ASSERT_OK(store_.RemoveOld());
  EXPECT_THAT(store_.List().value(), ElementsAre(30, 20));
  EXPECT_EQ(env_->List(b_).value().size(), 2u);
  EXPECT_EQ(Read(20).value(), "image 20");
}

TEST_F(ImageStoreTest, EveryFlippedBitAndEveryCutIsFound) {
  Write(3, "a short image of a small cluster");
  const std::string path = a_ + "/" + NameOf(3);
  const std::string intact = env_->ReadFile(path).value();
  for (size_t byte = 0; byte < intact.size(); ++byte) {
    std::string bytes = intact;
    bytes[byte] = static_cast<char>(bytes[byte] ^ (1 << (byte % 8)));
    WriteWhole(env_.get(), path, bytes);
    const absl::Status status = ImageStore::OpenFile(env_.get(), path).status();
    ASSERT_TRUE(absl::IsDataLoss(status)) << byte;
    ASSERT_THAT(Text(MessageOf(status)), HasSubstr(path + ": damaged at byte "));
    WriteWhole(env_.get(), path, intact.substr(0, byte));
    ASSERT_TRUE(absl::IsDataLoss(ImageStore::OpenFile(env_.get(), path).status())) << byte;
  }
  EXPECT_EQ(Read(3).value(), "a short image of a small cluster");  // b has it
  WriteWhole(env_.get(), b_ + "/" + NameOf(3), "");
  EXPECT_TRUE(absl::IsDataLoss(Read(3).status()));
}

TEST_F(ImageStoreTest, RecoveryGivesEveryDirectoryTheNewest) {
  Write(1, "old");
  Write(2, "new");
  fs::remove(a_ + "/" + NameOf(1));
  fs::remove(a_ + "/" + NameOf(2));
  ASSERT_OK(store_.Recover());
  EXPECT_THAT(env_->List(a_).value(), ElementsAre(NameOf(2)));
  WriteWhole(env_.get(), b_ + "/" + NameOf(2), "damaged");
  ASSERT_OK(store_.Recover());
  EXPECT_EQ(env_->ReadFile(a_ + "/" + NameOf(2)).value(),
            env_->ReadFile(b_ + "/" + NameOf(2)).value());
  EXPECT_EQ(Read(2).value(), "new");
}

TEST_F(ImageStoreTest, TooLittleSpaceIsNamed) {
  ASSERT_OK(CheckReserved(env_.get(), {a_, b_}, 1));
  const absl::Status status = CheckReserved(env_.get(), {a_, b_}, uint64_t{1} << 60);
  EXPECT_EQ(KindOf(status), ErrorKind::kNoSpace);
  EXPECT_THAT(Text(MessageOf(status)), AllOf(HasSubstr(a_ + ": "), HasSubstr("--reserved")));
  EXPECT_TRUE(absl::IsNotFound(CheckReserved(env_.get(), {a_ + "/none"}, 1)));
}

}  // namespace
}  // namespace cairn::namenode
