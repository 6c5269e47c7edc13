"""Stands for a training script: replace it, or change what it does.

It needs two things from a script: seed every random generator with `--seed`, and print metrics as
JSON, one object per line. The last line counts; the others make curves.
"""

import argparse
import json
import random

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--seed", type=int, required=True)
parser.add_argument("--change", type=float, default=0.0)
options = parser.parse_args()

rng = random.Random(options.seed)
difficulty = rng.gauss(0.0, 0.02)  # the same for all arms with this seed
for epoch in range(1, 6):
    noise = rng.gauss(0.0, 0.005)
    accuracy = 0.9 - 0.4 / epoch + 0.2 * options.change - difficulty + noise
    print(json.dumps({"epoch": epoch, "accuracy": accuracy}), flush=True)
