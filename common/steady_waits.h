// Waits inside of Abseil, and so gRPC's timers, that do not depend on the wall clock.
//
// Why: Abseil before 20230802 hands the kernel absolute times of the wall clock. Where that is set
// back by an hour, no deadline, keepalive or new try of gRPC's comes before an hour is over (ADR
// 0037).
#pragma once

namespace cairn {

// Nothing to be done at run time: who calls it has such waits linked into its program. With a later
// Abseil there is nothing of it: the ADR says what is known of that.
void KeepWaitsSteady();

}  // namespace cairn
