"""Transport plans: matrices without negative entries whose rows and columns have given sums."""

import unidiff as ud
from unidiff._typing import Array
from unidiff.errors import ShapeError
from unidiff.optim.projections.vectors import repeated

__all__ = ["birkhoff", "kl_transport", "transport"]

SWEEPS, STEPS = 2000, 50
LENGTHS = (0.03, 0.1, 0.3, 1.0)


def transport(x: Array, rows: Array, columns: Array) -> Array:
    r"""Project a matrix onto :math:`\{X \ge 0, X 1 = r, X^\top 1 = c\}`, the transport polytope.

    Parameters
    ----------
    x : array
        Of shape (m, n).
    rows, columns : array
        r and c, of shapes (m,) and (n,), without negative entries and with the same sum.

    Returns
    -------
    array
        NaN where the sums differ.

    Raises
    ------
    unidiff.errors.ShapeError
        If the shapes do not fit.

    Notes
    -----
    The plan is :math:`\max(X - u 1^\top - 1 v^\top, 0)`. The potentials are found by projections of rows and columns in turn,
    and Newton's method. X. Li, D. Sun and K. Toh, Math. Program. 179 (2020); M. Blondel et al., AISTATS 2018.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> x, half = np.asarray([[0.6, 0.3], [0.0, 0.2]]), np.asarray([0.5, 0.5])
    >>> ud.optim.projections.transport(x, half, half).round(9)
    array([[0.375, 0.125],
           [0.125, 0.375]])
    """
    _check(x, rows, columns)
    xp, m = ud.array_namespace(x, rows, columns), x.shape[0]
    held, found = _support(*ud.stop_gradient((x, rows, columns)))
    plan = held * x
    right = xp.concat([xp.sum(plan, axis=1) - rows, xp.sum(plan, axis=0) - columns])
    potentials = xp.linalg.pinv(_curvature(held)) @ right
    return found * xp.where(held > 0, x - potentials[:m, None] - potentials[None, m:], xp.zeros_like(x))


def birkhoff(x: Array) -> Array:
    r"""Project a square matrix onto the doubly stochastic matrices, the Birkhoff polytope.

    Parameters
    ----------
    x : array
        Of shape (n, n).

    Returns
    -------
    array

    Raises
    ------
    unidiff.errors.ShapeError
        If `x` is no square matrix.

    Notes
    -----
    The transport polytope whose sums are 1.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.birkhoff(np.asarray([[0.8, 0.0], [0.0, 0.4]])).round(9)
    array([[0.8, 0.2],
           [0.2, 0.8]])
    """
    if len(x.shape) != 2 or x.shape[0] != x.shape[1]:
        raise ShapeError(f"x must be a square matrix, but it is of shape {tuple(x.shape)}.")
    ones = ud.array_namespace(x).ones_like(x[0, :])
    return transport(x, ones, ones)


def kl_transport(x: Array, rows: Array, columns: Array) -> Array:
    r"""Return the transport plan closest to :math:`e^x` in the divergence of Kullback and Leibler.

    Parameters
    ----------
    x : array
        Of shape (m, n): for entropic optimal transport the negative cost over the temperature.
    rows, columns : array
        r and c, of shapes (m,) and (n,), positive and with the same sum.

    Returns
    -------
    array
        NaN where the sums differ.

    Raises
    ------
    unidiff.errors.ShapeError
        If the shapes do not fit.

    Notes
    -----
    The plan is :math:`e^{x + f 1^\top + 1 g^\top}`; the potentials are found by Sinkhorn's iteration of logarithms and Newton's
    method, and differentiate by their equations. M. Cuturi, "Sinkhorn distances", NeurIPS 2013.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> half = np.asarray([0.5, 0.5])
    >>> ud.optim.projections.kl_transport(np.log(np.asarray([[4.0, 1.0], [1.0, 1.0]])), half, half).round(6)
    array([[0.333333, 0.166667],
           [0.166667, 0.333333]])
    """
    _check(x, rows, columns)
    m = x.shape[0]
    start = ud.stop_gradient(ud.array_namespace(x, rows, columns).concat([0 * rows, 0 * columns]))[:-1]
    z = ud.custom_root(_marginals)(_sinkhorn)(start, x, rows, columns)
    xp = ud.array_namespace(z, x)
    f, g = z[:m], xp.concat([z[m:], xp.zeros_like(z[:1])])
    return xp.exp(x + f[:, None] + g[None, :])


def _check(x: Array, rows: Array, columns: Array) -> None:
    ud.array_namespace(x, rows, columns)
    if len(x.shape) != 2 or tuple(rows.shape) != tuple(x.shape[:1]) or tuple(columns.shape) != tuple(x.shape[1:]):
        raise ShapeError(
            f"rows and columns must have one entry for each of those of the matrix, but their shapes are {tuple(rows.shape)}, "
            f"{tuple(columns.shape)} and {tuple(x.shape)}."
        )


def _curvature(held: Array) -> Array:
    """Return the matrix that takes potentials to the sums of rows and columns."""
    xp = ud.array_namespace(held)
    eye = [xp.eye(k, dtype=held.dtype, device=ud.device(held)) for k in held.shape]
    top = xp.concat([xp.sum(held, axis=1)[:, None] * eye[0], held], axis=1)
    return xp.concat([top, xp.concat([held.mT, xp.sum(held, axis=0)[:, None] * eye[1]], axis=1)])


