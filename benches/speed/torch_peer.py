"""Training steps in PyTorch. Variants are words joined by spaces:

    eager | vmap     a loop over the replicas, or one batched net (torch.func)
    compiled         through torch.compile (Inductor)
    channels-last    convolutions in the memory format that PyTorch recommends on CPUs
"""

import copy
import platform

import torch
from protocol import Stepper, examples, serve
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap


ACTIVATIONS = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "silu": nn.SiLU}


def biased(workload):
    """Whether layers have a bias: not directly before a norm."""
    return workload["position"] == "after"


def normed(norm, workload):
    """The norm and the activation in the order that the workload asks for."""
    pair = [norm, ACTIVATIONS[workload["activation"]]()]
    return pair if workload["position"] == "before" else pair[::-1]


def dense(inputs, units, workload, running):
    return [
        nn.Linear(inputs, units, bias=biased(workload)),
        *normed(nn.BatchNorm1d(units, track_running_stats=running), workload),
        nn.Dropout(workload["dropout"]),
    ]


def net(workload, running=True):
    layers, shape = [], workload["net"]
    width = workload["side"] ** 2
    hidden = shape["hidden"] if shape["kind"] == "mlp" else shape["dense"]
    if shape["kind"] == "cnn":
        channels, side = 1, workload["side"]
        for outputs in shape["channels"]:
            layers += [
                nn.Conv2d(channels, outputs, 3, padding=1, bias=biased(workload)),
                *normed(nn.BatchNorm2d(outputs, track_running_stats=running), workload),
                nn.MaxPool2d(2),
            ]
            channels, side = outputs, side // 2
        layers.append(nn.Flatten())
        width = channels * side * side
    for units in hidden:
        layers += dense(width, units, workload, running)
        width = units
    layers.append(nn.Linear(width, workload["classes"]))
    return nn.Sequential(*layers)


class Batches:
    """Batches gathered from examples in memory, in a new order each epoch."""

    def __init__(self, workload):
        side, n = workload["side"], workload["examples"]
        self.batch = workload["batch"]
        image = (1, side, side) if workload["net"]["kind"] == "cnn" else (side * side,)
        images, labels = examples(workload)
        self.images = torch.from_numpy(images).reshape(n, *image)
        self.labels = torch.from_numpy(labels).long()
        self.at, self.order = n, None

    def indices(self):
        if self.at + self.batch > len(self.labels):
            self.order, self.at = torch.randperm(len(self.labels)), 0
        self.at += self.batch
        return self.order[self.at - self.batch : self.at]

    def next(self):
        indices = self.indices()
        return self.images[indices], self.labels[indices]


def adam(parameters, workload):
    return torch.optim.Adam(parameters, workload["learning_rate"], fused=True)


def loop(workload, words):
    batches = [Batches(workload)]
    batches += [copy.copy(batches[0]) for _ in range(workload["replicas"] - 1)]

    def build():
        last = "channels-last" in words
        replicas = []
        for own in batches:
            model = net(workload)
            if last:
                model = model.to(memory_format=torch.channels_last)
            step = torch.compile(model) if "compiled" in words else model
            replicas.append((own, step, adam(model.parameters(), workload)))

        def taker(own, model, optimizer):
            def step():
                x, y = own.next()
                if last:
                    x = x.contiguous(memory_format=torch.channels_last)
                optimizer.zero_grad(set_to_none=True)
                nn.functional.cross_entropy(model(x), y).backward()
                optimizer.step()

            return step

        parameters = sum(p.numel() for _, m, _ in replicas for p in m.parameters())
        return Stepper([taker(*own) for own in replicas], lambda: None, parameters)

    return build


def batched(workload, words):
    batches = [Batches(workload)]
    batches += [copy.copy(batches[0]) for _ in range(workload["replicas"] - 1)]

    def build():
        # vmap does not support in-place running averages, see PyTorch's notes on vmap.
        models = [net(workload, running=False) for _ in batches]
        base = copy.deepcopy(models[0]).to("meta")
        state, buffers = stack_module_state(models)
        for value in state.values():
            value.requires_grad_(True)

        def loss(state, buffers, x, y):
            return nn.functional.cross_entropy(functional_call(base, (state, buffers), (x,)), y)

        gradients = vmap(grad(loss), randomness="different")
        if "compiled" in words:
            gradients = torch.compile(gradients)
        optimizer = adam(state.values(), workload)
        images, labels = batches[0].images, batches[0].labels

        def step():
            indices = torch.stack([own.indices() for own in batches])
            found = gradients(state, buffers, images[indices], labels[indices])
            for name, value in state.items():
                value.grad = found[name]
            optimizer.step()

        return Stepper([step], lambda: None, sum(p.numel() for p in state.values()))

    return build


def build(workload, variant, ready=lambda: None):
    words = variant.split()
    make = (batched if "vmap" in words else loop)(workload, words)
    ready()
    return make()


def product(side):
    generator = torch.Generator().manual_seed(1)
    a, b = (torch.randn(side, side, generator=generator) for _ in range(2))
    out = torch.empty(side, side)
    return lambda: torch.matmul(a, b, out=out)


if __name__ == "__main__":
    torch.manual_seed(0)
    serve(
        {
            "library": "PyTorch",
            "version": torch.__version__,
            "python": platform.python_version(),
            "threads": torch.get_num_threads(),
        },
        build,
        product,
    )
