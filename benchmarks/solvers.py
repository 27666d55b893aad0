"""Solvers against SciPy's and PyTorch's, to a given accuracy: ``python -m benchmarks.solvers``.

Both run from the same start on the chained function of Rosenbrock until the largest entry of the gradient is below 1e-5 (of the
projected one within bounds); SciPy gets the derivatives of unidiff, compiled where ours are ("jit"). They take turns, and what
counts is CPU time on one thread: the least of the rounds, and the median of the ratios within a round, in brackets. Beside the
times are the numbers of evaluations, which differ where the methods do. "jit, anew" compiles in each call, on both sides.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any, NamedTuple

from benchmarks import environment

TOLERANCE = 1e-5
MAXITER = 20000


class Run(NamedTuple):
    """A solver, and what returns how often it has evaluated the function."""

    name: str
    solve: Callable[[], int]


def rosenbrock(x: Any) -> Any:
    """Return the chained function of Rosenbrock."""
    import unidiff as ud

    return ud.array_namespace(x).sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def ours(x: Any, method: str, anew: bool = False, **options: Any) -> int:
    """Minimize with unidiff; `anew` with a function that was never compiled before."""
    import unidiff as ud

    bounds = options.pop("bounds", None)
    fun = (lambda y: rosenbrock(y)) if anew else rosenbrock
    result = ud.minimize(fun, x, method=method, bounds=bounds, tol=TOLERANCE, options={"maxiter": MAXITER, **options})
    return int(result.nfev)


def scipys(fun: Callable[..., Any], x: Any, method: str, **given: Any) -> int:
    """Minimize with SciPy."""
    import scipy.optimize

    options: dict[str, Any] = {"maxiter": MAXITER}
    options |= {"xtol": TOLERANCE} if method == "Newton-CG" else {"gtol": TOLERANCE}
    options |= {"ftol": 0, "maxfun": 5 * MAXITER} if method == "L-BFGS-B" else {}
    result = scipy.optimize.minimize(fun, x, jac=True, method=method, options=options, **given)
    return int(result.nfev)


def torchs(start: Any) -> int:
    """Minimize with PyTorch's L-BFGS."""
    import torch

    x, calls = start.clone().requires_grad_(True), 0
    optimizer = torch.optim.LBFGS(
        [x], max_iter=MAXITER, max_eval=5 * MAXITER, tolerance_grad=TOLERANCE, tolerance_change=0, history_size=10,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> Any:
        nonlocal calls
        calls += 1
        optimizer.zero_grad()
        value = rosenbrock(x)
        value.backward()
        return value

    optimizer.step(closure)
    return calls


def limited_memory(n: int) -> Iterator[tuple[Run, Run]]:
    """Yield L-BFGS and L-BFGS-B with their peers."""
    import numpy as np
    import scipy.optimize
    import torch

    import unidiff as ud

    torch.set_num_threads(1)
    x = np.tile([-1.2, 1.0], n // 2)
    tensor = torch.tensor(x)
    gradient = ud.value_and_grad(rosenbrock)
    compiled = ud.jit(gradient)
    peer = "SciPy's L-BFGS-B"
    yield Run("l-bfgs", lambda: ours(x, "l-bfgs")), Run(peer, lambda: scipys(gradient, x, "L-BFGS-B"))
    yield Run("l-bfgs, jit", lambda: ours(x, "l-bfgs", jit=True)), Run(peer, lambda: scipys(compiled, x, "L-BFGS-B"))
    yield (
        Run("l-bfgs, jit, anew", lambda: ours(x, "l-bfgs", anew=True, jit=True)),
        Run(peer, lambda: scipys(ud.jit(gradient), x, "L-BFGS-B")),
    )
    for upper in (2.0, 0.9):  # of which the second is active at the solution
        box = scipy.optimize.Bounds(np.full(n, -2.0), np.full(n, upper))
        yield (
            Run(f"l-bfgs-b, -2 to {upper}", lambda u=upper: ours(x, "l-bfgs-b", bounds=(-2.0, u))),  # type: ignore[misc]  # u is bound early
            Run(peer, lambda b=box: scipys(gradient, x, "L-BFGS-B", bounds=b)),  # type: ignore[misc]  # b is bound early
        )
    yield Run("l-bfgs on torch", lambda: ours(tensor, "l-bfgs")), Run("torch.optim.LBFGS", lambda: torchs(tensor))


def others(n: int) -> Iterator[tuple[Run, Run]]:
    """Yield the other methods that both have."""
    import numpy as np

    import unidiff as ud

    x = np.tile([-1.2, 1.0], n // 2)
    gradient, hessian = ud.value_and_grad(rosenbrock), ud.hessian(rosenbrock)
    products = {"hessp": lambda x, p: ud.hvp(rosenbrock, (x,), (p,))}
    for name, peer, given in (
        ("bfgs", "BFGS", {}),
        ("cg", "CG", {}),
        ("newton-cg", "Newton-CG", products),
        ("trust-ncg", "trust-ncg", products),
        ("trust-exact", "trust-exact", {"hess": hessian}),
    ):
        yield (
            Run(name, lambda name=name: ours(x, name)),  # type: ignore[misc]  # the name is bound early
            Run(f"SciPy's {peer}", lambda peer=peer, given=given: scipys(gradient, x, peer, **given)),  # type: ignore[misc]  # as above
        )


def timed(solve: Callable[[], int]) -> float:
    """Return the CPU time of a run in seconds."""
    start = time.process_time()
    solve()
    return time.process_time() - start


def main() -> None:
    """Print a table."""
    environment.pin()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.solvers", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 200])
    parser.add_argument("--others", type=int, nargs="*", default=[10], help="the sizes for the other methods")
    options = parser.parse_args()
    print(f"{'n':>6} {'unidiff':22}{'ms':>9}{'calls':>7}   {'peer':22}{'ms':>9}{'calls':>7}{'ratio':>8}")
    for n, pairs in [*((n, limited_memory(n)) for n in options.sizes), *((n, others(n)) for n in options.others)]:
        for mine, theirs in pairs:
            calls = [run.solve() for run in (mine, theirs)]
            rounds = [(timed(mine.solve), timed(theirs.solve)) for _ in range(options.rounds)]
            least = [1e3 * min(times) for times in zip(*rounds, strict=True)]
            print(
                f"{n:6} {mine.name:22}{least[0]:9.2f}{calls[0]:7}   {theirs.name:22}{least[1]:9.2f}{calls[1]:7}"
                f"{least[0] / least[1]:8.2f} ({median(a / b for a, b in rounds):.2f})"
            )


if __name__ == "__main__":
    main()
