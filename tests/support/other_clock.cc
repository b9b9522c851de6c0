// To be preloaded (LD_PRELOAD) into a daemon under test: a wall clock of its own, which a test sets
// while the daemon runs.
//
// Why: a machine's clock cannot be set for one process, and libfaketime stalls what uses gRPC: it
// leaves the absolute deadlines that Abseil's locks hand to the kernel as they are.
// $CAIRN_TEST_CLOCK_FILE names a file of eight bytes, an int64_t: how many ms this clock is ahead.
// CLOCK_MONOTONIC stays as it is, as where an administrator sets a clock. So do times that the
// kernel gives, such as those of files.
//
// As in the kernel, a wait until a time of the wall clock follows the clock: one that is set
// forward ends waits early, one that is set back prolongs them. Here such a wait is cut into short
// ones, and a change is seen when the next one begins. Of such waits there is only Abseil's by
// syscall(), in programs without common/steady_waits.h: what the daemons and their libraries import
// is monotonic but for that, and libstdc++ inlines nothing else as long as no wait for a
// std::chrono::system_clock time is in the code.
//
// Used by tests alone; a library of its own, which no program links.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>

namespace {

constexpr int64_t kSecond = 1'000'000'000;  // ns, as all times here
constexpr int64_t kLongestWait = kSecond / 10;

// Without static variables that are made by a function: threads wait for those by syscall().
std::atomic<int (*)(clockid_t, timespec*)> g_clock_gettime = nullptr;
std::atomic<long (*)(long, ...)> g_syscall = nullptr;
std::atomic<const int64_t*> g_ahead_ms = nullptr;
constexpr int64_t kNone = 0;

template <typename Fn>
Fn Next(std::atomic<Fn>& fn, const char* name) {
  if (fn == nullptr) fn = reinterpret_cast<Fn>(dlsym(RTLD_NEXT, name));
  return fn;
}

// The first threads may map it twice.
const int64_t* MapClock() {
  const char* const path = std::getenv("CAIRN_TEST_CLOCK_FILE");
  const int fd = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return &kNone;
  void* const map = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  return map == MAP_FAILED ? &kNone : static_cast<const int64_t*>(map);
}

int64_t Ahead() {
  if (g_ahead_ms == nullptr) g_ahead_ms = MapClock();
  return __atomic_load_n(g_ahead_ms.load(), __ATOMIC_RELAXED) * 1'000'000;
}

int64_t ToNs(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }
timespec ToTimespec(int64_t ns) { return {ns / kSecond, ns % kSecond}; }

int64_t RealNow() {
  timespec now;
  Next(g_clock_gettime, "clock_gettime")(CLOCK_REALTIME, &now);
  return ToNs(now);
}

// FUTEX_WAIT_BITSET until a time of this clock. Whoever wakes it changes `word` before, so a wake
// between two waits is not lost: the second one ends with EAGAIN.
long WaitUntil(long word, long op, long value, const timespec& deadline, long bits) {
  while (true) {
    const int64_t now = RealNow();
    const int64_t left = ToNs(deadline) - (now + Ahead());
    if (left <= 0) {
      errno = ETIMEDOUT;
      return -1;
    }
    const timespec until = ToTimespec(now + std::min(left, kLongestWait));
    const long result = Next(g_syscall, "syscall")(SYS_futex, word, op, value, &until, 0L, bits);
    if (result >= 0 || errno != ETIMEDOUT) return result;
  }
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) {
  const int result = Next(g_clock_gettime, "clock_gettime")(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    *time = ToTimespec(ToNs(*time) + Ahead());
  }
  return result;
}

extern "C" int gettimeofday(timeval* time, void* /*zone*/) {
  const int64_t now = RealNow() + Ahead();
  *time = {now / kSecond, now % kSecond / 1000};
  return 0;
}

extern "C" time_t time(time_t* out) {
  const time_t now = (RealNow() + Ahead()) / kSecond;
  if (out != nullptr) *out = now;
  return now;
}

extern "C" long syscall(long number, ...) {
  long a[6];
  va_list list;
  va_start(list, number);
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  constexpr long kWait = FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME;
  const auto* const deadline = reinterpret_cast<const timespec*>(a[3]);
  if (number == SYS_futex && (a[1] & ~FUTEX_PRIVATE_FLAG) == kWait && deadline != nullptr) {
    return WaitUntil(a[0], a[1], a[2], *deadline, a[5]);
  }
  return Next(g_syscall, "syscall")(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
