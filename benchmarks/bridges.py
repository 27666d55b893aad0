"""The cost of a call across libraries: ``python -m benchmarks.bridges``."""

import time
from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np

import unidiff as ud


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


def main() -> None:
    """Print the cost for small and large arrays."""
    for size in (10, 1_000_000):
        for (outer, inner), (forward, pullback) in bridge_calls(size).items():
            print(f"{inner} in {outer}, {size} elements: call {forward:.0f} us, pullback {pullback:.0f} us")


if __name__ == "__main__":
    main()
