#include "namenode/codec/edit_codec.h"

#include <fmt/format.h>
#include <google/protobuf/stubs/logging.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/namenode/namespace/fs_fixture.h"

namespace cairn::namenode {
namespace {

std::vector<EditRecord> AllEdits() {
  const NewBlock block{7, 8, 4096, {1, 2, 3}};
  const std::vector<FinishedBlock> finished = {{{5, 6, 4096}, {1, 3}}, {{6, 7, 1}, {}}};
  const RetryKey key{Client(5), 17, 12};
  CompleteEdit complete{.inode = 9, .finished = finished, .new_parent = 3, .new_name = "n"};
  complete.mtime_ms = -5;
  complete.mode = 0;
  CreateEdit create{2, "f\xc3\xa9", 9, 8, "ann", "staff", 0644, 3, 4096, Client(4), true, block, 2};
  return {
      {1, std::nullopt, MkdirsEdit{1, {"a", "b"}, 2, "ann", "staff", 01777}, NoAnswer{}},
      {-1, key, create, CreatedAnswer{9, block, 3, 4096, 2}},
      {1, key, CreateEdit{}, CreatedAnswer{}},
      {2, key, AddBlockEdit{9, finished, block}, NewBlockAnswer{block, 4096}},
      {3, key, AbandonBlockEdit{9, 7}, NoAnswer{}},
      {4, RetryKey{}, complete, NoAnswer{}},
      {5, std::nullopt, TakeOverEdit{9}, NoAnswer{}},
      {6, key, RenameEdit{9, 1, "x"}, NoAnswer{}},
      {7, key, DeleteEdit{9}, NoAnswer{}},
      {8, std::nullopt, ReclaimEdit{5000}, NoAnswer{}},
      {9, key, SetReplicationEdit{9, 2}, NoAnswer{}},
      {10, key, SetTimesEdit{9, -1, 5}, NoAnswer{}},
      {11, key, SetOwnerEdit{9, "a", ""}, NoAnswer{}},
      {12, key, SetPermissionEdit{9, 0}, NoAnswer{}},
      {13, std::nullopt, RegisterNodeEdit{1, "uuid", "/r", {{1, "s1"}, {2, "s2"}}},
       RegisteredAnswer{1, {1, 2}}},
      {14, std::nullopt, StartEdit{3}, NoAnswer{}},
      {15, std::nullopt, DigestEdit{UINT64_MAX, 1}, NoAnswer{}},
      {16, key, NewStampEdit{9, 7, 10}, NewStampAnswer{10, {4, 5}}},
      {17, key, UpdatePipelineEdit{9, 7, 10, {1, 4}}, NoAnswer{}},
      {18, key, AppendEdit{9, Client(4), 2, 7, {1, 2}},
       AppendedAnswer{9, 5000, 3, 4096, 2, block, 904}},
      {19, key, AppendEdit{9, Client(4), 1, 0, {}}, AppendedAnswer{}},
      {20, key, TruncateEdit{9, 4097, 7, 11, {1, 2}}, TruncatedAnswer{false}},
      {21, key, TruncateEdit{9, 4096, 0, 0, {}}, TruncatedAnswer{true}},
      {22, std::nullopt, BeginRecoveryEdit{9, 7, 12}, NewStampAnswer{12, {}}},
      {23, std::nullopt, CommitRecoveryEdit{9, 7, 12, 1, {1, 3}}, NoAnswer{}},
      {24, std::nullopt, RaiseCountersEdit{100, 200, 7}, NoAnswer{}},
      {25, key, SetQuotaEdit{9, {.names = 12, .space = 0}}, NoAnswer{}},
      {26, key, SetQuotaEdit{9, {}}, NoAnswer{}},
      {27, key, ConcatEdit{9, {12, 11}}, NoAnswer{}},
      {28, key, SetAdminStateEdit{3, AdminState::kMaintenance}, NoAnswer{}},
      {29, std::nullopt, SetAdminStateEdit{3, static_cast<AdminState>(UINT32_MAX)}, NoAnswer{}},
  };
}

std::string Encoded(const EditRecord& record) {
  std::string bytes;
  EncodeEdit(record, &bytes);
  return bytes;
}

TEST(EditCodecTest, EveryEditComesBack) {
  std::set<size_t> kinds;
  for (const EditRecord& record : AllEdits()) {
    kinds.insert(record.edit.index());
    const std::string bytes = Encoded(record);
    const auto decoded = DecodeEdit(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->time_ms, record.time_ms);
    EXPECT_EQ(decoded->edit.index(), record.edit.index());
    EXPECT_EQ(decoded->answer, record.answer);
    EXPECT_EQ(decoded->retry.has_value(), record.retry.has_value());
    EXPECT_EQ(Encoded(*decoded), bytes);
  }
  EXPECT_EQ(kinds.size(), std::variant_size_v<Edit>);
}

TEST(EditCodecTest, FieldsComeBack) {
  const auto edits = AllEdits();
  const auto decoded = *DecodeEdit(Encoded(edits[1]));
  const auto& create = std::get<CreateEdit>(decoded.edit);
  EXPECT_EQ(create.parent, 2u);
  EXPECT_EQ(create.name, "f\xc3\xa9");
  EXPECT_EQ(create.replaced, 8u);
  EXPECT_EQ(create.holder, Client(4));
  EXPECT_TRUE(create.unpublished);
  EXPECT_EQ(create.first_block, (NewBlock{7, 8, 4096, {1, 2, 3}}));
  EXPECT_EQ(decoded.retry->client, Client(5));
  EXPECT_EQ(decoded.retry->call_id, 17u);
  EXPECT_EQ(decoded.retry->done_below, 12u);
  const auto again = *DecodeEdit(Encoded(edits[5]));
  const auto& complete = std::get<CompleteEdit>(again.edit);
  EXPECT_EQ(complete.mtime_ms, -5);
  EXPECT_EQ(complete.mode, 0u);
  EXPECT_EQ(complete.finished.size(), 2u);
}

TEST(EditCodecTest, FieldsOfRecoveryComeBack) {
  const auto edits = AllEdits();
  const auto decode = [](const EditRecord& record) { return *DecodeEdit(Encoded(record)); };
  const auto find = [&](auto kind) {
    for (const EditRecord& record : edits) {
      if (std::holds_alternative<decltype(kind)>(record.edit)) {
        return std::get<decltype(kind)>(decode(record).edit);
      }
    }
    return kind;
  };
  const auto update = find(UpdatePipelineEdit{});
  EXPECT_EQ(update.inode, 9u);
  EXPECT_EQ(update.block, 7u);
  EXPECT_EQ(update.generation, 10u);
  EXPECT_EQ(update.pipeline, (std::vector<NodeNumber>{1, 4}));
  const auto append = find(AppendEdit{});
  EXPECT_EQ(append.holder, Client(4));
  EXPECT_EQ(append.min_replicas, 2u);
  EXPECT_EQ(append.reopened, 7u);
  EXPECT_EQ(append.pipeline, (std::vector<NodeNumber>{1, 2}));
  const auto truncate = find(TruncateEdit{});
  EXPECT_EQ(truncate.length, 4097u);
  EXPECT_EQ(truncate.cut, 7u);
  EXPECT_EQ(truncate.recovery, 11u);
  EXPECT_EQ(truncate.pipeline, (std::vector<NodeNumber>{1, 2}));
  const auto commit = find(CommitRecoveryEdit{});
  EXPECT_EQ(commit.block, 7u);
  EXPECT_EQ(commit.generation, 12u);
  EXPECT_EQ(commit.length, 1u);
  EXPECT_EQ(commit.storages, (std::vector<StorageNumber>{1, 3}));
  const auto begin = find(BeginRecoveryEdit{});
  EXPECT_EQ(begin.block, 7u);
  EXPECT_EQ(begin.generation, 12u);
  EXPECT_EQ(find(NewStampEdit{}).block, 7u);
  EXPECT_EQ(find(NewStampEdit{}).generation, 10u);
  EXPECT_EQ(find(TakeOverEdit{}).inode, 9u);
  const auto raise = find(RaiseCountersEdit{});
  EXPECT_EQ(raise.next_block, 100u);
  EXPECT_EQ(raise.next_generation, 200u);
  EXPECT_EQ(raise.epoch, 7u);
  EXPECT_EQ(find(CreateEdit{}).min_replicas, 2u);
  EXPECT_EQ(find(SetQuotaEdit{}).inode, 9u);
  EXPECT_EQ(find(SetQuotaEdit{}).quota, (Quota{.names = 12, .space = 0}));
  EXPECT_EQ(find(SetAdminStateEdit{}).node, 3u);
  EXPECT_EQ(find(SetAdminStateEdit{}).state, AdminState::kMaintenance);
  EXPECT_EQ(find(ConcatEdit{}).target, 9u);
  EXPECT_EQ(find(ConcatEdit{}).sources, (std::vector<INodeId>{12, 11}));
}

TEST(EditCodecTest, AppendsToWhatIsThere) {
  std::string bytes = "before";
  EncodeEdit(AllEdits()[0], &bytes);
  EXPECT_EQ(bytes, "before" + Encoded(AllEdits()[0]));
}

TEST(EditCodecTest, RefusesWhatItDoesNotKnow) {
  const std::string good = Encoded(AllEdits()[7]);
  EXPECT_FALSE(DecodeEdit("").ok());
  EXPECT_FALSE(DecodeEdit(good + std::string("\xf8\x07\x01", 3)).ok()) << "an unknown field";
  EXPECT_FALSE(DecodeEdit(good + good).ok()) << "two records";
  EXPECT_FALSE(DecodeEdit(std::string("\x08\x02", 2)).ok()) << "no edit";
}

TEST(EditCodecTest, GarbageIsAnErrorAndNoCrash) {
  const google::protobuf::LogSilencer quiet;  // it has much to say about garbage
  std::mt19937_64 random(7);
  for (const EditRecord& record : AllEdits()) {
    const std::string good = Encoded(record);
    for (size_t size = 0; size < good.size(); ++size) {
      const auto cut = DecodeEdit(std::string_view(good).substr(0, size));
      // A cut that is a record by chance must be that record, whole.
      if (cut.ok()) EXPECT_EQ(Encoded(*cut), good.substr(0, size));
    }
    for (int i = 0; i < 300; ++i) {
      std::string bad = good;
      bad[random() % bad.size()] ^= static_cast<char>(1 << random() % 8);
      const auto decoded = DecodeEdit(bad);
      if (decoded.ok()) EXPECT_EQ(Encoded(*decoded), bad);
    }
  }
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 60, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    const auto decoded = DecodeEdit(bytes);
    if (decoded.ok()) EXPECT_EQ(Encoded(*decoded), bytes);
  }
}

TEST(EditCodecTest, JsonIsOneLineWithTheFieldNames) {
  const std::string json = EditToJson(42, AllEdits()[6 + 1]);
  EXPECT_EQ(json.find('\n'), std::string::npos);
  EXPECT_THAT(json, testing::StartsWith("{\"txid\":42,\"record\":{"));
  EXPECT_THAT(json, testing::HasSubstr("\"rename\":{\"inode\":\"9\""));
  EXPECT_THAT(json, testing::HasSubstr("\"new_name\":\"x\""));
  std::string all;
  for (const EditRecord& record : AllEdits()) all += EditToJson(1, record);
  for (const char* kind :
       {"new_stamp_edit", "update_pipeline", "append", "truncate", "take_over", "begin_recovery",
        "commit_recovery", "raise_counters", "set_quota", "concat", "set_admin_state"}) {
    EXPECT_THAT(all, testing::HasSubstr(fmt::format("\"{}\":{{\"", kind)));
  }
}

}  // namespace
}  // namespace cairn::namenode
