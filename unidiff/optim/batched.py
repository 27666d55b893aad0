"""Many minimizations at once, each with its own start."""

from collections.abc import Callable
from typing import Any, NamedTuple

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError
from unidiff.optim.arguments import positive_integer
from unidiff.optim.batched_methods import METHODS, Method, Problem, Step
from unidiff.optim.batched_search import Along
from unidiff.optim.driver import Rules, default_tolerance
from unidiff.optim.names import known
from unidiff.optim.result import Status
from unidiff.optim.vector import Layout

__all__ = ["BatchResult", "minimize_batch"]

_STATUSES = (Status.ITERATIONS, Status.CONVERGED, Status.LINE_SEARCH, Status.NOT_FINITE)
_RUNNING, _CONVERGED, _STUCK, _NOT_FINITE = range(len(_STATUSES))


class BatchResult(NamedTuple):
    """What `minimize_batch` found, with a first axis for the starts.

    Parameters
    ----------
    x : pytree of array
        The solutions, or the last points.
    fun : array
        The values there, of shape (batch,).
    jac : pytree of array
        The gradients.
    nit : array
        The numbers of iterations.
    nfev : array
        The numbers of evaluations of value and gradient that each start took by itself.
    success : array
        Where the largest entry of the gradient is within the tolerance.
    code : array
        Why each start came to its end, as a number; `status` has it in words.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> result = ud.optim.minimize_batch(lambda x: (x**2).sum(), np.ones((2, 2)))
    >>> result.success, [status.name for status in result.status]
    (array([ True,  True]), ['CONVERGED', 'CONVERGED'])
    """

    x: Tree
    fun: Array
    jac: Tree
    nit: Array
    nfev: Array
    success: Array
    code: Array

    @property
    def status(self) -> list[Status]:
        """Why each start came to its end."""
        return [_STATUSES[int(k)] for k in ud.to_numpy(self.code)]


class _State(NamedTuple):
    x: Array
    f: Array
    g: Array
    drop: Array
    steps: Array
    evaluations: Array
    code: Array
    memory: Any


def minimize_batch(
    fun: Callable[..., Any],
    x0: Tree,
    args: Any = (),
    method: str = "bfgs",
    *,
    tol: float | None = None,
    maxiter: int = 200,
    memory: int = 10,
) -> BatchResult:
    r"""Minimize a function from many starts at once, by `unidiff.while_loop` under `unidiff.vmap`.

    Each start has an iteration of its own, with its own step lengths; the loop goes round until all are done, and those that
    are keep their values.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns one real array of shape (); it must run under `unidiff.vmap`.
    x0 : pytree of array
        The starts, along the first axis of every leaf.
    args : tuple
        Further arguments, the same for all starts; anything else than a tuple stands for a single one.
    method : {"bfgs", "l-bfgs", "newton", "gradient-descent"}, default "bfgs"
        As in `unidiff.minimize`. The line search is that of `unidiff.optim.StrongWolfe`, and Armijo's by halves for gradient
        descent.
    tol : float, optional
        For the largest entry of the gradient in magnitude; the cube root of the machine epsilon by default.
    maxiter : int, default 200
    memory : int, default 10
        How many pairs "l-bfgs" keeps.

    Returns
    -------
    BatchResult

    Raises
    ------
    unidiff.errors.ArgumentError
        If the leaves of `x0` have no first axis, or first axes of several lengths, there is no such method, or a number makes
        no sense.
    unidiff.errors.UnidiffError
        As `unidiff.minimize`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> starts = np.asarray([[0.5], [-0.5]])
    >>> ud.optim.minimize_batch(lambda x: ((x**2 - 1.0) ** 2).sum(), starts, method="newton").x.round(5)
    array([[ 1.],
           [-1.]])
    """
    args = args if isinstance(args, tuple) else (args,)
    name = method.lower() if isinstance(method, str) else ""
    if name not in METHODS:
        raise ArgumentError(f"No method for many starts is called {method!r:.200}; {known(method, METHODS)}.")
    if not callable(fun):
        raise ArgumentError(f"fun must be a function of x and the arguments, but it is {fun!r:.200}.")
    everything, layout = _layouts(x0)
    rules = Rules(default_tolerance(layout) if tol is None else tol, maxiter)
    problem = Problem(lambda z: fun(layout.unpack(z), *args), layout, positive_integer(memory, "memory"))

    def solve(start: Tree) -> tuple[Any, ...]:
        last = _run(METHODS[name], problem, layout.pack(start, "x0"), rules)
        xp = ud.array_namespace(last.x)
        code = xp.where(_size(last.g) <= rules.tol, 0 * last.code + _CONVERGED, last.code)
        counts = [xp.astype(n, xp.int32) for n in (last.steps, last.evaluations, code)]
        x, g = layout.unpack(last.x), layout.unpack(last.g)
        return x, last.f, g, counts[0], counts[1], code == _CONVERGED, counts[2]

    return BatchResult(*ud.vmap(solve)(everything.unpack(everything.start())))


