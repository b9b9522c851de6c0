#!/usr/bin/env bash
# `./dev demo`: a cluster of five processes loses a DataNode in the middle of a write, and heals.
#
# Uses the programs of the release preset, free ports, and a folder of its own under build/, which
# it removes at the end. Every wait has a limit and says what it waited for.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly GIB=$((1024 * 1024 * 1024))
readonly FREE_NEEDED_GIB=12  # two files, three replicas of each, new copies, one read back
readonly PUT_LIMIT_S=600 DEAD_LIMIT_S=60 HEAL_LIMIT_S=600

mkdir -p build
STATE=$(mktemp -d build/demo.XXXXXX)
BIN=$PWD/build/release/bin
# shellcheck source=deploy/cluster.sh
. deploy/cluster.sh

put_pid=

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
fail() {
  echo "demo: $*" >&2
  exit 1
}
# run COMMAND...: shows it as a user would type it, then runs it.
run() {
  echo "  \$ $*"
  "$@"
}
cairn() { timeout "$PUT_LIMIT_S" "$BIN/cairn" "$@"; }

cleanup() {
  local status=$?
  trap - EXIT INT TERM
  if [ -n "$put_pid" ]; then kill "$put_pid" 2>/dev/null || true; fi
  stop_cluster || true
  if [ "$status" -ne 0 ]; then
    rm -rf build/demo-logs
    mkdir -p build/demo-logs
    cp "$STATE"/*.log build/demo-logs/ 2>/dev/null || true
    echo "demo: failed; the daemons' logs are in build/demo-logs" >&2
  fi
  rm -rf "$STATE"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

check_disk() {
  local free
  free=$(df --output=avail -B1 build | tail -n 1)
  [ "$free" -ge $((FREE_NEEDED_GIB * GIB)) ] ||
    fail "needs $FREE_NEEDED_GIB GiB of free disk under build/, here are $((free / GIB)) GiB"
}

# timed COMMAND...: shows and runs it, then its seconds.
timed() {
  local start
  start=$(date +%s.%N)
  run "$@"
  awk -v a="$start" -v b="$(date +%s.%N)" 'BEGIN { printf "    %.1f s\n", b - a }'
}

# read_back REMOTE LOCAL: gets it and compares it, byte by byte.
read_back() {
  timed cairn get "$1" "$STATE/copy"
  run cmp "$STATE/copy" "$2" || fail "$1 came back different"
  rm -f "$STATE/copy"
}

stored_mib() { du -smc "$STATE"/dn? | awk '/total$/ { print $1 }'; }

# The name of a DataNode that is writing a replica right now.
writing_datanode() {
  local file
  for file in "$STATE"/dn?/current/rbw/blk_*; do
    if [ -e "$file" ]; then
      basename "${file%/current/rbw/*}"
      return 0
    fi
  done
  return 1
}

# kill_in_the_middle MIB: when the cluster has stored MIB more than now and a replica is being
# written, ends the DataNode that writes it. Sets victim and victim_id.
kill_in_the_middle() {
  local goal=$(($(stored_mib) + $1)) deadline=$((SECONDS + 60))
  until [ "$(stored_mib)" -ge "$goal" ] && victim=$(writing_datanode); do
    kill -0 "$put_pid" 2>/dev/null || fail "the put ended before a DataNode could be killed"
    [ "$SECONDS" -lt "$deadline" ] || fail "the put stored less than $1 MiB in 60 s"
    sleep 0.02
  done
  victim_id=$(ready_field "$victim" id)
  run kill -KILL "$(daemon_pid "$victim")"
  echo "    $victim ($victim_id) is gone, with the replicas it held"
}

# wait_until SECONDS WHAT COMMAND...: polls until the command succeeds.
wait_until() {
  local deadline=$((SECONDS + $1)) limit=$1 what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "not after $limit s: $what"
    sleep 0.5
  done
}

dead_noticed() { cairn admin report --json | jq -e '.cluster.nodes_failed == 1' >/dev/null; }

healed() {
  cairn admin health --json | jq -e '
    .replication_health_score == 100 and (.under_replicated_blocks | length) == 0 and
    (.missing_blocks | length) == 0 and (.corrupt_blocks | length) == 0' >/dev/null || return 1
  local path
  for path in /demo/first /demo/second; do
    cairn locations "$path" --json | jq -e --arg dead "$victim_id" '
      length > 0 and all(.[].nodes; length == 3 and all(.[].id; . != $dead))' >/dev/null || return 1
  done
}

say "1. Space: $FREE_NEEDED_GIB GiB of free disk"
check_disk
echo "  there is enough"

say "2. A cluster: one NameNode and four DataNodes, each a process of its own"
start_cluster 4 --listen 127.0.0.1:0 --http 127.0.0.1:0 --dead-after 10s
CAIRN_NAMENODE=$(ready_field nn rpc)
export CAIRN_NAMENODE
echo "  NameNode $CAIRN_NAMENODE, pid $(daemon_pid nn)"
for dn in dn1 dn2 dn3 dn4; do
  echo "  DataNode $(ready_field "$dn" data), pid $(daemon_pid "$dn")"
done

say "3. A file of 1 GiB, stored three times"
head -c "$GIB" /dev/urandom >"$STATE/first"
head -c "$GIB" /dev/urandom >"$STATE/second"
run cairn mkdir /demo
timed cairn put -r 3 "$STATE/first" /demo/first
run cairn ls -l -h /demo

say "4. Read it back and compare"
read_back /demo/first "$STATE/first"

say "5. A second file, and SIGKILL to a DataNode in the middle of it"
echo "  \$ cairn put -r 3 $STATE/second /demo/second &"
(exec timeout "$PUT_LIMIT_S" "$BIN/cairn" put -r 3 "$STATE/second" /demo/second) &
put_pid=$!
victim='' victim_id=''
kill_in_the_middle 600
put_status=0
wait "$put_pid" || put_status=$?
put_pid=
[ "$put_status" -eq 0 ] || fail "the second put did not survive the loss of a DataNode"
echo "    the put went on: the others carried on from the last acknowledged byte"

say "6. Read everything again, with one DataNode missing"
read_back /demo/first "$STATE/first"
read_back /demo/second "$STATE/second"

say "7. The cluster notices, and heals itself"
start=$SECONDS
wait_until "$DEAD_LIMIT_S" "the NameNode reports one failed DataNode" dead_noticed
echo "  the NameNode counts it as failed; every block is to have three good replicas again"
wait_until "$HEAL_LIMIT_S" "every block has three good replicas and the health score is 100" healed
echo "  healed, $((SECONDS - start)) s after the reads"

say "8. The report"
run cairn admin report

say "Done. Stopping the cluster and removing its data."
