"""Many minimizations at once, each with its own start."""

from collections.abc import Callable
from typing import Any, NamedTuple

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.errors import ArgumentError
from unidiff.optim.driver import default_tolerance
from unidiff.optim.vector import Layout

__all__ = ["BatchResult", "minimize_batch"]


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
    success : array
        Where the largest entry of the gradient is within the tolerance.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.minimize_batch(lambda x: (x**2).sum(), np.ones((3, 2))).success
    array([ True,  True,  True])
    """

    x: Tree
    fun: Array
    jac: Tree
    nit: Array
    success: Array


class _State(NamedTuple):
    x: Array
    f: Array
    g: Array
    inverse: Array
    steps: Array
    alive: Array


def minimize_batch(
    fun: Callable[..., Any],
    x0: Tree,
    args: Any = (),
    *,
    tol: float | None = None,
    maxiter: int = 200,
) -> BatchResult:
    r"""Minimize a function from many starts at once, by BFGS in `unidiff.while_loop` under `unidiff.vmap`.

    Each start has an iteration of its own, with its own step lengths; the loop goes round until all are done, and those that
    are keep their values. The line search is backtracking by halves with Armijo's rule: a search by cases has no fixed form
    that a batch can share, so the iterates are not those of ``unidiff.minimize(method="bfgs")``.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)`` returns one real array of shape (); it must run under `unidiff.vmap`.
    x0 : pytree of array
        The starts, along the first axis of every leaf.
    args : tuple
        Further arguments, the same for all starts; anything else than a tuple stands for a single one.
    tol : float, optional
        For the largest entry of the gradient in magnitude; the cube root of the machine epsilon by default.
    maxiter : int, default 200

    Returns
    -------
    BatchResult

    Raises
    ------
    unidiff.errors.ArgumentError
        If the leaves of `x0` have no first axis, or first axes of several lengths.
    unidiff.errors.UnidiffError
        As `unidiff.minimize`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> starts = np.asarray([[0.5], [-0.5]])
    >>> ud.optim.minimize_batch(lambda x: ((x**2 - 1.0) ** 2).sum(), starts).x.round(5)
    array([[ 1.],
           [-1.]])
    """
    args = args if isinstance(args, tuple) else (args,)
    everything = Layout(x0)
    lengths = {x.shape[0] if x.shape else None for x in everything.leaves}
    if len(lengths) != 1 or None in lengths or lengths == {0}:
        raise ArgumentError(f"The leaves of x0 must have one first axis of the same length, but their lengths are {lengths}.")
    layout = Layout(ud.tree.unflatten(everything.spec, [x[0] for x in everything.leaves]))
    limit = default_tolerance(layout) if tol is None else tol
    value_and_grad = ud.value_and_grad(lambda z: fun(layout.unpack(z), *args))

    def solve(start: Tree) -> tuple[Array, ...]:
        z = layout.pack(start, "x0")
        f, g = value_and_grad(z)
        xp = ud.array_namespace(z)
        state = _State(z, f, g, layout.identity() + 0 * z[:, None], xp.zeros_like(f), xp.ones_like(f))

        def going(s: _State) -> Array:
            return (_size(s.g) > limit) & (s.steps < maxiter) & (s.alive > 0)

        last: _State = ud.while_loop(going, lambda s: _advance(value_and_grad, layout, s), state)
        return layout.unpack(last.x), last.f, layout.unpack(last.g), last.steps, _size(last.g) <= limit

    return BatchResult(*ud.vmap(solve)(everything.unpack(everything.start())))


def _size(g: Array) -> Array:
    xp = ud.array_namespace(g)
    return xp.max(xp.abs(g))


def _advance(value_and_grad: Callable[[Array], tuple[Array, Array]], layout: Layout, s: _State) -> _State:
    """Return the state after one step of BFGS."""
    xp = ud.array_namespace(s.x)
    d = -1.0 * (s.inverse @ s.g)
    slope = xp.sum(d * s.g)
    downhill = slope < 0
    d = xp.where(downhill, d, -1.0 * s.g)
    slope = xp.where(downhill, slope, -xp.sum(s.g * s.g))

    def rejected(trial: tuple[Array, Array, Array]) -> Array:
        alpha, f, _ = trial
        return ~(f <= s.f + 1e-4 * alpha * slope + 10 * layout.epsilon * xp.abs(s.f)) & (alpha > 1e-12)

    def shorter(trial: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        alpha = 0.5 * trial[0]
        return alpha, *value_and_grad(s.x + alpha * d)

    one = xp.ones_like(s.f)
    alpha, f, g = ud.while_loop(rejected, shorter, (one, *value_and_grad(s.x + d)))
    accepted = f <= s.f + 10 * layout.epsilon * xp.abs(s.f)
    step, y = alpha * d, g - s.g
    curvature, square = xp.sum(step * y), xp.sum(y * y)
    useful = accepted & (curvature > layout.epsilon * square)
    rho = 1 / xp.where(useful, curvature, one)
    scale = xp.where(s.steps > 0, one, xp.where(useful, curvature, one) / xp.where(useful, square, one))
    h = scale * xp.where(downhill, s.inverse, layout.identity())
    hy = h @ y
    outer = hy[:, None] * step[None, :]
    fresh = h - rho * (outer + outer.mT) + rho * (1 + rho * xp.sum(y * hy)) * (step[:, None] * step[None, :])
    return _State(
        xp.where(accepted, s.x + step, s.x),
        xp.where(accepted, f, s.f),
        xp.where(accepted, g, s.g),
        xp.where(useful, fresh, s.inverse),
        s.steps + 1,
        xp.where(accepted, one, 0 * one),
    )