def _layouts(x0: Tree) -> tuple[Layout, Layout]:
    """Return the layout of all starts and that of one."""
    everything = Layout(x0)
    lengths = {x.shape[0] if x.shape else None for x in everything.leaves}
    if len(lengths) != 1 or None in lengths or lengths == {0}:
        raise ArgumentError(f"The leaves of x0 must have one first axis of the same length, but their lengths are {lengths}.")
    return everything, Layout(ud.tree.unflatten(everything.spec, [x[0, ...] for x in everything.leaves]))


def _size(g: Array) -> Array:
    xp = ud.array_namespace(g)
    return xp.max(xp.abs(g)) if g.shape[0] else xp.sum(g)


def _run(method: Method, problem: Problem, z: Array, rules: Rules) -> _State:
    """Return the last state from one start."""
    evaluate = ud.value_and_grad(problem.value)
    f, g = evaluate(z)
    xp = ud.array_namespace(z)
    one = xp.ones_like(f)
    finite = (xp.abs(f) < float("inf")) & (_size(g) < float("inf"))
    code = xp.where(finite, 0 * one + _RUNNING, 0 * one + _NOT_FINITE)
    begin = _State(z, f, g, 0.5 * xp.sqrt(g @ g), 0 * one, one, code, method.begin(problem, z, g))

    def going(s: _State) -> Array:
        return (_size(s.g) > rules.tol) & (s.steps < rules.maxiter) & (s.code == _RUNNING)

    last: _State = ud.while_loop(going, lambda s: _advance(method, problem, evaluate, s), begin)
    return last


def _advance(method: Method, problem: Problem, evaluate: Callable[[Array], tuple[Array, Array]], s: _State) -> _State:
    """Return the state after one step."""
    xp, layout = ud.array_namespace(s.x), problem.layout
    d = method.direct(problem, s.memory, s.x, s.g)
    slope = d @ s.g
    downhill = slope < 0
    d, slope = xp.where(downhill, d, -1.0 * s.g), xp.where(downhill, slope, -(s.g @ s.g))
    first = method.first(problem, s.memory, d, s.drop, slope)
    rounding = 10 * layout.epsilon * xp.abs(s.f)
    drowned = -slope * first <= 10 * rounding  # a decrease that the objective cannot show
    found = method.search(Along(evaluate, s.x, d, s.f, slope, first, xp.where(drowned, rounding, 0 * rounding)), s.g)
    trial, one = found.trial, xp.ones_like(s.f)
    step, y = trial.alpha * d, trial.gradient - s.g
    ok = found.ok & xp.any(s.x + step != s.x)
    curvature, square = step @ y, y @ y
    curved = ok & (curvature > layout.epsilon * square)
    useful = ok if method.always else curved
    curvature, square = xp.where(curved, curvature, one), xp.where(curved, square, one)
    updated = method.update(problem, s.memory, Step(step, y, curvature, square, trial.alpha))
    # Where no step was found from the memory, the next one is along the gradient; where that failed, too, there is none.
    forgotten = method.begin(problem, s.x, s.g)
    fresh = xp.all(d == -1.0 * s.g)
    return _State(
        xp.where(ok, s.x + step, s.x),
        xp.where(ok, trial.f, s.f),
        xp.where(ok, trial.gradient, s.g),
        xp.where(ok, s.f - trial.f, s.drop),
        s.steps + 1,
        s.evaluations + found.trials,
        xp.where(ok | ~fresh, s.code, 0 * one + _STUCK),
        ud.tree.map(
            lambda new, old, none: xp.where(useful, new, xp.where(ok & downhill, old, none)), updated, s.memory, forgotten
        ),
    )
