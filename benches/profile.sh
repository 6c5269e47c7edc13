#!/usr/bin/env bash
# Profile of a training step on a CPU: samples of the call stack, grouped by operation.
#
#   benches/profile.sh [OUTPUT.md] [WORKLOAD...]
#
# OUTPUT defaults to results/speed/profile.md. WORKLOAD is part of the name of a workload, as for `--only`
# of the speed benchmark. The environment variables DEVICE (default flex) and SECONDS_EACH (default 10)
# are read. Needs Linux's perf.
set -euo pipefail
cd "$(dirname "$0")/.."
output="${1:-results/speed/profile.md}"
shift || true
workloads=("$@")
if [ ${#workloads[@]} -eq 0 ]; then
  workloads=(cnn-28x28-32x64-128-batch128-replicas1 mlp-64x128x128-batch32-replicas10)
fi
device="${DEVICE:-flex}"
seconds="${SECONDS_EACH:-10}"

if ! command -v perf >/dev/null; then
  echo "profile.sh: \`perf\` is not installed; install the package of your system (Debian: linux-perf)" >&2
  exit 5
fi

rate=999 # samples a second and core
# Skips the loading of the data and the building of the nets.
skip_ms=3000
samples="$(mktemp -d)"
trap 'rm -rf "$samples"' EXIT

program="$(cargo bench --profile dev --bench speed --no-run --message-format=json 2>/dev/null |
  sed -n 's/.*"name":"speed".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)"
if [ ! -x "$program" ]; then
  echo "profile.sh: the benchmark cannot be built; see \`cargo bench --profile dev --bench speed --no-run\`" >&2
  exit 1
fi

# One line per sample: its time, then the call stack from the innermost function on, separated by ` < `.
# Names stay mangled, to distinguish the instances of a generic function.
stacks() {
  perf script --no-demangle -i "$1" -F time,ip,sym,dso 2>/dev/null | awk '
    /^[[:space:]]*$/ { next }
    /^[[:space:]]*[0-9.]+:/ { if (stack != "") print stack; stack = $1; sub(/:/, "", stack); next }
    {
      frame = $0
      sub(/^[[:space:]]*[0-9a-f]+[[:space:]]+/, "", frame)
      kernel = frame ~ /\(\[[^)]*\)$/
      sub(/ \([^)]*\)$/, "", frame)
      stack = stack " < " (kernel ? "kernel:" : "") frame
    }
    END { if (stack != "") print stack }'
}

# The innermost function that matches a rule sets the group. Time in the operating system is a group of
# its own. A stack of stolen work lacks its caller: it gets the most frequent group of the same instance
# of a function.
group() {
  awk -v cores="$(nproc)" -v rate="$rate" '
    BEGIN {
      FS = " < "
      n = 0
      rule("matrix multiply", "gemm|matmul|matrixmultiply|::product::|::transpose::")
      rule("allocation", "malloc|(^|[^a-z])mi_|calloc|realloc|cfree|_int_free|mmap|munmap|madvise|::buffers::")
      rule("random numbers", "streams::|threefry|masks::|half_words|dropout::")
      rule("pooling", "::pool::|pooling|[Pp]ooled|::epilogue::choice")
      rule("norm, activation, dropout", "::epilogue::|activation|::norm::|ablate_models::block::")
      rule("loss", "::loss::|cross_entropy|softmax")
      rule("optimizer", "::adam|optimizer")
      rule("convolutions, beside the product", "::conv::|ConvBackward|::patches|block::conv")
      rule("linear layers, beside the product", "::linear::|block::dense")
      rule("data", "train::batch|ablate::data|from_data")
      rule("burn and autodiff", "burn")
    }
    function rule(name, pattern) { names[n] = name; patterns[n] = pattern; n++ }
    function readable(frame) { gsub(/[0-9]+|\.\./, "::", frame); return frame }
    # The group of the sample, or nothing; `at` is the index of the matching function.
    function place(  i, k, name) {
      at = 0
      if ($2 ~ /^kernel:/) {
        for (i = 2; i <= NF && $i ~ /^kernel:/; i++)
          if ($i ~ /page_fault|mmap|munmap|madvise|brk|mremap|exit_mm/) return "page faults (kernel)"
        return "other work of the kernel"
      }
      for (i = 2; i <= NF; i++) {
        name = readable($i)
        # Outer functions are no sign of waiting: every worker thread has them.
        if (i <= 4 && name ~ /rayon_core::(sleep|latch|broadcast|thread_pool::yield_now|registry::WorkerThread::(wait|find))|crossbeam|sched_yield/)
          return "waiting for work"
        for (k = 0; k < n; k++)
          if (name ~ patterns[k]) { at = i; return names[k] }
      }
      return ""
    }
    {
      if (first == "" || $1 < first) first = $1
      if ($1 > last) last = $1
      all++
      group = place()
      if (group == "") { lost[++losts] = $0; next }
      count[group]++
      for (i = 2; i < at; i++) if ($i ~ /17h[0-9a-f]+E$/) {
        seen[$i, group]++
        if (seen[$i, group] > most[$i]) { most[$i] = seen[$i, group]; means[$i] = group }
      }
    }
    END {
      for (l = 1; l <= losts; l++) {
        frames = split(lost[l], frame, FS)
        group = "rest"
        for (i = 2; i <= frames && group == "rest"; i++) if (frame[i] in means) group = means[frame[i]]
        count[group]++
      }
      for (group in count) printf "%.1f\t%s\n", 100 * count[group] / all, group
      printf "%d\tsamples, %.2f of %d cores busy\n", all, all / rate / (last - first), cores
    }'
}

table() {
  local workload="$1" data="$samples/perf.data"
  perf record --quiet --event cpu-clock --freq "$rate" --call-graph dwarf,16384 --delay "$skip_ms" \
    --output "$data" -- "$program" --no-peers --parts compared --only "$workload" --device "$device" \
    --rounds 1 --seconds "$seconds" >"$samples/out" 2>"$samples/err" || { cat "$samples/err" >&2; exit 1; }
  stacks "$data" | group | sort -rn >"$samples/groups"
  printf '\n## %s\n\n' "$workload"
  printf '| share of the time | operation |\n| ----------------: | --------- |\n'
  awk -F '\t' '$2 !~ /^samples/ { printf "| %s %% | %s |\n", $1, $2 }' "$samples/groups"
  awk -F '\t' '$2 ~ /^samples/ { printf "\n%s %s.\n", $1, $2 }' "$samples/groups"
}

mkdir -p "$(dirname "$output")"
new="$samples/new.md"
{
  printf '# Time of a training step by operation\n\n'
  printf 'Device `%s`, %s cores (%s), revision `%s`. Made by `benches/profile.sh %s`.\n' "$device" \
    "$(nproc)" "$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)" \
    "$(git rev-parse --short HEAD)$(git diff --quiet HEAD -- . ':(exclude)results' || echo ', with changes')" "$output"
  printf 'Shares are of the CPU time of all threads during training, without loading the data.\n'
  for workload in "${workloads[@]}"; do table "$workload"; done
} >"$new"
# Renaming within one folder is atomic.
cp "$new" "$output.new" && mv "$output.new" "$output"
