// Permission bits as chmod(1) reads and ls(1) shows them.
//
// Pure functions, thread-safe. Used by chmod, ls and put.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/status.h"

namespace cairn::cli {

// A change of permission bits: "755", "1777", "u+x", "go-w,a=rX", "+t". Without one of u, g, o, a
// it is for all (HDFS does not take the umask into account here). Known bits: rwx of user, group
// and others, and the sticky bit t.
class ModeChange {
 public:
  // INVALID_ARGUMENT for what it cannot read.
  static absl::StatusOr<ModeChange> Parse(std::string_view text);

  // The bits after the change. X is x for directories and for files that someone may execute.
  uint32_t Apply(uint32_t mode, bool is_directory) const;

 private:
  struct Clause {
    uint32_t who = 0;  // a mask over rwxrwxrwx and the sticky bit
    char operation = '=';
    uint32_t bits = 0;  // rwx, three times
    bool sticky = false;
    bool execute_if_any = false;  // X
    int copy_from = -1;           // g=u: the shift of the class whose bits are copied; -1: none
  };

  static absl::Status ParseClauses(std::string_view text, std::vector<Clause>* clauses);

  std::vector<Clause> clauses_;
};

// "drwxr-xr-x", "-rw-r--r--", "drwxrwxrwt".
std::string FormatMode(uint32_t mode, bool is_directory);

}  // namespace cairn::cli
