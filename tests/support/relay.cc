#include "tests/support/relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

namespace cairn::testing {
namespace {

constexpr size_t kBufferBytes = 64 << 10;
// Small enough that a slow relay is felt at once, large enough for a fast one.
constexpr int kSocketBufferBytes = 256 << 10;
constexpr int kThrottleTickMs = 5;

constexpr size_t Index(Direction direction) { return static_cast<size_t>(direction); }

sockaddr_in Address(uint32_t host, uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host);
  address.sin_port = htons(port);
  return address;
}

void SetOption(int fd, int level, int name, int value) {
  setsockopt(fd, level, name, &value, sizeof(value));
}

int NewSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fd;
  SetOption(fd, SOL_SOCKET, SO_RCVBUF, kSocketBufferBytes);
  SetOption(fd, SOL_SOCKET, SO_SNDBUF, kSocketBufferBytes);
  return fd;
}

// A socket bound to `port` (0: a free one), beside others of ours.
absl::StatusOr<int> NewBoundSocket(uint16_t port) {
  const int fd = NewSocket();
  if (fd < 0) return ErrnoStatus("socket", errno);
  SetOption(fd, SOL_SOCKET, SO_REUSEPORT, 1);
  SetOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  const sockaddr_in address = Address(INADDR_LOOPBACK, port);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) return fd;
  const absl::Status status = ErrnoStatus("bind", errno);
  close(fd);
  return status;
}

// Begins to connect; -1 when that fails at once.
int BeginConnect(const std::string& target) {
  const size_t colon = target.rfind(':');
  in_addr host = {};
  if (colon == std::string::npos || inet_pton(AF_INET, target.substr(0, colon).c_str(), &host) != 1)
    return -1;
  const int fd = NewSocket();
  if (fd < 0) return fd;
  SetOption(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  const sockaddr_in to = Address(
      ntohl(host.s_addr), static_cast<uint16_t>(std::atoi(target.substr(colon + 1).c_str())));
  if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) != 0 &&
      errno != EINPROGRESS) {
    close(fd);
    return -1;
  }
  return fd;
}

bool Transient(int error) { return error == EAGAIN || error == EINTR || error == ENOTCONN; }

