# What the tests of queues share. Source it; it needs the path of `ablate` as `$1`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ablate=$(realpath "$1")
work=$(mktemp -d)
mkdir "$work/project"
cp "$here/experiment.toml" "$here/program.sh" "$work/project"
cd "$work/project"

fail() {
  squeue --array -o "%i %T %r %S" 2>/dev/null || true
  echo "FAILED: $*" >&2
  exit 1
}

# Waits until a command succeeds, for at most as many seconds as the first argument says.
wait_for() {
  local seconds=$1 what=$2
  shift 2
  for _ in $(seq "$((seconds * 5))"); do
    if "$@" >/dev/null 2>&1; then return; fi
    sleep 0.2
  done
  fail "waited $seconds s for $what"
}

# Runs the experiment alone, for comparison. One of its cells fails.
run_alone() {
  local code=0
  "$ablate" run -q experiment.toml --results alone >/dev/null 2>&1 || code=$?
  [ "$code" = 3 ] || fail "the run alone ended with $code"
}

# Compares records, summary and report with those of the run alone.
same_as_alone() {
  for file in runs.jsonl summary.json report.md spec.resolved.toml; do
    # The folder of the results is part of the command that gives them.
    diff <(sed 's/alone/many/g' "alone/experiment/$file") "$1/experiment/$file" ||
      fail "$file differs from that of one process"
  done
}
