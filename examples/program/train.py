"""Trains a softmax regression on noisy labels, with the standard library only.

Prints one JSON object per evaluation: the epoch, test accuracy (a share) and test NLL (nats).
"""

import argparse
import json
import math
import random

CLASSES, FEATURES = 3, 12


def examples(rng, centers, count, noise):
    """Points around the center of their class; a share `noise` of them has a random label."""
    points = []
    for _ in range(count):
        label = rng.randrange(CLASSES)
        x = [rng.gauss(center, 1.0) for center in centers[label]] + [1.0]
        if rng.random() < noise:
            label = rng.randrange(CLASSES)
        points.append((x, label))
    return points


def probabilities(weights, x):
    logits = [sum(w * v for w, v in zip(row, x)) for row in weights]
    top = max(logits)
    sizes = [math.exp(logit - top) for logit in logits]
    total = sum(sizes)
    return [size / total for size in sizes]


def evaluate(weights, points):
    hits, nll = 0, 0.0
    for x, label in points:
        p = probabilities(weights, x)
        hits += p.index(max(p)) == label
        nll -= math.log(max(p[label], 1e-12))
    return hits / len(points), nll / len(points)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--smoothing", type=float, default=0.0, help="share of label smoothing")
    options = parser.parse_args()

    rng = random.Random(options.seed)
    centers = [[rng.gauss(0.0, 0.6) for _ in range(FEATURES)] for _ in range(CLASSES)]
    train = examples(rng, centers, 60, 0.3)
    test = examples(rng, centers, 300, 0.0)
    weights = [[rng.gauss(0.0, 0.01) for _ in range(FEATURES + 1)] for _ in range(CLASSES)]

    for epoch in range(1, options.epochs + 1):
        rng.shuffle(train)
        for x, label in train:
            p = probabilities(weights, x)
            for k, row in enumerate(weights):
                target = (k == label) * (1.0 - options.smoothing) + options.smoothing / CLASSES
                step = options.lr * (p[k] - target)
                for i, value in enumerate(x):
                    row[i] -= step * value
        if epoch % 10 == 0:
            accuracy, nll = evaluate(weights, test)
            record = {"epoch": epoch, "test_accuracy": accuracy, "test_nll": nll}
            print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
