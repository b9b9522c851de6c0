// Writes what the fuzzers begin with: DIR/<fuzzer>/<n>, valid inputs made by the code under test.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "datanode/scrubber/scan_progress.h"
#include "datanode/store/checksum_file.h"
#include "datanode/store/small_log_format.h"
#include "namenode/codec/edit_codec.h"
#include "namenode/codec/image.h"
#include "namenode/journal/segment_format.h"
#include "namenode/namespace/apply.h"
#include "namenode/namespace/plan.h"
#include "proto/data_transfer.pb.h"

namespace cairn::namenode {
namespace {

class Seeds {
 public:
  explicit Seeds(std::string dir) : dir_(std::move(dir)) {}
  void Add(const std::string& fuzzer, const std::string& bytes) {
    const std::filesystem::path folder = std::filesystem::path(dir_) / fuzzer;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / std::to_string(count_++), std::ios::binary) << bytes;
  }

 private:
  const std::string dir_;
  int count_ = 0;
};

std::string LengthByte(const std::string& bytes) {
  return std::string(1, static_cast<char>(bytes.size())) + bytes;
}

// A small history; each of its edits is a seed, and so are the states on the way.
void AddEdits(Seeds& seeds) {
  FsState state = FsState::Format("root", "supergroup", 0);
  const Caller root{"root", {}, true};
  Facts facts;
  facts.targets = {1};
  std::string records;
  std::string frames = "\1";
  const auto carry = [&](const Planned& planned) {
    const EditRecord record{1000, RetryKey{{1}, state.applied_txid() + 1, 1}, *planned.edit,
                            planned.answer};
    std::string bytes;
    EncodeEdit(record, &bytes);
    if (!Apply(state, state.applied_txid() + 1, record).ok()) return;
    seeds.Add("fuzz_edit", bytes);
    if (bytes.size() < 256) records += LengthByte(bytes);
    std::string prefixed(kRecordPrefixBytes, '\0');
    PutU32(static_cast<uint32_t>(bytes.size()), prefixed.data());
    prefixed += bytes;
    if (prefixed.size() < 256) frames += std::string("\0\2", 2) + LengthByte(prefixed);
  };
  carry(PlanRegisterNode(state, {"n", "/r", {"s"}}));
  carry(PlanMkdirs(state, root, {"/d/e", 0755, true}, facts));
  CreateRequest create{.path = "/d/f", .replication = 1, .block_size = 4096, .with_block = true};
  carry(PlanCreate(state, root, create, facts));
  const INodeId inode = state.next_inode() - 1;
  const BlockId block = state.next_block() - 1;
  CompleteRequest complete{
      .inode = inode,
      .finished = {FinishedBlock{{block, state.FindBlock(block)->generation(), 9}, {1}}},
      .publish_as = "/d/g"};
  carry(PlanComplete(state, root, complete, facts));
  carry(PlanSetTimes(state, root, "/d/g", 5, 6, facts));
  carry(PlanSetOwner(state, root, "/d/g", "u", "g", facts));
  carry(PlanSetPermission(state, root, "/d", 0700, facts));
  carry(PlanSetReplication(state, root, "/d/g", 2, facts));
  carry(PlanRename(state, root, {"/d/g", "/h"}, facts));
  carry(PlanDelete(state, root, {"/d", true}, facts));
  carry(PlanSetAdminState(state, root, {1, AdminState::kMaintenance}));
  carry(PlanStart(state));
  carry(PlanDigest(state));
  std::string image;
  (void)SaveImage(state, "cluster", [&](std::string_view bytes) {
    image += bytes;
    return absl::OkStatus();
  });
  seeds.Add("fuzz_image", image);
  carry(PlanReclaim(state, 10));
  seeds.Add("fuzz_apply", records);
  seeds.Add("fuzz_segment", frames);
  seeds.Add("fuzz_segment", std::string(1, '\0') + EncodeSegmentHeader({std::string(16, 'i'), 1}));
}

void AddTexts(Seeds& seeds) {
  for (const char* text : {"name = \"a\"\nsize = \"1.5G\" # x\nlist = [\"a\", \"b\"]\n",
                           "wait = \"250ms\"\n", "1.5h", "64KiB", "[x]\ny = 1\n"}) {
    seeds.Add("fuzz_options", text);
  }
  for (const char* text : {"/a//b/../c/", "/ö/日", "a*[!x-z]?\\*", "u+rwX,g=u,+t", "1777",
                           "261128021105-1", "*a*b*c", "[a-"}) {
    seeds.Add("fuzz_words", text);
  }
  for (const char* target :
       {"/api/report?limit=10&x", "/a%20b/%e6%97%a5?k+1=%26%3d&=v&&k+1=", "/%00"}) {
    seeds.Add("fuzz_http", target);
  }
  seeds.Add("fuzz_version", R"({"layout":1,"type":"namenode","cluster_id":"c","node_id":"n",)"
                            R"("storage_id":"s"})");
  seeds.Add("fuzz_version", R"({"layout":2,"type":"datanode","crc32c":"00000000"})");
}

void AddChecksums(Seeds& seeds) {
  using namespace cairn::datanode;
  const std::vector<uint32_t> crcs = {1, 2};
  seeds.Add("fuzz_checksums", EncodeChecksumFile(7, 5000, crcs));
  std::string open = EncodeChecksumHeader(7);
  const std::string slot = EncodeChecksumSlot({4096, 3, kFirstSyncSequence});
  open.replace(ChecksumSlotOffset(kFirstSyncSequence), slot.size(), slot);
  seeds.Add("fuzz_checksums", open);
  seeds.Add("fuzz_checksums", "blk_7_12_500.unsynced");
  seeds.Add("fuzz_checksums", EncodeScanProgress({.began_ms = 1'700'000'000'000, .done = 7}));
}

// Two whole records and a torn one, without the rest of the segment's header, which is zeros.
void AddSmallLog(Seeds& seeds) {
  using namespace cairn::datanode;
  std::string segment = EncodeSmallSegmentHeader({.sequence = 3, .salt = 0});
  for (const uint64_t length : {0, 9, 10}) {
    SmallRecord record({.id = 5, .generation = 6, .length = length});
    for (char& byte : record.data()) byte = 'x';
    record.Seal();
    record.Stamp(/*salt=*/0, segment.size());
    seeds.Add("fuzz_small_log", std::string(record.bytes().substr(0, 100)));
    segment += record.bytes();
  }
  seeds.Add("fuzz_small_log", segment.substr(0, segment.size() - 4096 + 70));
}

// The first byte says how fuzz_packet cuts the rest.
void AddPackets(Seeds& seeds) {
  v1::WritePacket packet;
  packet.mutable_header()->mutable_block()->set_id(7);
  packet.mutable_header()->set_client("c");
  packet.set_seq(5);
  packet.set_offset(4096);
  packet.set_last(true);
  packet.add_crcs(77);
  packet.set_payload(std::string(200, 'x'));
  for (const char cut : {'\0', '\1', '\3', '\50'}) {
    seeds.Add("fuzz_packet", cut + packet.SerializeAsString());
  }
}

}  // namespace
}  // namespace cairn::namenode

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::filesystem::remove_all(argv[1]);
  cairn::namenode::Seeds seeds(argv[1]);
  cairn::namenode::AddEdits(seeds);
  cairn::namenode::AddTexts(seeds);
  cairn::namenode::AddChecksums(seeds);
  cairn::namenode::AddSmallLog(seeds);
  cairn::namenode::AddPackets(seeds);
  return 0;
}
