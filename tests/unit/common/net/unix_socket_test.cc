#include "common/net/unix_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/unit/common/temp_dir.h"

namespace cairn {
namespace {

constexpr int64_t kPatienceMs = 20'000;

size_t OpenDescriptors() {
  size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    count += entry.exists() ? 1 : 0;
  }
  return count;
}

class UnixSocketTest : public testing::Test {
 protected:
  struct Pair {
    UnixListener listener;
    Fd client;
    Fd server;
  };
  Pair Connected(const std::string& path) {
    auto listener = UnixListener::Listen(path);
    EXPECT_TRUE(listener.ok()) << listener.status();
    auto client = ConnectUnix(listener->path());
    EXPECT_TRUE(client.ok()) << client.status();
    auto server = listener->Accept();
    EXPECT_TRUE(server.ok()) << server.status();
    return {*std::move(listener), *std::move(client), *std::move(server)};
  }
  Fd FileWith(const std::string& text) {
    std::ofstream(dir_ / "file") << text;
    return Fd(open((dir_ / "file").c_str(), O_RDONLY | O_CLOEXEC));
  }

  TempDir dir_;
};

TEST_F(UnixSocketTest, PassesMessagesWithDescriptors) {
  Pair pair = Connected(dir_ / "socket");
  const Fd file = FileWith("content");
  const int twice[] = {file.get(), file.get()};
  ASSERT_EQ(SendUnix(pair.server, "first", twice), absl::OkStatus());
  ASSERT_EQ(SendUnix(pair.server, "second", {}), absl::OkStatus());
  pair.server.Close();  // what was sent arrives all the same

  auto message = ReceiveUnix(pair.client, 100, kPatienceMs);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->bytes, "first");
  ASSERT_EQ(message->descriptors.size(), 2u);
  for (const Fd& passed : message->descriptors) {
    char text[8] = {};
    EXPECT_EQ(pread(passed.get(), text, 7, 0), 7);
    EXPECT_STREQ(text, "content");
    EXPECT_NE(fcntl(passed.get(), F_GETFD) & FD_CLOEXEC, 0);
  }
  message = ReceiveUnix(pair.client, 100, kPatienceMs);
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_EQ(message->bytes, "second");
  EXPECT_TRUE(message->descriptors.empty());
  EXPECT_TRUE(absl::IsUnavailable(ReceiveUnix(pair.client, 100, kPatienceMs).status()));

  const auto peer = PeerOf(pair.client);
  ASSERT_TRUE(peer.ok());
  EXPECT_EQ(peer->pid, getpid());
  EXPECT_EQ(peer->uid, geteuid());
}

TEST_F(UnixSocketTest, TooLongMessagesAndTooManyDescriptorsLeaveNothingOpen) {
  const Pair pair = Connected(dir_ / "socket");
  const Fd file = FileWith("content");
  const int fds[] = {file.get(), file.get()};
  const int three[] = {file.get(), file.get(), file.get()};
  EXPECT_FALSE(SendUnix(pair.server, "three", three).ok());

  const size_t before = OpenDescriptors();
  ASSERT_EQ(SendUnix(pair.server, std::string(101, 'x'), fds), absl::OkStatus());
  EXPECT_TRUE(absl::IsInvalidArgument(ReceiveUnix(pair.client, 100, kPatienceMs).status()));
  // More than fit, as only another program sends them.
  char byte = 'x';
  iovec piece{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(three))] = {};
  msghdr header{};
  header.msg_iov = &piece;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  cmsghdr* part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(sizeof(three));
  std::memcpy(CMSG_DATA(part), three, sizeof(three));
  ASSERT_EQ(sendmsg(pair.server.get(), &header, 0), 1);
  EXPECT_TRUE(absl::IsInvalidArgument(ReceiveUnix(pair.client, 100, kPatienceMs).status()));
  EXPECT_EQ(OpenDescriptors(), before);
}

TEST_F(UnixSocketTest, ASilentPeerIsGivenUp) {
  const Pair pair = Connected(dir_ / "socket");
  EXPECT_TRUE(absl::IsDeadlineExceeded(ReceiveUnix(pair.client, 100, 20).status()));
  EXPECT_TRUE(absl::IsDeadlineExceeded(ReceiveUnix(pair.client, 100, 0).status()));
}

TEST_F(UnixSocketTest, PathsMayBeLong) {
  const std::string folder = dir_ / (std::string(90, 'a') + "/" + std::string(90, 'b'));
  std::filesystem::create_directories(folder);
  const Pair pair = Connected(folder + "/socket");
  EXPECT_EQ(pair.listener.path(), folder + "/socket");
  EXPECT_FALSE(UnixListener::Listen(dir_ / std::string(108, 'c')).ok());
  EXPECT_FALSE(UnixListener::Listen("relative/socket").ok());
  EXPECT_TRUE(absl::IsNotFound(UnixListener::Listen(dir_ / "none/socket").status()));
}

TEST_F(UnixSocketTest, TakesThePlaceOfTheDeadOnly) {
  const std::string path = dir_ / "socket";
  {
    const auto first = UnixListener::Listen(path);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_TRUE(absl::IsAlreadyExists(UnixListener::Listen(path).status()));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  {
    // As a process that was killed leaves it.
    const Fd dead(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    ASSERT_EQ(bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_TRUE(absl::IsNotFound(ConnectUnix(path).status()));
  EXPECT_TRUE(UnixListener::Listen(path).ok());
  std::ofstream(path) << "a file";
  EXPECT_TRUE(absl::IsAlreadyExists(UnixListener::Listen(path).status()));
  EXPECT_TRUE(absl::IsNotFound(ConnectUnix(path).status()));
}

TEST_F(UnixSocketTest, OnlyASafeWayIsGone) {
  const std::string folder = dir_ / "folder";
  std::filesystem::create_directories(folder);
  const auto listener = UnixListener::Listen(folder + "/socket");
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_TRUE(ConnectUnix(folder + "/socket").ok());
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  EXPECT_TRUE(absl::IsPermissionDenied(ConnectUnix(folder + "/socket").status()));
  ASSERT_EQ(chmod(folder.c_str(), 01777), 0);
  EXPECT_TRUE(ConnectUnix(folder + "/socket").ok());
  ASSERT_EQ(chmod(folder.c_str(), 0755), 0);
  // Nor through symbolic links, which the server's own path has none of.
  std::filesystem::create_directory_symlink(folder, dir_ / "link");
  EXPECT_FALSE(ConnectUnix(dir_ / "link/socket").ok());
  const auto through_link = UnixListener::Listen(dir_ / "link/other");
  ASSERT_TRUE(through_link.ok()) << through_link.status();
  EXPECT_EQ(through_link->path(), folder + "/other");
}

TEST_F(UnixSocketTest, AFullBacklogIsNotWaitedFor) {
  const auto listener = UnixListener::Listen(dir_ / "socket");
  ASSERT_TRUE(listener.ok()) << listener.status();
  std::vector<Fd> waiting;
  absl::Status status;
  while (status.ok() && waiting.size() < 1000) {
    auto client = ConnectUnix(listener->path());
    status = client.status();
    if (client.ok()) waiting.push_back(*std::move(client));
  }
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
}

}  // namespace
}  // namespace cairn
