#!/bin/sh
# cairn-claim-data-dir ROOT PROGRAM [ARGUMENT...]: runs PROGRAM with CAIRN_DATA_DIR set to the first
# of ROOT/1, ROOT/2, ... that no other container uses.
#
# For DataNodes that share a volume, as the replicas of a service in Compose do. The claim is a lock
# on ROOT/N.lock. PROGRAM takes this process over and inherits the lock, so it ends with PROGRAM,
# however that ends. A directory may go to another container then; the node's id goes with it.
# docs/adr/0036-containers.md.
set -eu

if [ $# -lt 2 ]; then
  echo "usage: cairn-claim-data-dir ROOT PROGRAM [ARGUMENT...]" >&2
  exit 2
fi
root=$1
shift
slot=1
while [ "$slot" -le 1000 ]; do
  exec 9>>"$root/$slot.lock"
  if flock --nonblock 9; then
    export CAIRN_DATA_DIR="$root/$slot"
    exec "$@"
  fi
  slot=$((slot + 1))
done
echo "cairn-claim-data-dir: all of $root/1 to $root/1000 are in use" >&2
exit 1
