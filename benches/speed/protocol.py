"""What a peer says and hears: one JSON object a line, requests on stdin, answers on stdout.

A peer first says who it is. Then it answers requests one by one and works at nothing else:

    {"work": {...}, "variant": "eager", "seconds": 1.0}
        -> {"milliseconds": 4.2, "steps": 238, "parameters": 282100}
    {"work": {...}, "variant": "eager", "memory": 10}
        -> {"bytes": 123456, "parameters": 282100}

The first request for a variant builds and compiles it. `milliseconds` is the time of one training step
of all replicas, `memory` the number of steps to take while looking at the peak of resident memory,
`bytes` that peak beyond what was resident before the model was built. What cannot be done is
answered by {"error": "..."}.
"""

import gc
import json
import os
import sys
import time

import numpy as np


# Steps that a taker takes in one go, at least, where there are several: as ours do.
AT_A_GO = 16


class Contestant:
    """Models in training: each of `takers()` takes a step of its own replicas, `wait()` returns once
    all steps have ended. Those of one taker run before those of the next, so that what it works on
    may stay in a cache."""

    def __init__(self, takers, wait, parameters):
        self.takers = takers
        self.wait = wait
        self.parameters = parameters
        self.step_seconds = None
        self.least = AT_A_GO if len(takers) > 1 else 1

    def steps(self, n):
        """Seconds that `n` steps take."""
        started = time.perf_counter()
        for take in self.takers:
            for _ in range(n):
                take()
        self.wait()
        return time.perf_counter() - started


def examples(work):
    """All images, `[examples, side * side]`, and their labels."""
    count, size = work["examples"], work["side"] ** 2
    images = np.fromfile(work["file"], "<f4", count * size).reshape(count, size)
    labels = np.fromfile(work["file"], "u1", count, offset=images.nbytes)
    return images, labels


def serve(hello, build):
    """Answers requests until stdin ends. `build(work, variant)` gives a Contestant."""
    # Libraries may print; only answers belong on stdout.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    say(hello)
    built = {}
    for line in sys.stdin:
        try:
            say(answer(json.loads(line), built, build))
        except Exception as error:  # whatever a library throws is the answer
            say({"error": f"{type(error).__name__}: {error}"[:2000]})


def answer(request, built, build):
    work, variant = request["work"], request["variant"]
    key = json.dumps([work, variant])
    if "memory" in request:
        return memory(work, variant, request["memory"], build)
    if key not in built:
        contestant = build(work, variant)
        contestant.steps(3)
        contestant.step_seconds = contestant.steps(3) / 3
        built[key] = contestant
    contestant = built[key]
    n = max(contestant.least, round(request["seconds"] / contestant.step_seconds))
    contestant.step_seconds = contestant.steps(n) / n
    return {
        "milliseconds": 1e3 * contestant.step_seconds,
        "steps": n,
        "parameters": contestant.parameters,
    }


def memory(work, variant, steps, build):
    # A step of another size first, so that the library's own code is there already.
    build({**work, "batch": 2}, variant).steps(1)
    before = []

    def ready():
        # What is left of that step would be given back later and hide what the next ones take.
        gc.collect()
        before.append(status("VmRSS"))

    contestant = build(work, variant, ready)
    # Compilers need memory of their own; the peak is that of the steps.
    contestant.steps(5)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    contestant.steps(steps)
    return {"bytes": status("VmHWM") - before[0], "parameters": contestant.parameters}


def status(field):
    """A field of Linux's /proc/self/status, in bytes."""
    with open("/proc/self/status") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == field:
                return 1024 * int(value.split()[0])
    raise KeyError(field)
