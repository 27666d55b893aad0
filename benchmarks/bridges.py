"""The cost of a call across libraries, and the memory of checkpoints: ``python -m benchmarks.bridges``."""

import time
import tracemalloc
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np

import unidiff as ud

LENGTHS = (64, 256, 1024)


def microseconds(function: Callable[[], Any], calls: int = 200, repeats: int = 7) -> float:
    """Return the least CPU time of a call over some repeats."""
    function()
    times = []
    for _ in range(repeats):
        start = time.process_time()
        for _ in range(calls):
            function()
        times.append((time.process_time() - start) / calls)
    return 1e6 * min(times)


def bridge_calls(size: int) -> dict[tuple[str, str], tuple[float, float]]:
    """Return for each pair (outer, inner) the microseconds of a call of the identity and of its pullback, for a size."""
    found = {}
    for outer, inner in permutations([name for name in ("numpy", "torch", "jax") if name in ud.backends()], 2):
        x = ud.asarray(np.ones(size, dtype="float32"), backend=outer)
        call = ud.bridge(lambda x: x * 1, inner)
        _, pull = ud.vjp(call, x)
        found[outer, inner] = microseconds(lambda call=call, x=x: call(x)), microseconds(lambda pull=pull, x=x: pull(x))
    return found


def peak_arrays(functions: int, segments: int | None, size: int = 20_000) -> float:
    """Return the peak of memory of the gradient of a chain of sines, in arrays of its argument."""
    x = np.ones(size)
    chain = ud.checkpoint_sequential([np.sin] * functions, segments)
    gradient = ud.grad(lambda x: chain(x).sum())
    gradient(x)
    tracemalloc.start()
    try:
        gradient(x)
        return tracemalloc.get_traced_memory()[1] / x.nbytes
    finally:
        tracemalloc.stop()


def main() -> None:
    """Print both studies."""
    for size in (10, 1_000_000):
        for (outer, inner), (forward, pullback) in bridge_calls(size).items():
            print(f"{inner} in {outer}, {size} elements: call {forward:.0f} us, pullback {pullback:.0f} us")
    for functions in LENGTHS:
        plain, checkpointed = peak_arrays(functions, 1), peak_arrays(functions, None)
        print(f"chain of {functions}: {plain:.0f} arrays without checkpoints, {checkpointed:.0f} with")


if __name__ == "__main__":
    main()
