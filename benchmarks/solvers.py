"""L-BFGS against SciPy's and PyTorch's, to a given accuracy: ``python -m benchmarks.solvers``.

Each contender runs from the same start until the largest entry of the gradient is below 1e-5, on the same function; SciPy gets
the gradient of unidiff, compiled where ours is ("jit"). What counts is the least CPU time of several runs, in turns.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

from benchmarks import environment

TOLERANCE = 1e-5


def rosenbrock(x: Any) -> Any:
    """Return the chained function of Rosenbrock."""
    import unidiff as ud

    return ud.array_namespace(x).sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def contenders(n: int) -> dict[str, Callable[[], float]]:
    """Return runs by name; each returns the value that it reached."""
    import numpy as np
    import scipy.optimize
    import torch

    import unidiff as ud

    torch.set_num_threads(1)
    start = np.tile([-1.2, 1.0], n // 2)
    tensor = torch.tensor(start)
    value_and_grad = ud.value_and_grad(rosenbrock)
    compiled = ud.jit(value_and_grad)

    def ours(x: Any, **options: Any) -> float:
        return float(ud.minimize(rosenbrock, x, method="l-bfgs", tol=TOLERANCE, options={"maxiter": 20000, **options}).fun)

    def scipys(fun: Callable[..., Any]) -> float:
        options = {"gtol": TOLERANCE, "ftol": 0, "maxiter": 20000, "maxfun": 100000}
        return float(scipy.optimize.minimize(fun, start, jac=True, method="L-BFGS-B", options=options).fun)

    def torchs() -> float:
        x = tensor.clone().requires_grad_(True)
        optimizer = torch.optim.LBFGS(
            [x], max_iter=20000, tolerance_grad=TOLERANCE, tolerance_change=0, history_size=10, line_search_fn="strong_wolfe"
        )

        def closure() -> Any:
            optimizer.zero_grad()
            value = rosenbrock(x)
            value.backward()
            return value

        optimizer.step(closure)
        return float(rosenbrock(x.detach()))

    return {
        "unidiff on NumPy": lambda: ours(start),
        "scipy, gradient of unidiff": lambda: scipys(value_and_grad),
        "unidiff on NumPy, jit": lambda: ours(start, jit=True),
        "scipy, jit": lambda: scipys(compiled),
        "unidiff on torch": lambda: ours(tensor),
        "torch.optim.LBFGS": torchs,
    }


def main() -> None:
    """Print a table."""
    environment.pin()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.solvers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 200])
    options = parser.parse_args()
    print(f"{'n':>6} {'L-BFGS':28}{'CPU ms':>10}{'value':>12}")
    for n in options.sizes:
        runs = contenders(n)
        least, values = dict.fromkeys(runs, float("inf")), {}
        for _ in range(options.rounds):
            for name, run in runs.items():
                start = time.process_time()
                values[name] = run()
                least[name] = min(least[name], time.process_time() - start)
        for name, seconds in least.items():
            print(f"{n:6} {name:28}{1e3 * seconds:10.2f}{values[name]:12.2e}")


if __name__ == "__main__":
    main()
