#include "tests/support/files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <system_error>

#include "tests/support/process.h"

namespace cairn::testing {

std::string RandomBytes(uint64_t seed, size_t bytes) {
  std::mt19937_64 random(seed);
  std::string text;
  text.reserve(bytes + sizeof(uint64_t));
  while (text.size() < bytes) {
    const uint64_t word = random();
    text.append(reinterpret_cast<const char*>(&word), sizeof(word));
  }
  text.resize(bytes);
  return text;
}

void WriteWholeFile(const std::string& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.flush();
  if (!out) throw std::runtime_error("cannot write " + path);
}

void FlipByte(const std::string& path, int64_t offset) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  const auto from = offset < 0 ? std::ios::end : std::ios::beg;
  file.seekg(offset, from);
  const int byte = file.get();
  file.seekp(offset, from);
  file.put(static_cast<char>(~byte));
  file.flush();
  if (!file) throw std::runtime_error("cannot damage " + path);
}

std::map<std::string, std::string> Snapshot(const std::string& dir) {
  std::map<std::string, std::string> files;
  if (!std::filesystem::exists(dir)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    const std::string name = std::filesystem::relative(entry.path(), dir).string();
    if (entry.path().filename() == "in_use.lock" || entry.is_socket()) continue;
    if (entry.is_directory()) {
      files[name + "/"] = "";
    } else {
      files[name] = ReadWholeFile(entry.path());
    }
  }
  return files;
}

std::vector<std::string> FilesBelow(const std::string& dir,
                                    const std::function<bool(std::string_view name)>& wanted) {
  std::vector<std::string> paths;
  std::error_code error;
  std::filesystem::recursive_directory_iterator it(dir, error), end;
  while (!error && it != end) {
    const std::string name = it->path().filename().string();
    std::error_code gone;
    if (it->is_regular_file(gone) && wanted(name)) paths.push_back(it->path().string());
    it.increment(error);
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string> NamesWithPrefix(const std::string& dir, std::string_view prefix) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace cairn::testing
