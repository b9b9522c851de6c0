// The pure parts: configuration, packets' checksums, temporary names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "client/client_config.h"
#include "client/client_core.h"
#include "client/packet.h"
#include "client/temporary_name.h"
#include "common/crc32c.h"
#include "common/status.h"
#include "common/strings.h"
#include "proto/data_transfer.pb.h"

namespace cairn {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ClientConfigTest : public ::testing::Test {
 protected:
  ClientConfigTest() { std::filesystem::create_directories(home_ / ".config/cairn"); }
  ~ClientConfigTest() override { std::filesystem::remove_all(home_); }

  void WriteFile(const std::string& text) {
    std::ofstream(home_ / ".config/cairn/client.toml") << text;
  }
  absl::StatusOr<ClientOptions> Resolve(std::vector<std::string> args,
                                        const std::map<std::string, std::string>& env = {},
                                        std::string_view cluster = "") {
    CommandLine line("cairn", "");
    line.AddCommand("ls", "PATH", 0, Command::kAnyNumber, "");
    ClientConfig config;
    config.Declare(line, home_.string());
    args.insert(args.begin(), "ls");
    const auto parsed = line.Parse(args, [&](const char* name) -> const char* {
      const auto it = env.find(name);
      return it == env.end() ? nullptr : it->second.c_str();
    });
    if (!parsed.ok()) return parsed.status();
    return config.Resolve(cluster);
  }

  const std::filesystem::path home_ =
      std::filesystem::path(::testing::TempDir()) / ("cairn-home-" + NewUuid());
};

TEST_F(ClientConfigTest, TheStrongestSourceNamesTheNameNode) {
  const std::map<std::string, std::string> env = {{"CAIRN_NAMENODE", "env:1,env2:2"}};
  EXPECT_THAT(Resolve({})->namenodes, ElementsAre("127.0.0.1:8020"));
  WriteFile("namenode = \"file:3\"\n");
  EXPECT_THAT(Resolve({})->namenodes, ElementsAre("file:3"));
  EXPECT_THAT(Resolve({}, env)->namenodes, ElementsAre("env:1", "env2:2"));
  EXPECT_THAT(Resolve({"--namenode", "flag:4"}, env)->namenodes, ElementsAre("flag:4"));
}

TEST_F(ClientConfigTest, UserRackAndTimeout) {
  WriteFile("timeout = \"5s\"\nrack = \"/a/b\"\n");
  const auto options = Resolve({}, {{"CAIRN_USER", "ann"}});
  ASSERT_TRUE(options.ok()) << options.status();
  EXPECT_EQ(options->user, "ann");
  EXPECT_EQ(options->rack, "/a/b");
  EXPECT_EQ(options->timeout_ms, 5'000);
  EXPECT_EQ(Resolve({"--user=bob"}, {{"CAIRN_USER", "ann"}})->user, "bob");
}

TEST_F(ClientConfigTest, ShortCircuitReadsCanBeSwitchedOff) {
  EXPECT_TRUE(Resolve({})->short_circuit);
  EXPECT_FALSE(Resolve({"--no-short-circuit"})->short_circuit);
  EXPECT_FALSE(Resolve({}, {{"CAIRN_NO_SHORT_CIRCUIT", "true"}})->short_circuit);
  WriteFile("no-short-circuit = true\n");
  EXPECT_FALSE(Resolve({})->short_circuit);
}

TEST_F(ClientConfigTest, ClustersHaveTheirOwnNameNodes) {
  WriteFile(
      "[clusters.archive]\nnamenode = \"a:1,b:2\"\n[clusters.empty]\n"
      "[clusters.odd]\nnamenode = \"a:1\"\ncolour = \"red\"\n");
  EXPECT_THAT(Resolve({"--namenode", "flag:4"}, {}, "archive")->namenodes,
              ElementsAre("a:1", "b:2"));
  for (const char* name : {"other", "empty", "odd"}) {
    const absl::Status status = Resolve({}, {}, name).status();
    EXPECT_EQ(KindOf(status), ErrorKind::kUsage) << name;
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr(name));
  }
}

TEST_F(ClientConfigTest, AnUnknownKeyIsAnError) {
  WriteFile("namenod = \"a:1\"\n");
  const absl::Status status = Resolve({}).status();
  EXPECT_EQ(KindOf(status), ErrorKind::kUsage);
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("client.toml:1"));
}