def _support(x: Array, rows: Array, columns: Array) -> tuple[Array, Array]:
    """Return which entries of the projection are positive, as ones, and one, or NaN where that was not found."""
    xp, m = ud.array_namespace(x, rows, columns), x.shape[0]

    def levels(a: Array, totals: Array) -> Array:
        """Return what is taken from each row, cut at 0, for its sum."""
        u = xp.sort(a, axis=1, descending=True)
        count = xp.cumulative_sum(xp.ones_like(u), axis=1)
        thresholds = (xp.cumulative_sum(u, axis=1) - totals[:, None]) / count
        return xp.max(thresholds, axis=1)

    def sweep(z: Array) -> Array:
        u = levels(x - z[None, m:], rows)
        return xp.concat([u, levels((x - u[:, None]).mT, columns)])

    def excess(z: Array) -> tuple[Array, Array]:
        rest = x - z[:m, None] - z[None, m:]
        plan = xp.clip(rest, 0.0, None)
        return xp.concat([xp.sum(plan, axis=1) - rows, xp.sum(plan, axis=0) - columns]), xp.astype(rest > 0, x.dtype)

    def dual(z: Array) -> Array:
        plan = xp.clip(x - z[:m, None] - z[None, m:], 0.0, None)
        return 0.5 * xp.sum(plan * plan) + xp.sum(z * totals)

    def newton(z: Array) -> Array:
        wrong, held = excess(z)
        # Where the positive entries fall into groups, the curvature is singular, and the shift moves them together.
        shift = 1e-2 * xp.minimum(xp.linalg.vector_norm(wrong), xp.ones_like(wrong[0])) + epsilon
        step = xp.linalg.solve(_curvature(held) + shift * eye, wrong[:, None])[:, 0]
        best = sweep(z)
        for length in LENGTHS:
            best = xp.where(dual(z + length * step) < dual(best), z + length * step, best)
        return xp.where(xp.sum(excess(z + step)[0] ** 2) < 0.25 * xp.sum(wrong**2), z + step, best)

    epsilon = float(xp.finfo(x.dtype).eps)
    eye = xp.eye(m + x.shape[1], dtype=x.dtype, device=ud.device(x))
    totals = xp.concat([rows, columns])
    tolerance = epsilon**0.6 * (1 + xp.max(rows))

    def error(z: Array) -> Array:
        return xp.max(xp.abs(excess(z)[0]))

    z = repeated(sweep, error, 0.01 * tolerance, 0 * totals, SWEEPS)
    z = repeated(newton, error, 0.01 * tolerance, z, STEPS)
    held = excess(z)[1]
    exact = error(z) <= tolerance
    return held, xp.where(exact, xp.ones_like(x[0, 0]), xp.full_like(x[0, 0], float("nan")))


def _marginals(z: Array, x: Array, rows: Array, columns: Array) -> Array:
    """Return how far the logarithms of the sums are from those wanted; the last column follows from the others."""
    m = x.shape[0]
    xp = ud.array_namespace(z, x, rows, columns)
    logits = x + z[:m, None] + xp.concat([z[m:], xp.zeros_like(z[:1])])[None, :]
    by_column = ud.special.logsumexp(logits, axis=0) - xp.log(columns)
    return xp.concat([ud.special.logsumexp(logits, axis=1) - xp.log(rows), by_column[:-1]])


def _sinkhorn(start: Array, x: Array, rows: Array, columns: Array) -> Array:
    xp, m = ud.array_namespace(x, rows, columns), x.shape[0]

    def sweep(g: Array) -> Array:
        f = xp.log(rows) - ud.special.logsumexp(x + g[None, :], axis=1)
        return xp.log(columns) - ud.special.logsumexp(x + f[:, None], axis=0)

    def error(g: Array) -> Array:
        return xp.max(xp.abs(sweep(g) - g))

    tolerance = float(xp.finfo(x.dtype).eps) ** 0.6
    g = repeated(sweep, error, 0.01 * tolerance, xp.zeros_like(columns), SWEEPS)
    f = xp.log(rows) - ud.special.logsumexp(x + g[None, :], axis=1)

    def newton(z: Array) -> Array:
        logits = x + z[:m, None] + xp.concat([z[m:], xp.zeros_like(z[:1])])[None, :]
        plan = xp.exp(logits)
        by_row, by_column = xp.sum(plan, axis=1), xp.sum(plan, axis=0)
        eye = [xp.eye(k, dtype=x.dtype, device=ud.device(x)) for k in x.shape]
        top = xp.concat([eye[0], (plan / by_row[:, None])[:, :-1]], axis=1)
        bottom = xp.concat([(plan / by_column[None, :]).mT, eye[1][:, :-1]], axis=1)[:-1, :]
        wrong = xp.concat([xp.log(by_row / rows), xp.log(by_column / columns)[:-1]])
        new = z - xp.linalg.solve(xp.concat([top, bottom]), wrong[:, None])[:, 0]
        better = xp.sum(_marginals(new, x, rows, columns) ** 2) < xp.sum(wrong**2)
        return xp.where(better, new, z)

    def remaining(z: Array) -> Array:
        return xp.max(xp.abs(_marginals(z, x, rows, columns)))

    z = repeated(newton, remaining, 0.01 * tolerance, xp.concat([f + g[-1], (g - g[-1])[:-1]]), STEPS)
    exact = (remaining(z) <= tolerance) & (xp.abs(xp.sum(rows) - xp.sum(columns)) <= 1e-6 * xp.sum(rows))
    return xp.where(exact, z, xp.full_like(z, float("nan"))) + 0 * start
