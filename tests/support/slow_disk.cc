// To be preloaded (LD_PRELOAD) into a daemon under test: a disk whose syncs take long.
//
// Why: a slow disk cannot be had on demand, and a daemon must find out by what it measures itself.
// Every fdatasync and fsync of a file below $CAIRN_TEST_SLOW_DIR takes $CAIRN_TEST_SLOW_MS longer.
// Used by tests alone; a library of its own, which no program links.
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

void Delay(int fd) {
  const char* const dir = std::getenv("CAIRN_TEST_SLOW_DIR");
  const char* const ms = std::getenv("CAIRN_TEST_SLOW_MS");
  if (dir == nullptr || ms == nullptr) return;
  char link[64];
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  char path[4096];
  const ssize_t length = readlink(link, path, sizeof(path) - 1);
  if (length < 0) return;
  path[length] = '\0';
  if (std::strncmp(path, dir, std::strlen(dir)) != 0) return;
  const long wait_ms = std::atol(ms);
  const timespec wait = {wait_ms / 1000, wait_ms % 1000 * 1'000'000};
  nanosleep(&wait, nullptr);
}

using SyncFn = int (*)(int);

int SyncSlowly(const char* name, int fd) {
  Delay(fd);
  return reinterpret_cast<SyncFn>(dlsym(RTLD_NEXT, name))(fd);
}

}  // namespace

extern "C" int fdatasync(int fd) { return SyncSlowly("fdatasync", fd); }
extern "C" int fsync(int fd) { return SyncSlowly("fsync", fd); }
