# Starting and stopping Cairn's daemons as background processes, for `./dev up`, `down`,
# `bench` and `demo`.
#
# Sourced, never run. The caller sets BIN (the programs' folder) and STATE (a folder of its own), in
# which a daemon NAME has NAME.pid, NAME.ready, NAME.log and its data under NAME/.
# shellcheck shell=bash

# start_daemon NAME PROGRAM [FLAG...]: starts it; its output goes to NAME.log.
start_daemon() {
  local name=$1 program=$2
  shift 2
  rm -f "$STATE/$name.ready"
  "$BIN/$program" --data-dir "$STATE/$name" --ready-file "$STATE/$name.ready" "$@" \
    >>"$STATE/$name.log" 2>&1 </dev/null &
  echo $! >"$STATE/$name.pid"
  disown
}

# daemon_pid NAME: its pid while it runs; fails when it does not. A pid that the system has given to
# another program does not count.
daemon_pid() {
  local pid
  pid=$(cat "$STATE/$1.pid" 2>/dev/null) || return 1
  case "$(readlink "/proc/$pid/exe" 2>/dev/null)" in
    */cairn-namenode* | */cairn-datanode*) echo "$pid" ;;
    *) return 1 ;;
  esac
}

# wait_ready NAME: until its ready file is there, at most 30 s; says what its log says if it fails.
wait_ready() {
  local name=$1 deadline=$((SECONDS + 30))
  until [ -s "$STATE/$name.ready" ]; do
    if ! daemon_pid "$name" >/dev/null; then
      echo "$name ended before it was ready; the end of $STATE/$name.log:" >&2
      tail -n 5 "$STATE/$name.log" >&2
      return 1
    fi
    if [ "$SECONDS" -ge "$deadline" ]; then
      echo "$name is not ready after 30 s; the end of $STATE/$name.log:" >&2
      tail -n 5 "$STATE/$name.log" >&2
      return 1
    fi
    sleep 0.1
  done
}

# ready_field NAME FIELD: a field of its ready file (rpc, http, id, data).
ready_field() { jq -r --arg field "$2" '.[$field]' "$STATE/$1.ready"; }

# start_cluster DATANODES [NAMENODE-FLAG...]: a NameNode `nn` and DataNodes `dn1`.. on free ports,
# ready when it returns. A NameNode flag may name the ports.
start_cluster() {
  local count=$1 i
  shift
  start_daemon nn cairn-namenode "$@"
  wait_ready nn || return 1
  for ((i = 1; i <= count; i++)); do
    start_daemon "dn$i" cairn-datanode --namenode "$(ready_field nn rpc)" \
      --listen 127.0.0.1:0 --http 127.0.0.1:0
  done
  for ((i = 1; i <= count; i++)); do
    wait_ready "dn$i" || return 1
  done
}

# stop_cluster: SIGTERM to every daemon of STATE, DataNodes first; SIGKILL to one that has not ended
# after 15 s (a daemon stops within 10).
stop_cluster() {
  local file name pid names=() deadline=$((SECONDS + 15)) status=0
  for file in "$STATE"/dn*.pid "$STATE"/nn.pid; do
    [ -e "$file" ] || continue
    name=$(basename "$file" .pid)
    names+=("$name")
    if pid=$(daemon_pid "$name"); then kill -TERM "$pid" 2>/dev/null || true; fi
  done
  for name in "${names[@]}"; do
    while pid=$(daemon_pid "$name"); do
      if [ "$SECONDS" -ge "$deadline" ]; then
        echo "$name did not stop within 15 s: killed" >&2
        kill -KILL "$pid" 2>/dev/null || true
        status=1
        break
      fi
      sleep 0.1
    done
    rm -f "$STATE/$name.pid" "$STATE/$name.ready"
  done
  return "$status"
}
