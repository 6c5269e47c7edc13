#!/bin/sh
# Eight shares of an experiment with GNU parallel, four at a time. Further options go to it: `--sshlogin HOST,HOST`
# spreads the workers over machines that see this folder under the same path, `--dry-run` prints the commands.
# Checked by a dry run only.
set -eu
experiment=${1:?usage: parallel.sh EXPERIMENT.toml RESULTS [OPTION...]}
results=${2:?usage: parallel.sh EXPERIMENT.toml RESULTS [OPTION...]}
shift 2
seq 0 7 | parallel --will-cite --jobs 4 "$@" \
  ablate worker "$experiment" --results "$results" --index {} --of 8
