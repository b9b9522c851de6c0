#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "client/bench/callers.h"
#include "common/fd.h"

extern char** environ;

namespace cairn::bench {
namespace {

using nlohmann::json;

constexpr char kSelf[] = "/proc/self/exe";
constexpr int kPollMs = 100;

// Lines in, lines out, over file descriptors.
class Lines {
 public:
  // Nullopt at the end of the input.
  std::optional<std::string> Read(int fd) {
    while (true) {
      if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return line;
      }
      char chunk[1 << 14];
      const ssize_t got = read(fd, chunk, sizeof(chunk));
      if (got > 0) buffer_.append(chunk, static_cast<size_t>(got));
      if (got == 0 || (got < 0 && errno != EINTR)) return std::nullopt;
    }
  }
  static absl::Status Write(int fd, std::string line) {
    line += '\n';
    for (size_t sent = 0; sent < line.size();) {
      const ssize_t put = write(fd, line.data() + sent, line.size() - sent);
      if (put < 0 && errno != EINTR) return ErrnoStatus("a pipe to another process", errno);
      if (put > 0) sent += static_cast<size_t>(put);
    }
    return absl::OkStatus();
  }

 private:
  std::string buffer_;
};

int64_t SteadyUs() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

json ToJson(const Job& job) {
  return {{"operation", InfoOf(job.operation).name},
          {"echo", job.echo},
          {"renamed", job.renamed},
          {"dir", job.dir},
          {"first", job.first},
          {"count", job.count},
          {"total", job.total}};
}

absl::StatusOr<Job> ParseJob(const std::string& line) {
  const json in = json::parse(line, nullptr, false);
  if (!in.is_object()) return absl::InternalError("not a job: " + line);
  const std::optional<Operation> operation = OperationByName(in.value("operation", ""));
  if (!operation.has_value()) return absl::InternalError("not an operation: " + line);
  return Job{.operation = *operation,
             .echo = in.value("echo", false),
             .renamed = in.value("renamed", false),
             .dir = in.value("dir", ""),
             .first = in.value<uint64_t>("first", 0),
             .count = in.value<uint64_t>("count", 0),
             .total = in.value<uint64_t>("total", 0)};
}

// A copy of this program; its end is waited for when it goes.
class Worker {
 public:
  static absl::StatusOr<std::unique_ptr<Worker>> Start(std::vector<std::string> args) {
    int in[2];
    int out[2];
    if (pipe2(in, O_CLOEXEC) != 0) return ErrnoStatus("pipe", errno);
    Fd child_in(in[0]);
    Fd to(in[1]);
    if (pipe2(out, O_CLOEXEC) != 0) return ErrnoStatus("pipe", errno);
    Fd from(out[0]);
    Fd child_out(out[1]);

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, child_in.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, child_out.get(), STDOUT_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    std::vector<char*> argv;
    for (std::string& arg : args) argv.push_back(arg.data());
    argv.push_back(nullptr);
    pid_t pid = -1;
    const int error = posix_spawn(&pid, kSelf, &files, &attributes, argv.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) return ErrnoStatus("cannot start another process", error);
    return std::unique_ptr<Worker>(new Worker(pid, std::move(to), std::move(from)));
  }

  ~Worker() {
    to_.Close();
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }

  absl::Status Send(const std::string& line) { return Lines::Write(to_.get(), line); }
  // One answer; its own failure as a status.
  absl::StatusOr<json> Receive(const Stopped& stopped) {
    AwaitAnswer(stopped);
    const std::optional<std::string> line = lines_.Read(from_.get());
    if (!line.has_value()) return absl::CancelledError("a process of the benchmark has ended");
    json answer = json::parse(*line, nullptr, false);
    if (!answer.is_object()) return absl::InternalError("not an answer: " + *line);
    if (answer.contains("error")) {
      return WithKind(absl::Status(static_cast<absl::StatusCode>(answer.value("code", 2)),
                                   answer.value("error", "")),
                      static_cast<ErrorKind>(answer.value("kind", 0)));
    }
    return answer;
  }

 private:
  // Until there is something to read; interrupts the process, once, when stopped.
  void AwaitAnswer(const Stopped& stopped) {
    pollfd entry{from_.get(), POLLIN, 0};
    while (!interrupted_ && poll(&entry, 1, kPollMs) <= 0) {
      if (!stopped()) continue;
      kill(pid_, SIGINT);
      interrupted_ = true;
    }
  }

  Worker(pid_t pid, Fd to, Fd from) : pid_(pid), to_(std::move(to)), from_(std::move(from)) {}

