#!/usr/bin/env bash
# Runs an experiment of 40 cells on a real Slurm with one node: tests/cluster/slurm.sh PATH-OF-ABLATE
# Needs root, and Debian's packages slurm-wlm and munge. One task is told to save and goes back into the queue, another
# is killed and requeued, one cell fails, and a worker is killed for good and submitted again.
source "$(dirname "$0")/lib.sh"

export SLURM_CONF="$work/slurm.conf"
host=$(hostname -s)
port=$((20000 + RANDOM % 20000))
sed -e "s|@DIR@|$work|g; s|@HOST@|$host|g; s|@PORT@|$port|g; s|@NODEPORT@|$((port + 1))|g; s|@CPUS@|$(nproc)|g" \
  "$here/slurm.conf.in" >"$SLURM_CONF"
mkdir "$work/controller" "$work/node"
head -c 1024 /dev/urandom >"$work/munge.key"
chmod 600 "$work/munge.key"
chmod 755 "$work"
munged --force --foreground --key-file="$work/munge.key" --socket="$work/munge.socket" \
  --pid-file="$work/munge.pid" --log-file="$work/munge.log" --seed-file="$work/munge.seed" >/dev/null 2>&1 &
trap 'scancel --user root >/dev/null 2>&1 || true; kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
wait_for 20 "munge" test -S "$work/munge.socket"
slurmctld -D >/dev/null 2>&1 &
slurmd -D >/dev/null 2>&1 &
wait_for 60 "the node" sh -c "sinfo -h -o %t | grep -q idle"
echo "$(sinfo --version) runs on $host"

run_alone

export CELL_SECONDS=1
"$ablate" submit slurm experiment.toml --results many --cells-per-task 4 --dry-run | grep -q -- "--array=0-9" ||
  fail "--dry-run printed something else"
test ! -e many || fail "--dry-run wrote something"
"$ablate" submit slurm experiment.toml --results many --cells-per-task 4 --cpus 1 --array-parallelism 2
folder=many/experiment
job=$(sed 's/.*"job":"\([0-9]*\)".*/\1/' "$folder/.submit/1.json")
report=$(sed 's/.*"report":"\([0-9]*\)".*/\1/' "$folder/.submit/1.json")
is_running() { squeue -h --array -j "$job" -o "%K %T" | grep -qx "$1 RUNNING"; }
# The worker of a task: the process itself, not the script that waits for it.
worker_of() {
  for pid in $(pgrep -f -- "worker .* --tasks"); do
    if [ "$(readlink "/proc/$pid/exe")" = "$ablate" ] &&
      tr '\0' '\n' <"/proc/$pid/environ" | grep -qx "SLURM_ARRAY_TASK_ID=$1"; then
      echo "$pid"
      return
    fi
  done
  return 1
}

# Nothing that is queued is submitted again.
"$ablate" submit slurm experiment.toml --results many | grep -q "nothing to submit" || fail "submitted twice"

wait_for 30 "the worker of task 1" worker_of 1
"$ablate" status experiment.toml --results many
# Shortly before its time is over, Slurm sends this signal.
timeout 5 scancel --signal=USR1 --batch "${job}_1" || true
wait_for 60 "the worker of task 2" worker_of 2
scontrol requeue "${job}_2"
wait_for 60 "the worker of task 4" worker_of 4
# This worker is gone, and its task with it.
kill -9 "$(worker_of 4)"
# Slurm lets tasks that were requeued wait for two minutes.
for task in 1 2; do
  wait_for 60 "task $task to be queued" sh -c "squeue -h --array -j $job -o '%K %T' | grep -qx '$task PENDING'"
  scontrol update JobId="${job}_$task" StartTime=now
done
wait_for 240 "the report job" sh -c "! squeue -h -j $report -o %T 2>/dev/null | grep -q ."
cat "$folder"/.submit/logs/report-*.log
"$ablate" status experiment.toml --results many
grep -h "stopped in" "$folder/.submit/logs/${job}_1.log" || fail "task 1 was not told to save"
test ! -e "$folder/runs.jsonl" || fail "the killed worker left nothing missing"

# What is missing is submitted again.
"$ablate" submit slurm experiment.toml --results many --cells-per-task 4 | tee "$work/again"
grep -q "submitted [1-5] cells\? as" "$work/again" || fail "more than the missing cells were submitted"
report=$(sed 's/.*"report":"\([0-9]*\)".*/\1/' "$folder/.submit/2.json")
wait_for 120 "the second report job" sh -c "! squeue -h -j $report -o %T 2>/dev/null | grep -q ."
cat "$folder"/.submit/logs/report-"$report".log
same_as_alone many
"$ablate" report --check experiment.toml --results many
echo "Slurm: same records and report as one process"
