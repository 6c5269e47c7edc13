"""Training steps in JAX. Variants are words joined by spaces:

    jit | vmap    one compiled step per replica, or one for all replicas
    donated       the step overwrites its old state
"""

import os
import platform

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import numpy as np
from protocol import Stepper, examples, serve


ACTIVATIONS = {
    "relu": jax.nn.relu,
    "sigmoid": jax.nn.sigmoid,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "silu": jax.nn.silu,
}


def init(key, workload):
    """Parameters and running averages. A layer directly before a norm has no bias."""
    keys = iter(jax.random.split(key, 16))
    shape, side, channels = workload["net"], workload["side"], 1
    layers = []

    def layer(weight, fan_in):
        units = weight[-1]
        layers.append(
            {
                "weight": jax.random.normal(next(keys), weight) * (2 / fan_in) ** 0.5,
                "scale": jnp.ones(units),
                "center": jnp.zeros(units),
            }
        )
        if workload["position"] == "after":
            layers[-1]["bias"] = jnp.zeros(units)

    if shape["kind"] == "cnn":
        for outputs in shape["channels"]:
            layer((3, 3, channels, outputs), 9 * channels)
            channels, side = outputs, side // 2
    width = channels * side * side
    for units in shape["hidden"] if shape["kind"] == "mlp" else shape["dense"]:
        layer((width, units), width)
        width = units
    head = {
        "weight": jax.random.normal(next(keys), (width, workload["classes"])) * (1 / width) ** 0.5,
        "bias": jnp.zeros(workload["classes"]),
    }
    averages = [
        {"mean": jnp.zeros_like(layer["center"]), "variance": jnp.ones_like(layer["center"])}
        for layer in layers
    ]
    return {"layers": layers, "head": head}, averages


def norm(x, layer, average):
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axes)
    variance = jnp.square(x - mean).mean(axes)
    y = (x - mean) * (jax.lax.rsqrt(variance + 1e-5) * layer["scale"]) + layer["center"]
    new = {
        "mean": 0.9 * average["mean"] + 0.1 * mean,
        "variance": 0.9 * average["variance"] + 0.1 * variance,
    }
    return y, jax.lax.stop_gradient(new)


def forward(parameters, averages, x, key, workload):
    new, keep = [], 1 - workload["dropout"]
    activation, after = ACTIVATIONS[workload["activation"]], workload["position"] == "after"
    for layer, average in zip(parameters["layers"], averages):
        weight = layer["weight"]
        if weight.ndim == 4:
            x = jax.lax.conv_general_dilated(
                x, weight, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
        else:
            x = x.reshape(x.shape[0], -1) @ weight
        x = activation(x + layer["bias"]) if after else x
        x, average = norm(x, layer, average)
        new.append(average)
        x = x if after else activation(x)
        if weight.ndim == 4:
            x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
        else:
            key, own = jax.random.split(key)
            x = jnp.where(jax.random.bernoulli(own, keep, x.shape), x / keep, 0.0)
    return x @ parameters["head"]["weight"] + parameters["head"]["bias"], new


def update(state, images, labels, indices, workload):
    """One step of Adam (Kingma and Ba 2015) for one replica."""
    parameters, averages, first, second, t, key = state
    key, own = jax.random.split(key)
    x, y = images[indices], labels[indices]

    def loss(parameters):
        logits, new = forward(parameters, averages, x, own, workload)
        picked = jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)
        return -picked.mean(), new

    gradients, averages = jax.grad(loss, has_aux=True)(parameters)
    t = t + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    a, b = 1 / (1 - 0.9**t), 1 / (1 - 0.999**t)
    rate = workload["learning_rate"]
    parameters = jax.tree.map(
        lambda p, m, v: p - rate * (m * a) / (jnp.sqrt(v * b) + 1e-8), parameters, first, second
    )
    return parameters, averages, first, second, t, key


class Order:
    """Indices of a replica's batches, in a new order each epoch."""

    def __init__(self, workload, seed):
        self.random = np.random.default_rng(seed)
        self.examples, self.batch = workload["examples"], workload["batch"]
        self.at, self.order = self.examples, None

    def next(self):
        if self.at + self.batch > self.examples:
            self.order = self.random.permutation(self.examples).astype(np.int32)
            self.at = 0
        self.at += self.batch
        return self.order[self.at - self.batch : self.at]


def build(workload, variant, ready=lambda: None):
    words = variant.split()
    side, n, replicas = workload["side"], workload["examples"], workload["replicas"]
    image = (side, side, 1) if workload["net"]["kind"] == "cnn" else (side * side,)
    images, labels = examples(workload)
    images = jnp.asarray(images.reshape(n, *image))
    labels = jnp.asarray(labels.astype(np.int32))
    jax.block_until_ready((images, labels))
    orders = [Order(workload, seed) for seed in range(replicas)]
    ready()

    def start(key):
        parameters, averages = init(key, workload)
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        again = jax.tree.map(jnp.zeros_like, parameters)
        return parameters, averages, zeros, again, jnp.float32(0), key

    def one(state, images, labels, indices):
        return update(state, images, labels, indices, workload)

    keys = jax.random.split(jax.random.key(0), replicas)
    donate = (0,) if "donated" in words else ()
    if "vmap" in words:
        states = [jax.jit(jax.vmap(start))(keys)]
        take = jax.jit(jax.vmap(one, in_axes=(0, None, None, 0)), donate_argnums=donate)
        gather = [lambda: np.stack([order.next() for order in orders])]
    else:
        states = [jax.jit(start)(key) for key in keys]
        take = jax.jit(one, donate_argnums=donate)
        gather = [order.next for order in orders]

    def taker(k):
        def step():
            states[k] = take(states[k], images, labels, gather[k]())

        return step

    parameters = sum(leaf.size for state in states for leaf in jax.tree.leaves(state[0]))
    takers = [taker(k) for k in range(len(states))]
    return Stepper(takers, lambda: jax.block_until_ready(states), parameters)


if __name__ == "__main__":
    serve(
        {
            "library": "JAX",
            "version": jax.__version__,
            "python": platform.python_version(),
            "threads": len(os.sched_getaffinity(0)),
        },
        build,
    )
