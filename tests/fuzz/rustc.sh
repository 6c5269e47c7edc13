#!/usr/bin/env bash
# Compiler wrapper of the fuzz targets: instruments this project and the parsers it uses, and nothing else. Counters in
# burn would say nothing about a parser and make every execution slower.
set -euo pipefail
name=
previous=
for argument in "$@"; do
  [ "$previous" != --crate-name ] || name=$argument
  previous=$argument
done
case $name in
  ablate* | cifar | csv_core | idx | image | journal | miniz_oxide | provenance | runs | safetensors | serde_json | spec | \
    table | tar | toml* | winnow | worker | zune_*)
    exec "$@"
    ;;
esac
kept=()
for argument in "$@"; do
  case $argument in
    -Cpasses=sancov* | -Cllvm-args=-sanitizer-coverage*) ;;
    *) kept+=("$argument") ;;
  esac
done
exec "${kept[@]}"
