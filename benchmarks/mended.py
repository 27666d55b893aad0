"""The mended functions of the namespaces of PyTorch and JAX beside the native ones: ``python -m benchmarks.mended``.

For every function, values and gradients are timed with both, taking turns, in one thread, and the ratio of the least CPU times
is printed. What is not mended is the library's own object, so that its ratio is 1 by construction; ``--all`` lists those, too.
"""

import argparse
import importlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import unidiff as ud

BASES = {"torch": "array_api_compat.torch", "jax": "jax.numpy"}
Call = Callable[[Any, Any, Any, Any], Any]

CALLS: dict[str, Call] = {
    "abs": lambda xp, x, y, a: xp.abs(x),
    "atan2": lambda xp, x, y, a: xp.atan2(x, y),
    "clip": lambda xp, x, y, a: xp.clip(x, 0.6, 1.0),
    "copysign": lambda xp, x, y, a: xp.copysign(x, y),
    "cumulative_prod": lambda xp, x, y, a: xp.cumulative_prod(x),
    "hypot": lambda xp, x, y, a: xp.hypot(x, y),
    "logaddexp": lambda xp, x, y, a: xp.logaddexp(x, y),
    "max": lambda xp, x, y, a: xp.max(x),
    "maximum": lambda xp, x, y, a: xp.maximum(x, y),
    "min": lambda xp, x, y, a: xp.min(x),
    "minimum": lambda xp, x, y, a: xp.minimum(x, y),
    "pow": lambda xp, x, y, a: xp.pow(x, y),
    "remainder": lambda xp, x, y, a: xp.remainder(x, y),
    "sign": lambda xp, x, y, a: x * xp.sign(x),
    "sort": lambda xp, x, y, a: xp.sort(x),
    "std": lambda xp, x, y, a: xp.std(x),
    "var": lambda xp, x, y, a: xp.var(x),
    "where": lambda xp, x, y, a: xp.where(x > 1, x, y),
    "linalg.cholesky": lambda xp, x, y, a: xp.linalg.cholesky(a),
    "linalg.det": lambda xp, x, y, a: xp.linalg.det(a),
    "linalg.eigh": lambda xp, x, y, a: xp.linalg.eigh(a)[0],
    "linalg.eigvalsh": lambda xp, x, y, a: xp.linalg.eigvalsh(a),
    "linalg.matrix_norm": lambda xp, x, y, a: xp.linalg.matrix_norm(a),
    "linalg.qr": lambda xp, x, y, a: xp.linalg.qr(a)[1],
    "linalg.slogdet": lambda xp, x, y, a: xp.linalg.slogdet(a)[1],
    "linalg.solve": lambda xp, x, y, a: xp.linalg.solve(a, x[: a.shape[0]]),
    "linalg.svd": lambda xp, x, y, a: xp.linalg.svd(a)[1],
    "linalg.svdvals": lambda xp, x, y, a: xp.linalg.svdvals(a),
    "linalg.vector_norm": lambda xp, x, y, a: xp.linalg.vector_norm(x),
    "exp": lambda xp, x, y, a: xp.exp(x),
    "matmul": lambda xp, x, y, a: xp.matmul(a, a),
    "multiply": lambda xp, x, y, a: xp.multiply(x, y),
    "prod": lambda xp, x, y, a: xp.prod(x),
    "sum": lambda xp, x, y, a: xp.sum(x),
}


def _find(namespace: Any, dotted: str) -> Any:
    for part in dotted.split("."):
        namespace = getattr(namespace, part)
    return namespace


def _ratio(ours: Callable[[], Any], native: Callable[[], Any], rounds: int, ready: Callable[[Any], Any]) -> float:
    """Return the quotient of the least times of two functions that take turns."""
    best = [float("inf")] * 2
    calls = _count(native, ready)
    for _ in range(rounds):
        for i, call in enumerate((ours, native)):
            start = time.process_time()
            for _ in range(calls):
                result = call()
            ready(result)
            best[i] = min(best[i], time.process_time() - start)
    return best[0] / best[1]


def _count(call: Callable[[], Any], ready: Callable[[Any], Any]) -> int:
    ready(call())
    start = time.process_time()
    for _ in range(3):
        ready(call())
    return max(1, int(0.01 / max((time.process_time() - start) / 3, 1e-7)))


def _gradient(backend: str, call: Call, xp: Any, arrays: Sequence[Any]) -> Callable[[], Any]:
    """Return the gradient of the sum of the result, taken by the library itself."""
    if backend == "torch":
        import torch

        def by_tape() -> Any:
            own = [a.detach().requires_grad_() for a in arrays]
            return torch.autograd.grad(call(xp, *own).sum(), own, allow_unused=True)[0]

        return by_tape
    import jax

    gradient = jax.jit(jax.grad(lambda *own: call(xp, *own).sum(), argnums=(0, 1, 2)))
    return lambda: gradient(*arrays)[0]


def _arrays(backend: str, size: int) -> list[Any]:
    rng = np.random.default_rng(0)
    side = min(size, 100)
    square = rng.normal(size=(side, side))
    values = (0.5 + rng.random(size), 0.5 + rng.random(size), square @ square.T + side * np.eye(side))
    return [ud.asarray(v, backend=backend) for v in values]


def measure(backend: str, size: int, *, rounds: int, everything: bool) -> Iterator[tuple[str, float, float]]:
    """Yield the name of each function, and the ratios of the times of its values and gradients."""
    ours, native = ud.namespace(backend), importlib.import_module(BASES[backend])
    arrays = _arrays(backend, size)
    ready: Callable[[Any], Any] = (lambda y: y.block_until_ready()) if backend == "jax" else (lambda y: y)
    for name, call in CALLS.items():
        if _find(ours, name) is _find(native, name):
            if everything:
                yield name, 1.0, 1.0
            continue
        values = [lambda xp=xp: call(xp, *arrays) for xp in (ours, native)]
        gradients = [_gradient(backend, call, xp, arrays) for xp in (ours, native)]
        yield name, _ratio(*values, rounds, ready), _ratio(*gradients, rounds, ready)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mended", description=__doc__)
    parser.add_argument("--backends", nargs="*", choices=BASES, default=list(BASES))
    parser.add_argument("--sizes", nargs="*", type=int, default=[3, 100_000], help="lengths of the vectors")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--all", action="store_true", help="also list what is not mended")
    options = parser.parse_args(arguments)
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    if "torch" in options.backends:
        import torch

        torch.set_num_threads(1)
    for backend in options.backends:
        for size in options.sizes:
            print(f"\n{backend}, vectors of {size} elements\n\n| function | value | gradient |\n| --- | --- | --- |")
            for name, value, gradient in measure(backend, size, rounds=options.rounds, everything=options.all):
                print(f"| {name} | {value:.2f} | {gradient:.2f} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
