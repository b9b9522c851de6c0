#include "tests/fault/net_hosts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <sstream>
#include <utility>

#include "tests/support/files.h"
#include "tests/support/process.h"

namespace cairn::testing {
namespace {

constexpr int kNumbers = 200;
constexpr int64_t kCommandMs = 30'000;

// Runs a system tool, words separated by spaces; in a namespace, if one is named.
absl::Status Run(const std::string& command, const std::string& net_namespace = "") {
  std::istringstream words(command);
  Process::Spec spec{.net_namespace = net_namespace};
  for (std::string word; words >> word;) spec.args.push_back(word);
  for (const char* folder : {"/usr/sbin/", "/sbin/", "/usr/bin/", "/bin/"}) {
    if (access((folder + spec.args[0]).c_str(), X_OK) != 0) continue;
    spec.args[0] = folder + spec.args[0];
    break;
  }
  const Fd errors(memfd_create("errors", MFD_CLOEXEC));
  spec.stderr_path = fmt::format("/proc/self/fd/{}", errors.get());
  ASSIGN_OR_RETURN(const std::unique_ptr<Process> process, Process::Start(spec));
  const auto state = process->Wait(kCommandMs);
  if (state && state->code == 0) return absl::OkStatus();
  return absl::InternalError(fmt::format("{}{}: {}", command,
                                         net_namespace.empty() ? "" : " in " + net_namespace,
                                         ReadWholeFile(spec.stderr_path)));
}

}  // namespace

absl::StatusOr<std::unique_ptr<NetHosts>> NetHosts::Make(const std::vector<std::string>& names) {
  if (geteuid() != 0) {
    return absl::FailedPreconditionError("hosts in network namespaces need root");
  }
  for (int number = 0; number < kNumbers; ++number) {
    Fd lock(open(fmt::format("/run/cairn-hosts.{}.lock", number).c_str(),
                 O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.get() < 0) return ErrnoStatus("cannot lock a number in /run", errno);
    if (flock(lock.get(), LOCK_EX | LOCK_NB) != 0) continue;
    auto hosts = std::unique_ptr<NetHosts>(new NetHosts(std::move(lock), number));
    hosts->TakeDown();
    RETURN_IF_ERROR(hosts->SetUp(names));
    return hosts;
  }
  return absl::ResourceExhaustedError("every number is taken");
}

NetHosts::NetHosts(Fd lock, int number)
    : lock_(std::move(lock)),
      number_(number),
      prefix_(fmt::format("cairn-hosts{}-", number)),
      link_prefix_(fmt::format("ch{}-", number)),
      bridge_(fmt::format("ch{}.br", number)) {}

NetHosts::~NetHosts() { TakeDown(); }

absl::Status NetHosts::SetUp(const std::vector<std::string>& names) {
  RETURN_IF_ERROR(
      Run(fmt::format("ip link add {} type bridge forward_delay 0 stp_state 0", bridge_)));
  addresses_[kHere] = fmt::format("10.214.{}.1", number_);
  RETURN_IF_ERROR(Run(fmt::format("ip addr add {}/24 dev {}", address(kHere), bridge_)));
  RETURN_IF_ERROR(Run(fmt::format("ip link set {} up", bridge_)));
  // Docker sets the policy of FORWARD to DROP, and has bridges ask it.
  RETURN_IF_ERROR(Run(fmt::format("iptables -w -I FORWARD -i {0} -o {0} -j ACCEPT", bridge_)));
  for (const std::string& name : names) {
    const std::string inside = net_namespace(name);
    const std::string link = LinkOf(name);
    const std::string address = fmt::format("10.214.{}.{}", number_, 10 + addresses_.size());
    addresses_[name] = address;
    for (const std::string& command :
         {fmt::format("ip netns add {}", inside),
          fmt::format("ip link add {} type veth peer name eth0 netns {}", link, inside),
          fmt::format("ip link set {} master {} up", link, bridge_),
          fmt::format("ip -n {} addr add {}/24 dev eth0", inside, address),
          fmt::format("ip -n {} link set lo up", inside),
          fmt::format("ip -n {} link set eth0 up", inside)}) {
      RETURN_IF_ERROR(Run(command));
    }
  }
  return absl::OkStatus();
}

void NetHosts::TakeDown() {
  // By prefix, not by what this object made: what was left of a run that was killed goes, too.
  for (const std::string& link : NamesWithPrefix("/sys/class/net", link_prefix_)) {
    Run("ip link del " + link).IgnoreError();
  }
  if (access("/run/netns", F_OK) == 0) {
    for (const std::string& inside : NamesWithPrefix("/run/netns", prefix_)) {
      Run("ip netns del " + inside).IgnoreError();
    }
  }
  if (access(("/sys/class/net/" + bridge_).c_str(), F_OK) != 0) return;
  Run(fmt::format("iptables -w -D FORWARD -i {0} -o {0} -j ACCEPT", bridge_)).IgnoreError();
  Run("ip link del " + bridge_).IgnoreError();
}

std::function<Place(const std::string&)> NetHosts::Placing() const {
  return [this](const std::string& name) {
    return Place{.address = address(name), .net_namespace = net_namespace(name), .env = {}};
  };
}

absl::Status NetHosts::Filter(const std::string& name, const std::string& rule) const {
  return Run("iptables -w -A " + rule, net_namespace(name));
}

absl::Status NetHosts::Cut(const std::string& name) {
  return Run(fmt::format("ip link set {} down", LinkOf(name)));
}

absl::Status NetHosts::DropOneWay(const std::string& from, const std::string& to) {
  if (from == kHere) return Filter(to, fmt::format("INPUT -s {} -j DROP", address(from)));
  return Filter(from, fmt::format("OUTPUT -d {} -j DROP", address(to)));
}

absl::Status NetHosts::DropSent(const std::string& name) {
  return Filter(name, "OUTPUT -o eth0 -j DROP");
}

absl::Status NetHosts::DropReceived(const std::string& name) {
  return Filter(name, "INPUT -i eth0 -j DROP");
}

absl::Status NetHosts::Lose(const std::string& name, double share) {
  return Filter(name, fmt::format("INPUT -i eth0 -m statistic --mode random --probability {} "
                                  "-j DROP",
                                  share));
}

absl::Status NetHosts::Slow(const std::string& name, int64_t bits_per_s) {
  const std::string shape = fmt::format("root tbf rate {}bit burst 64k latency 200ms", bits_per_s);
  RETURN_IF_ERROR(Run(fmt::format("tc qdisc replace dev {} {}", LinkOf(name), shape)));
  return Run("tc qdisc replace dev eth0 " + shape, net_namespace(name));
}

absl::Status NetHosts::Heal(const std::string& name) {
  RETURN_IF_ERROR(Run("iptables -w -F", net_namespace(name)));
  // There is nothing to delete on a link that was not slowed.
  Run(fmt::format("tc qdisc del dev {} root", LinkOf(name))).IgnoreError();
  Run("tc qdisc del dev eth0 root", net_namespace(name)).IgnoreError();
  return Run(fmt::format("ip link set {} up", LinkOf(name)));
}

}  // namespace cairn::testing
