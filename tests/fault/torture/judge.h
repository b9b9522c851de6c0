// What is said of a torture afterwards: whether its record breaks a rule, what was done, and how
// long who had to wait.
//
// Why: the rules are judged from the record alone (tests/support/checker.h), so that kept logs can
// be judged again, and histories made by hand show that a broken rule is found. Pure, but for
// reading logs. Used by cairn_torture.cc and tests.
#pragma once

#include <string>
#include <vector>

#include "tests/fault/torture/world.h"
#include "tests/support/checker.h"
#include "tests/support/history.h"

namespace cairn::testing {

// Looks at everything when all faults are over: every answer that it gets must be good.
inline constexpr int kLastClient = 0;

// Of all clients' logs in a folder.
Record LoadRecord(const std::string& dir);

struct Judgement {
  std::vector<std::string> broken;  // rules, for people
  size_t states = 0;                // that were searched

  bool ok() const { return broken.empty(); }
};

// Every answer must fit one order of the operations; the last client, which finds a healthy
// cluster, must have been told everything.
Judgement Judge(const Record& record);

// Operations by kind and outcome.
std::string CountsText(const Record& record);
// Faults by kind and target.
std::string CountsText(const std::vector<FaultTime>& times);
// The longest operation beside each kind of fault, where that was the only kind at the time and
// where it need not be, and beside none. Those of clients that were stopped, killed or cut off
// themselves are left out.
std::string StallsText(const Record& record, const std::vector<FaultTime>& times, int clients);

}  // namespace cairn::testing