bool IsConnecting(int fd) {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
         info.tcpi_state == TCP_SYN_SENT;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Relay>> Relay::Start(std::string target) {
  auto relay = std::unique_ptr<Relay>(new Relay(std::move(target)));
  RETURN_IF_ERROR(relay->Listen());
  relay->wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (relay->wake_ < 0) return ErrnoStatus("eventfd", errno);
  relay->thread_ = std::thread([raw = relay.get()] { raw->Run(); });
  return relay;
}

Relay::~Relay() {
  {
    MutexLock lock(mu_);
    stop_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
  {
    MutexLock lock(mu_);
    for (const Link& link : links_) CloseLink(link, /*reset=*/true);
    if (listener_ >= 0) close(listener_);
  }
  if (port_holder_ >= 0) close(port_holder_);
  if (wake_ >= 0) close(wake_);
}

absl::Status Relay::Listen() {
  if (port_holder_ < 0) {
    ASSIGN_OR_RETURN(port_holder_, NewBoundSocket(0));
    sockaddr_in bound = {};
    socklen_t size = sizeof(bound);
    getsockname(port_holder_, reinterpret_cast<sockaddr*>(&bound), &size);
    port_ = ntohs(bound.sin_port);
    address_ = fmt::format("127.0.0.1:{}", port_);
  }
  ASSIGN_OR_RETURN(const int fd, NewBoundSocket(port_));
  if (listen(fd, SOMAXCONN) != 0) {
    const absl::Status status = ErrnoStatus("listen", errno);
    close(fd);
    return status;
  }
  MutexLock lock(mu_);
  listener_ = fd;
  return absl::OkStatus();
}

void Relay::SetTarget(std::string target) {
  MutexLock lock(mu_);
  target_ = std::move(target);
}

void Relay::SetMode(Mode mode, uint64_t rate) {
  bool listening = false;
  {
    MutexLock lock(mu_);
    mode_ = mode;
    rate_ = rate;
    credit_ = {0, 0};
    refilled_ = std::chrono::steady_clock::now();
    if (mode == Mode::kRefuse) {
      if (listener_ >= 0) close(std::exchange(listener_, -1));
      for (Link& link : links_) link.broken = true;
    }
    listening = listener_ >= 0;
  }
  if (mode != Mode::kRefuse && !listening) {
    const absl::Status status = Listen();
    // The port is held: only a process without descriptors comes here.
    if (!status.ok()) fmt::print(stderr, "relay {}: {}\n", address_, MessageOf(status));
  }
  Wake();
}

void Relay::Pass() { SetMode(Mode::kPass, 0); }
void Relay::Throttle(uint64_t bytes_per_second) { SetMode(Mode::kThrottle, bytes_per_second); }
void Relay::Hold() { SetMode(Mode::kHold, 0); }
void Relay::Refuse() { SetMode(Mode::kRefuse, 0); }

void Relay::ResetAfter(Direction direction, uint64_t bytes) {
  MutexLock lock(mu_);
  faults_[Index(direction)].reset = bytes;
}

void Relay::FlipAfter(Direction direction, uint64_t bytes) {
  MutexLock lock(mu_);
  faults_[Index(direction)].flip = bytes;
}

void Relay::Disarm() {
  MutexLock lock(mu_);
  faults_ = {};
}

void Relay::ResetAll() {
  {
    MutexLock lock(mu_);
    for (Link& link : links_) link.broken = true;
  }
  Wake();
}

uint64_t Relay::forwarded(Direction direction) const {
  MutexLock lock(mu_);
  return forwarded_[Index(direction)];
}

size_t Relay::connections() const {
  MutexLock lock(mu_);
  return links_.size();
}

uint64_t Relay::accepted() const {
  MutexLock lock(mu_);
  return accepted_;
}

uint64_t Relay::resets() const {
  MutexLock lock(mu_);
  return resets_;
}

uint64_t Relay::flips() const {
  MutexLock lock(mu_);
  return flips_;
}

void Relay::Wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof(one));
}

void Relay::CloseLink(const Link& link, bool reset) {
  for (const int fd : {link.client, link.server}) {
    if (fd < 0) continue;
    const linger now{1, 0};
    if (reset) setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
  }
}

void Relay::Run() {
  std::vector<pollfd> fds;
  while (true) {
    int timeout_ms = -1;
    fds.assign(1, pollfd{wake_, POLLIN, 0});
    {
      MutexLock lock(mu_);
      if (stop_) return;
      timeout_ms = Refill();
      if (mode_ != Mode::kHold) {
        if (listener_ >= 0) fds.push_back({listener_, POLLIN, 0});
        for (const Link& link : links_) {
          for (const Flow& flow : link.flows) {
            // A descriptor without a wish stays out: poll would tell of its hang-up for ever.
            if (!flow.ended && flow.begin == flow.end) fds.push_back({flow.from, POLLIN, 0});
            if (Allowed(flow) > 0 || (flow.Done() && !flow.shut)) {
              fds.push_back({flow.to, POLLOUT, 0});
            }
          }
        }
      }
    }
    poll(fds.data(), fds.size(), timeout_ms);
    uint64_t woken = 0;
    [[maybe_unused]] const ssize_t taken = read(wake_, &woken, sizeof(woken));
    MutexLock lock(mu_);
    Sweep();
    if (stop_ || mode_ == Mode::kHold) continue;
    Refill();
    Accept();
    for (Link& link : links_) Serve(link);
    Sweep();
  }
}

int Relay::Refill() {
  if (mode_ != Mode::kThrottle) return -1;
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - refilled_).count();
  refilled_ = now;
  const double rate = static_cast<double>(rate_);
  bool waiting = false;
  for (size_t i = 0; i < credit_.size(); ++i) {
    // What is not used is saved for 50 ms at most, but at least for one byte.
    credit_[i] = std::min(credit_[i] + seconds * rate, std::max(1.0, rate / 20));
  }
  for (const Link& link : links_) {
    for (const Flow& flow : link.flows) {
      waiting = waiting || (flow.begin < flow.end && credit_[Index(flow.direction)] < 1);
    }
  }
  return waiting ? kThrottleTickMs : -1;
}

