"""A step of Adam against the libraries' own: ``python -m benchmarks.optimizer_steps``.

All contenders of a backend take turns in one process, each on its own copy of the parameters and giving up their memory; what
counts is the least CPU time of a step over all rounds, and its ratio to the fastest native one.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

from benchmarks import environment

Step = Callable[[], Any]
PROBLEMS = {"100 x (256, 256)": (100, (256, 256)), "1000 x (8,)": (1000, (8,))}
RATE = 1e-3


def _arrays(count: int, shape: tuple[int, ...]) -> tuple[list[Any], list[Any]]:
    import numpy as np

    rng = np.random.default_rng(0)
    return tuple([rng.standard_normal(shape).astype("float32") for _ in range(count)] for _ in range(2))


def _ours(params: list[Any], grads: list[Any]) -> Step:
    import unidiff as ud

    optimizer = ud.optim.Adam(RATE)
    held = [params, optimizer.init(params)]

    def step() -> Any:
        held[:] = optimizer.step(held[0], grads, held[1], donate=True)
        return held

    return step


def numpy_steps(count: int, shape: tuple[int, ...]) -> dict[str, Step]:
    """Return ours, and a step written by hand in place, leaf by leaf."""
    import numpy as np

    params, grads = _arrays(count, shape)
    mine = [p.copy() for p in params]
    m, v, count_of = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params], [0]

    def by_hand() -> None:
        count_of[0] += 1
        t = count_of[0]
        for p, g, a, b in zip(params, grads, m, v, strict=True):
            a *= 0.9
            a += 0.1 * g
            b *= 0.999
            b += 0.001 * g * g
            p -= RATE / (1 - 0.9**t) * a / (np.sqrt(b * (1 / (1 - 0.999**t))) + 1e-8)

    return {"unidiff": _ours(mine, grads), "by hand, in place": by_hand}


def torch_steps(count: int, shape: tuple[int, ...]) -> dict[str, Step]:
    """Return ours, and ``torch.optim.Adam`` in its three implementations."""
    import torch

    torch.set_num_threads(1)
    params, grads = _arrays(count, shape)
    steps: dict[str, Step] = {"unidiff": _ours([torch.tensor(p) for p in params], [torch.tensor(g) for g in grads])}
    for name, options in {"fused": {"fused": True}, "foreach": {"foreach": True}, "single": {"foreach": False}}.items():
        leaves = [torch.tensor(p, requires_grad=True) for p in params]
        for leaf, g in zip(leaves, grads, strict=True):
            leaf.grad = torch.tensor(g)
        steps[f"torch.optim.Adam, {name}"] = torch.optim.Adam(leaves, lr=RATE, **options).step
    return steps


def jax_steps(count: int, shape: tuple[int, ...]) -> dict[str, Step]:
    """Return ours, and optax's compiled step with donated buffers."""
    import jax
    import jax.numpy as jnp
    import optax

    params, grads = _arrays(count, shape)
    tensors = [jnp.asarray(g) for g in grads]
    ours = _ours([jnp.asarray(p) for p in params], tensors)
    tx = optax.adam(RATE)

    def run(p: Any, state: Any, g: Any) -> Any:
        updates, state = tx.update(g, state, p)
        return optax.apply_updates(p, updates), state

    compiled = jax.jit(run, donate_argnums=(0, 1))
    held = [[jnp.asarray(p) for p in params], None]
    held[1] = tx.init(held[0])

    def native() -> Any:
        held[:] = compiled(*held, tensors)
        return jax.block_until_ready(held)

    return {"unidiff": lambda: jax.block_until_ready(ours()), "optax.adam, jitted": native}


BACKENDS = {"numpy": numpy_steps, "torch": torch_steps, "jax": jax_steps}


def measure(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Return the least CPU seconds of a step for each contender, which take turns."""
    least = dict.fromkeys(steps, float("inf"))
    for step in steps.values():
        step()
        step()
    for turn in range(rounds):
        for name, step in list(steps.items())[:: 1 if turn % 2 else -1]:
            start = time.process_time()
            step()
            least[name] = min(least[name], time.process_time() - start)
    return least


def main() -> None:
    """Print a table."""
    environment.pin()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizer_steps", description=__doc__)
    parser.add_argument("--backends", nargs="*", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument(
        "--small", action="store_true", help="a few small arrays: shows that all runs, the figures mean nothing"
    )
    options = parser.parse_args()
    problems = {"3 x (4,)": (3, (4,))} if options.small else PROBLEMS
    print(f"{'backend':8}{'parameters':20}{'step of Adam':28}{'CPU ms':>9}{'ratio':>8}")
    for backend in options.backends:
        for name, problem in problems.items():
            seconds = measure(BACKENDS[backend](*problem), options.rounds)
            native = min(value for contender, value in seconds.items() if contender != "unidiff")
            for contender, value in seconds.items():
                print(f"{backend:8}{name:20}{contender:28}{1e3 * value:9.3f}{value / native:8.2f}")


if __name__ == "__main__":
    main()