  const pid_t pid_;
  Fd to_;
  Fd from_;
  Lines lines_;
  bool interrupted_ = false;
};

class Processes final : public Callers {
 public:
  Processes(Stopped stopped, std::atomic<uint64_t>* done)
      : stopped_(std::move(stopped)), done_(done) {}

  absl::Status Start(int count, const std::vector<std::string>& args) {
    for (int i = 0; i < count; ++i) {
      ASSIGN_OR_RETURN(std::unique_ptr<Worker> worker, Worker::Start(args));
      workers_.push_back(std::move(worker));
    }
    // Each says that it is connected.
    for (const auto& worker : workers_) RETURN_IF_ERROR(worker->Receive(stopped_).status());
    return absl::OkStatus();
  }

  int count() const override { return static_cast<int>(workers_.size()); }
  std::string variant() const override { return fmt::format("processes={}", count()); }

  absl::StatusOr<RoundResult> Run(const Job& job) override {
    for (size_t i = 0; i < workers_.size(); ++i) {
      Job share = job;
      share.first = job.first + job.count * i / workers_.size();
      share.count = job.first + job.count * (i + 1) / workers_.size() - share.first;
      RETURN_IF_ERROR(workers_[i]->Send(ToJson(share).dump()));
    }
    RoundResult result;
    int64_t begin_us = 0;
    int64_t end_us = 0;
    absl::Status failure;
    for (const auto& worker : workers_) {  // all are heard, so that none is in the next round
      const absl::StatusOr<json> answer = worker->Receive(stopped_);
      if (!answer.ok()) {
        if (failure.ok()) failure = answer.status();
        continue;
      }
      const auto own_begin = answer->value<int64_t>("begin_us", 0);
      begin_us = begin_us == 0 ? own_begin : std::min(begin_us, own_begin);
      end_us = std::max(end_us, answer->value<int64_t>("end_us", 0));
      result.cpu_us += answer->value("cpu_us", 0.0);
      for (const json& latency : answer->at("latencies_us")) {
        result.latencies_us.push_back(latency.get<float>());
      }
    }
    if (!failure.ok()) return failure;
    done_->fetch_add(job.count);
    result.seconds = static_cast<double>(end_us - begin_us) / 1e6;
    return result;
  }

 private:
  const Stopped stopped_;
  std::atomic<uint64_t>* const done_;
  std::vector<std::unique_ptr<Worker>> workers_;
};

json RunJob(MetadataLoad* load, const Stopped& stopped, const std::string& line) {
  const absl::StatusOr<Job> job = ParseJob(line);
  std::atomic<uint64_t> done{0};
  const int64_t begin_us = SteadyUs();
  const auto run = [&]() -> absl::StatusOr<RoundResult> {
    RETURN_IF_ERROR(job.status());
    return RunThreads(1, job->count, stopped, &done,
                      [&](uint64_t i) { return load->Do(*job, job->first + i); });
  };
  const absl::StatusOr<RoundResult> result = run();
  if (!result.ok()) {
    return {{"error", MessageOf(result.status())},
            {"code", static_cast<int>(result.status().code())},
            {"kind", static_cast<int>(KindOf(result.status()))}};
  }
  return {{"begin_us", begin_us},
          {"end_us", SteadyUs()},
          {"cpu_us", result->cpu_us},
          {"latencies_us", result->latencies_us}};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Callers>> StartProcesses(int count,
                                                        const std::vector<std::string>& args,
                                                        Stopped stopped,
                                                        std::atomic<uint64_t>* done) {
  auto processes = std::make_unique<Processes>(std::move(stopped), done);
  RETURN_IF_ERROR(processes->Start(count, args));
  return processes;
}

absl::Status RunWorker(MetadataLoad* load, const Stopped& stopped, int in, int out) {
  RETURN_IF_ERROR(load->Connect());
  RETURN_IF_ERROR(Lines::Write(out, "{}"));
  Lines lines;
  while (const std::optional<std::string> line = lines.Read(in)) {
    RETURN_IF_ERROR(Lines::Write(out, RunJob(load, stopped, *line).dump()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> OwnArguments() {
  const Fd file(open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return ErrnoStatus("/proc/self/cmdline", errno);
  std::string text;
  char chunk[4096];
  for (ssize_t got = 0; (got = read(file.get(), chunk, sizeof(chunk))) > 0;) {
    text.append(chunk, static_cast<size_t>(got));
  }
  std::vector<std::string> arguments;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\0', at), text.size());
    arguments.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return arguments;
}

}  // namespace cairn::bench
