#!/usr/bin/env bash
# The image's health check, cairn-healthz: exit status 0 when the daemon of this container answers
# /healthz with 200, else 1 with a line that says what is wrong (`docker inspect` shows it).
#
# The ready file names the HTTP address, whatever flags, environment or file it came from. bash's
# /dev/tcp does the rest: the image has no HTTP client. The caller bounds the time.
set -euo pipefail

fail() {
  echo "cairn-healthz: $*"
  exit 1
}

ready=${CAIRN_READY_FILE:-}
[ -n "$ready" ] || fail "CAIRN_READY_FILE is not set"
[ -s "$ready" ] || fail "not serving yet: no $ready"
address=$(sed -nE 's/.*"http":"([^"]+)".*/\1/p' "$ready")
[ -n "$address" ] || fail "$ready names no HTTP address"
host=${address%:*} port=${address##*:}
host=${host#[} host=${host%]}
exec 3<>"/dev/tcp/$host/$port" || fail "nobody listens on $address"
printf 'GET /healthz HTTP/1.0\r\nHost: %s\r\n\r\n' "$address" >&3
read -r _ status _ <&3 || fail "$address closed the connection"
status=${status%$'\r'}
[ "$status" = 200 ] || fail "/healthz answers $status"
echo "/healthz answers 200"