TEST_F(ClientConfigTest, OptionsThatMakeNoSenseAreRefused) {
  EXPECT_EQ(KindOf(FileSystem::Connect({}).status()), ErrorKind::kUsage);
  EXPECT_EQ(KindOf(FileSystem::Connect({.namenodes = {"a:b:c"}}).status()), ErrorKind::kUsage);
  EXPECT_EQ(KindOf(FileSystem::Connect({.namenodes = {"a:1"}, .timeout_ms = 0}).status()),
            ErrorKind::kUsage);
  const auto core = ClientCore::Make({.namenodes = {"nn"}});
  ASSERT_TRUE(core.ok());
  EXPECT_THAT((*core)->options().namenodes, ElementsAre("nn:8020"));
  EXPECT_FALSE((*core)->options().user.empty());
  EXPECT_FALSE((*core)->options().host.empty());
}

TEST(ClientPathTest, PlainAndWithACluster) {
  EXPECT_EQ(ParseClientPath("/a/b")->path, "/a/b");
  EXPECT_EQ(ParseClientPath("/a/b")->cluster, "");
  EXPECT_EQ(ParseClientPath("cairn://x/a/b")->path, "/a/b");
  EXPECT_EQ(ParseClientPath("cairn://x/a/b")->cluster, "x");
  EXPECT_EQ(ParseClientPath("cairn://x")->path, "/");
  for (const char* wrong : {"", "a/b", "cairn://", "cairn:///a", "hdfs://x/a"}) {
    EXPECT_EQ(KindOf(ParseClientPath(wrong).status()), ErrorKind::kUsage) << wrong;
  }
}

TEST(PacketTest, OneChecksumAChunk) {
  v1::WritePacket packet;
  AddChecksums(packet);
  EXPECT_EQ(packet.crcs_size(), 0);
  packet.set_payload(std::string(4096, 'a') + "tail");
  AddChecksums(packet);
  AddChecksums(packet);  // anew, not in addition
  ASSERT_EQ(packet.crcs_size(), 2);
  EXPECT_EQ(packet.crcs(0), Crc32c(std::string(4096, 'a')));
  EXPECT_EQ(packet.crcs(1), Crc32c("tail"));
}

TEST(PacketTest, EveryWrongByteIsFound) {
  v1::WritePacket written;
  written.set_payload(std::string(3 * 4096 + 10, 'x'));
  AddChecksums(written);
  ReadPacketMessage packet;
  packet.fields.set_offset(8192);
  packet.payload = absl::Cord(written.payload());
  for (const uint32_t crc : written.crcs()) packet.fields.add_crcs(crc);
  EXPECT_TRUE(VerifyChecksums(packet).ok());
  for (const size_t at : {size_t{0}, size_t{4095}, size_t{4096}, packet.payload.size() - 1}) {
    ReadPacketMessage bad = packet;
    std::string bytes(packet.payload);
    bytes[at] ^= 0x10;
    bad.payload = absl::Cord(bytes);
    EXPECT_EQ(KindOf(VerifyChecksums(bad)), ErrorKind::kChecksum) << at;
  }
}

TEST(PacketTest, ChecksumsMustFitThePayload) {
  ReadPacketMessage packet;
  packet.payload = absl::Cord("abc");
  EXPECT_EQ(KindOf(VerifyChecksums(packet)), ErrorKind::kChecksum);
  packet.fields.add_crcs(Crc32c("abc"));
  EXPECT_TRUE(VerifyChecksums(packet).ok());
  packet.fields.set_offset(1);
  EXPECT_EQ(KindOf(VerifyChecksums(packet)), ErrorKind::kChecksum);
}

TEST(TemporaryNameTest, StaysBesideTheDestination) {
  EXPECT_EQ(TemporaryName("/d/f", 0xabc), "/d/f._COPYING_.0000000000000abc");
  EXPECT_EQ(TemporaryName("/f", 1), "/f._COPYING_.0000000000000001");
}

TEST(TemporaryNameTest, FitsIntoAComponentWithWholeCharacters) {
  const std::string plain = TemporaryName("/d/" + std::string(255, 'n'), 1);
  EXPECT_EQ(plain.size(), 3 + kMaxNameBytes);
  for (size_t shift = 0; shift < 3; ++shift) {
    std::string name(shift, 'n');
    while (name.size() + 3 <= 255) name += "\xE2\x82\xAC";  // the euro sign, three bytes
    const std::string cut = TemporaryName("/d/" + name, 1);
    EXPECT_LE(cut.size(), 3 + kMaxNameBytes);
    EXPECT_GT(cut.size(), kMaxNameBytes);
    EXPECT_TRUE(IsValidUtf8(cut));
  }
}

}  // namespace
}  // namespace cairn