size_t Relay::Allowed(const Flow& flow) const {
  const size_t there = flow.end - flow.begin;
  if (mode_ != Mode::kThrottle) return there;
  return std::min(there, static_cast<size_t>(credit_[Index(flow.direction)]));
}

void Relay::Accept() {
  while (listener_ >= 0) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0) return;
    ++accepted_;
    SetOption(client, IPPROTO_TCP, TCP_NODELAY, 1);
    Link& link = links_.emplace_back();
    link.client = client;
    link.server = BeginConnect(target_);
    link.broken = link.server < 0;
    link.flows[0] = {.direction = Direction::kToServer, .from = client, .to = link.server};
    link.flows[1] = {.direction = Direction::kToClient, .from = link.server, .to = client};
    for (Flow& flow : link.flows) flow.buffer.resize(kBufferBytes);
  }
}

void Relay::Serve(Link& link) {
  for (Flow& flow : link.flows) {
    // A few rounds for each, so that none starves the others.
    for (int round = 0; round < 4 && !link.broken; ++round) {
      Fill(link, flow);
      const uint64_t before = forwarded_[Index(flow.direction)];
      Drain(link, flow);
      if (forwarded_[Index(flow.direction)] == before) break;
    }
  }
}

void Relay::Fill(Link& link, Flow& flow) {
  if (link.broken || flow.ended || flow.begin < flow.end) return;
  flow.begin = flow.end = 0;
  const ssize_t bytes = recv(flow.from, flow.buffer.data(), flow.buffer.size(), 0);
  if (bytes > 0) flow.end = static_cast<size_t>(bytes);
  if (bytes == 0) flow.ended = true;
  if (bytes < 0 && !Transient(errno)) link.broken = true;
}

// Does what is due before the flow's next byte; false when that was the connection's end.
bool Relay::FaultBefore(Flow& flow) {
  Faults& faults = faults_[Index(flow.direction)];
  if (faults.reset && *faults.reset == 0) {
    faults.reset.reset();
    ++resets_;
    return false;
  }
  if (faults.flip && *faults.flip < flow.end - flow.begin) {
    flow.buffer[flow.begin + *faults.flip] ^= 1;
    faults.flip.reset();
    ++flips_;
  }
  return true;
}

void Relay::Drain(Link& link, Flow& flow) {
  Faults& faults = faults_[Index(flow.direction)];
  while (!link.broken && Allowed(flow) > 0) {
    if (!FaultBefore(flow)) {
      link.broken = true;
      return;
    }
    size_t wanted = Allowed(flow);
    if (faults.reset) wanted = std::min<size_t>(wanted, *faults.reset);
    const ssize_t sent = send(flow.to, flow.buffer.data() + flow.begin, wanted, MSG_NOSIGNAL);
    if (sent < 0) {
      link.broken = !Transient(errno);
      return;
    }
    const auto moved = static_cast<size_t>(sent);
    flow.begin += moved;
    forwarded_[Index(flow.direction)] += moved;
    if (mode_ == Mode::kThrottle) credit_[Index(flow.direction)] -= static_cast<double>(moved);
    if (faults.flip) *faults.flip -= moved;
    if (faults.reset && (*faults.reset -= moved) == 0) {
      FaultBefore(flow);
      link.broken = true;
    }
  }
  if (flow.Done() && !flow.shut && !link.broken && !IsConnecting(flow.to)) {
    shutdown(flow.to, SHUT_WR);
    flow.shut = true;
  }
}

void Relay::Sweep() {
  for (auto it = links_.begin(); it != links_.end();) {
    const bool over = it->flows[0].shut && it->flows[1].shut;
    if (it->broken || over) CloseLink(*it, it->broken);
    it = it->broken || over ? links_.erase(it) : std::next(it);
  }
}

}  // namespace cairn::testing
