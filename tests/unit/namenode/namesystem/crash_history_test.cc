// The power cut at every change of a NameNode's life, whatever of the unsynced survives: what was
// answered is there, retries get their first answer, ids do not return (P1, P2, P5); and flipped
// bits are found.
#include "tests/unit/namenode/namesystem/crash_history.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/status.h"

namespace cairn::namenode {
namespace {

using testing::HasSubstr;

const std::vector<std::string> kOneDir = {"/a/current"};
const std::vector<std::string> kTwoDirs = {"/a/current", "/b/current"};

class CrashEverywhere : public testing::TestWithParam<uint32_t> {};

TEST_P(CrashEverywhere, WhatWasAnsweredIsThere) {
  const uint32_t seed = GetParam();
  constexpr uint64_t kBound = 3000;
  uint64_t hits = 0;
  uint64_t cut = 0;
  for (bool whole = false; !whole; ++cut) {
    SCOPED_TRACE(fmt::format("seed {}, cut after {} changes", seed, cut));
    ASSERT_LT(cut, kBound);
    CrashHistory history(seed % 2 == 0 ? kOneDir : kTwoDirs, seed);
    // Not the first life but one that has an image, segments and a retry cache behind it.
    if (seed % 3 != 0) {
      ASSERT_TRUE(history.Live(20, /*graceful=*/cut % 2 == 0) || cut % 2 != 0);
      history.Crash(std::nullopt);
    }
    history.env().CutPowerAfter(cut);
    whole = history.Live(25, /*graceful=*/true);
    history.Crash(cut % 4 == 0 ? std::nullopt : std::optional(seed * 1000 + uint32_t(cut)));
    ASSERT_NO_FATAL_FAILURE(history.Check());
    history.Crash(std::nullopt);  // what a start found, the next one finds
    ASSERT_NO_FATAL_FAILURE(history.Check());
    ASSERT_FALSE(HasFailure());
    hits += history.hits();
  }
  EXPECT_GT(cut, 20u);
  EXPECT_GT(hits, cut) << "hardly a call was repeated";
}

INSTANTIATE_TEST_SUITE_P(Seeds, CrashEverywhere, testing::Values(1, 2, 3, 6));

class LongHistory : public testing::TestWithParam<uint32_t> {};

TEST_P(LongHistory, OfManyLivesEndsAsItsRecordsSay) {
  std::mt19937 random(GetParam());
  CrashHistory history(kTwoDirs, GetParam());
  int cut_short = 0;
  // How far each life comes is a matter of chance: until everything was met often enough.
  const auto enough = [&] {
    return cut_short > 20 && history.answered() > 500 && history.hits() > 200 &&
           history.lost() > 0 && history.kinds() >= 19;
  };
  constexpr int kBound = 1000;
  for (int life = 0; life < 50 || !enough(); ++life) {
    ASSERT_LT(life, kBound);
    SCOPED_TRACE(fmt::format("seed {}, life {}", GetParam(), life));
    const bool cut = random() % 4 != 0;
    if (cut) history.env().CutPowerAfter(random() % 250);
    cut_short += !history.Live(static_cast<int>(random() % 80), random() % 2 == 0);
    ASSERT_FALSE(HasFailure());
    history.Crash(random() % 3 == 0 ? std::nullopt : std::optional(uint32_t(random())));
  }
  ASSERT_NO_FATAL_FAILURE(history.Check());
}

INSTANTIATE_TEST_SUITE_P(Seeds, LongHistory, testing::Values(7, 8, 9, 10));

// --- Flipped bits
// -----------------------------------------------------------------------------------

class FlippedBits : public testing::Test {
 protected:
  void Flip(const std::string& name, size_t byte) {
    history_.env().Flip("/a/current/" + name, byte, static_cast<uint8_t>(1 << byte % 8));
  }
  size_t SizeOf(const std::string& name) {
    return history_.env().ReadFile("/a/current/" + name).value().size();
  }
  std::vector<std::string> Files(std::string_view prefix) {
    std::vector<std::string> files;
    const std::vector<std::string> names = history_.env().List("/a/current").value();
    for (const std::string& name : names) {
      if (name.starts_with(prefix)) files.push_back(name);
    }
    return files;
  }

  CrashHistory history_{kOneDir, 77};
};

TEST_F(FlippedBits, AreFoundAndNamedInImageAndJournal) {
  history_.WithoutCheckpoints();
  ASSERT_TRUE(history_.Live(12, true));
  ASSERT_TRUE(history_.Live(12, true));
  ASSERT_FALSE(HasFailure());
  ASSERT_TRUE(history_.Store().Recover().ok());
  size_t bytes = 0;
  ASSERT_GE(Files("").size(), 3u) << "an image and two segments";
  for (const std::string& name : Files("")) {
    for (size_t byte = 0; byte < SizeOf(name); ++byte, ++bytes) {
      Flip(name, byte);
      const absl::Status status = history_.Store().Recover().status();
      ASSERT_TRUE(absl::IsDataLoss(status)) << name << " at " << byte << ": " << status;
      const std::string message(MessageOf(status));
      ASSERT_THAT(message, HasSubstr("/a/current/" + name + ": damaged at byte "));
      Flip(name, byte);
    }
  }
  EXPECT_GT(bytes, 500u);
  ASSERT_NO_FATAL_FAILURE(history_.Check());
}

TEST_F(FlippedBits, OfTheNewestImageCostNothingWhileAnOlderOneIsThere) {
  while (Files("fsimage_").size() < 2) {
    ASSERT_TRUE(history_.Live(10, true));
    ASSERT_FALSE(HasFailure());
  }
  const std::string newest = Files("fsimage_").back();
  const auto intact = history_.Store().Recover();
  ASSERT_TRUE(intact.ok()) << intact.status();
  for (size_t byte = 0; byte < SizeOf(newest); byte += 5) {
    Flip(newest, byte);
    const auto loaded = history_.Store().Recover();
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    ASSERT_LT(loaded->image_txid, intact->image_txid) << byte;
    ASSERT_EQ(loaded->last_txid, intact->last_txid);
    ASSERT_EQ(loaded->state->digest(), intact->state->digest()) << byte;
    Flip(newest, byte);
  }
}

}  // namespace
}  // namespace cairn::namenode
