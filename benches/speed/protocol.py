"""Protocol of a peer: one JSON object per line, requests on stdin, answers on stdout.

A peer first sends its name and version. Then it answers one request after the other:

    {"workload": {...}, "variant": "eager", "steps": 238}
        -> {"seconds": 1.0, "parameters": 282100}
    {"workload": {...}, "variant": "eager", "memory": 10}
        -> {"bytes": 123456, "parameters": 282100}

    {"product": 1024, "steps": 10}
        -> {"seconds": 0.2}

The first request for a variant builds and compiles it. `steps` asks for that many training steps of all
replicas, `seconds` is the time they took. `product` asks for that many products of square matrices of this
side; only PyTorch answers it. `memory` asks for the peak resident memory of that many steps;
`bytes` is that peak minus what was resident before the model was built. An error is answered with
{"error": "..."}.
"""

import gc
import json
import os
import sys
import time

import numpy as np


class Stepper:
    """Models in training. Each function of `takers` takes a step of its replicas; `wait()` returns when all
    steps are done. All steps of one taker run before those of the next, so that its data stays in
    the cache."""

    def __init__(self, takers, wait, parameters):
        self.takers = takers
        self.wait = wait
        self.parameters = parameters

    def steps(self, n):
        """Takes `n` steps and returns the seconds this took."""
        started = time.perf_counter()
        for take in self.takers:
            for _ in range(n):
                take()
        self.wait()
        return time.perf_counter() - started


def examples(workload):
    """All images, `[examples, side * side]`, and their labels."""
    count, size = workload["examples"], workload["side"] ** 2
    images = np.fromfile(workload["file"], "<f4", count * size).reshape(count, size)
    labels = np.fromfile(workload["file"], "u1", count, offset=images.nbytes)
    return images, labels


def serve(hello, build, product=None):
    """Answers requests until stdin ends. `build(workload, variant)` returns a Stepper, `product(side)` a
    function that multiplies two matrices."""
    # Libraries may print to stdout, which is for answers only.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(message):
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    say(hello)
    built = {}
    for line in sys.stdin:
        try:
            say(answer(json.loads(line), built, build, product))
        except Exception as error:  # any error of a library is an answer
            say({"error": f"{type(error).__name__}: {error}"[:2000]})


def answer(request, built, build, product):
    if "product" in request:
        return products(product(request["product"]), request["steps"])
    workload, variant = request["workload"], request["variant"]
    key = json.dumps([workload, variant])
    if "memory" in request:
        return memory(workload, variant, request["memory"], build)
    if key not in built:
        built[key] = build(workload, variant)
    seconds = built[key].steps(request["steps"])
    return {"seconds": seconds, "parameters": built[key].parameters}


def products(multiply, steps):
    started = time.perf_counter()
    for _ in range(steps):
        multiply()
    return {"seconds": time.perf_counter() - started}


def memory(workload, variant, steps, build):
    # A small step first, so that all code of the library is loaded.
    build({**workload, "batch": 2}, variant).steps(1)
    before = []

    def ready():
        # Memory that the small step left behind would be freed later and hide what the next steps use.
        gc.collect()
        before.append(status("VmRSS"))

    stepper = build(workload, variant, ready)
    # The compiler runs here, so that the peak is that of the steps alone.
    stepper.steps(5)
    with open("/proc/self/clear_refs", "w") as peak:
        peak.write("5")
    stepper.steps(steps)
    return {"bytes": status("VmHWM") - before[0], "parameters": stepper.parameters}


def status(field):
    """A field of Linux's /proc/self/status, in bytes."""
    with open("/proc/self/status") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name == field:
                return 1024 * int(value.split()[0])
    raise KeyError(field)
