"""A torch network inside an optimization loop of JAX: its parameters are JAX arrays, its gradient is torch's.

Run it with ``python examples/torch_network_in_jax.py``.
"""

import jax
import jax.numpy as jnp
import numpy as np
import torch

import unidiff as ud


def main(steps=200):
    """Fit a sine and return the first and the last loss."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(1, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    predict = ud.bridge(lambda p, x: torch.func.functional_call(network, p, (x,)), "torch")

    x = jnp.asarray(np.linspace(-2, 2, 64, dtype="float32"))[:, None]
    y = jnp.sin(2 * x)
    parameters = ud.to_backend({name: p.detach() for name, p in network.named_parameters()}, "jax")
    velocity = jax.tree.map(jnp.zeros_like, parameters)

    step = ud.value_and_grad(lambda p: jnp.mean((predict(p, x) - y) ** 2))
    losses = []
    for k in range(steps):
        loss, gradient = step(parameters)
        velocity = jax.tree.map(lambda v, g: 0.9 * v - 0.05 * g, velocity, gradient)
        parameters = jax.tree.map(jnp.add, parameters, velocity)
        losses.append(float(loss))
        if k % 50 == 0:
            print(f"step {k:3}   loss {losses[-1]:.4f}")
    return losses[0], losses[-1]


if __name__ == "__main__":
    main()
