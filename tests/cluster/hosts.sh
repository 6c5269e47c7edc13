#!/usr/bin/env bash
# Four workers on two hosts, which are namespaces with names, processes and mounts of their own, share one results
# folder. One worker is killed while it trains: tests/cluster/hosts.sh PATH-OF-ABLATE
# Needs root.
source "$(dirname "$0")/lib.sh"
trap 'kill $(jobs -p) 2>/dev/null || true; wait || true; rm -rf "$work"' EXIT

run_alone
mkdir -p many "$work/north" "$work/south"
export CELL_SECONDS=0.5 ABLATE_LEASE_SECONDS=3

# Each host sees the folder through a mount of its own, and no process of the other.
host() {
  unshare --uts --pid --net --mount --fork --mount-proc --kill-child bash -euc '
    hostname "$1"
    mount --bind . "$2/$1"
    cd "$2/$1"
    "$3" worker experiment.toml --results many --jobs 1 >"$2/$1-1.log" 2>&1 &
    "$3" worker experiment.toml --results many --jobs 1 >"$2/$1-2.log" 2>&1 &
    if [ "$1" = south ]; then
      # After some cells, and in the middle of one.
      for _ in $(seq 100); do
        [ "$(cat many/experiment/.share/south-*.jsonl 2>/dev/null | wc -l)" -ge 3 ] && break
        sleep 0.1
      done
      kill -9 %1
    fi
    wait' host "$1" "$work" "$ablate" &
}
host north
host south
sleep 3
"$ablate" status experiment.toml --results many | tee "$work/status"
grep -q "on north" "$work/status" && grep -q "on south" "$work/status" || fail "status does not name both hosts"
wait

grep -q "trained here" "$work/south-1.log" && fail "the worker on south was not killed"
for log in north-1 north-2 south-2; do
  grep "trained here" "$work/$log.log" || fail "$(cat "$work/$log.log")"
done
"$ablate" report experiment.toml --results many >/dev/null
same_as_alone many
test ! -e many/experiment/.share || fail "files of workers stayed: $(find many/experiment/.share)"
echo "Hosts: same records and report as one process"
