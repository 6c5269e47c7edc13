#!/usr/bin/env bash
# Fuzzes each target, or those that are named: tests/fuzz/fuzz.sh SECONDS [TARGET]...
# Starts from what is in this repository. Needs `cargo install cargo-fuzz --locked` and a C++ compiler, and no nightly
# toolchain: coverage comes from the compiler that is there. A find is in `tests/fuzz/artifacts`.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=$1
shift
all=(idx cifar image table safetensors spec runs journal worker provenance)
targets=("${@:-${all[@]}}")

seed() { # TARGET NAME: standard input becomes an input of the target
  mkdir -p "tests/fuzz/corpus/$1"
  cat >"tests/fuzz/corpus/$1/$2"
}
records() { # without their checksums, so that a changed line is read
  head -qn 1 results/*/runs.jsonl | awk 'length < 3000 && n++ < 3' | sed 's/,"checksum":"[0-9a-f]*"}$/}/'
}
for file in experiments/*.toml; do
  seed spec "$(basename "$file")" <"$file"
done
records | seed runs records
{ printf 1; records; } | seed journal records
records | sed -n '1s/.*/{"records":[&]}/p' | seed worker records
printf '{"device":{"name":"flex"}}' | seed worker device
sed -z 's/,\n  "checksum": "[0-9a-f]*"//' results/dropout/provenance.json | seed provenance made
seed safetensors linear <models/weights/linear.safetensors
seed image jpeg <src/training/src/data/folder/grey.jpg
base64 -d <<<iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAE0lEQVR4nGNgEJHTMGJg4AJRNgAHygFfV4Xs1QAAAABJRU5ErkJggg== |
  seed image png
printf '\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\2abcd' | seed idx images
printf '\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\2abcd' | gzip -n | seed idx gzip
printf '\0\0\10\1\0\0\0\3\1\2\3' | seed idx labels
printf 'a,label,b\n1,x,2.5\n-3e1,"y",0\n' | seed table comma
printf '\xef\xbb\xbfa;label\r\n1; x\r\n' | seed table semicolon
{ printf '0'; head -c 6148 /dev/zero; } | seed cifar folder
folder=$(mktemp -d)
head -c 3074 /dev/zero | tee "$folder/train.bin" >"$folder/test.bin"
{ printf '1'; tar -C "$folder" -c train.bin test.bin; } | seed cifar archive
rm -r "$folder"

export RUSTC_BOOTSTRAP=1 RUSTC_WRAPPER="$PWD/tests/fuzz/rustc.sh"
cargo fuzz build --fuzz-dir tests/fuzz --sanitizer none
# Most targets write every input into a file, in memory where that is possible.
memory=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d)
trap 'rm -rf "$memory"' EXIT
export TMPDIR=$memory
for target in "${targets[@]}"; do
  echo "== $target"
  cargo fuzz run --fuzz-dir tests/fuzz --sanitizer none "$target" -- \
    -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3000 -max_len=16384 -print_final_stats=1
done
