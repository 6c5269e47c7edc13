#!/bin/sh
# Estimates the mean of x^2 on [0, 1] from N draws: sampling.sh SEED N plain|strata
# Prints the error of the estimate as text.
exec awk -v seed="$1" -v n="$2" -v kind="$3" 'BEGIN {
  srand(1000 * seed + 1)
  for (i = 0; i < n; i++) {
    x = kind == "strata" ? (i + rand()) / n : rand()
    sum += x * x
  }
  error = sum / n - 1 / 3
  printf "estimated %.8f, absolute error %.8f\n", sum / n, error < 0 ? -error : error
}'
