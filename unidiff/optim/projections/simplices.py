"""Simplices, and sections of boxes by a hyperplane."""

from typing import Any

import unidiff as ud
from unidiff._typing import Array, Tree
from unidiff.optim.projections.vectors import normal_to, on_real_vectors, ordered, size

__all__ = ["box_section", "simplex"]


@on_real_vectors
def simplex(x: Tree, total: Any = 1.0) -> Tree:
    r"""Project onto :math:`\{x \ge 0, \sum x = s\}`.

    Parameters
    ----------
    x : pytree of array
    total : number
        s.

    Returns
    -------
    pytree of array

    Raises
    ------
    unidiff.errors.ArgumentError
        If the total is negative.
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Notes
    -----
    With the entries u sorted in descending order, :math:`x - \tau` is cut at 0, where
    :math:`\tau = (\sum_{i \le k} u_i - s) / k` for the last k with :math:`u_k > \tau`. M. Held et al., 1974;
    J. Duchi et al., 2008.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.simplex(np.asarray([1.0, 0.5, -3.0]))
    array([0.75, 0.25, 0.  ])
    """
    xp = ud.array_namespace(x)
    size(total, "total")
    if not x.shape[0]:
        return x
    x = x - xp.max(ud.stop_gradient(x))  # which changes nothing but rounding errors
    u = xp.sort(x, descending=True)
    count = xp.cumulative_sum(xp.ones_like(u))
    thresholds = (xp.cumulative_sum(u) - total) / count
    above = ud.stop_gradient(u) > ud.stop_gradient(thresholds)
    number = xp.sum(xp.astype(above, x.dtype))
    last = count == xp.maximum(number, xp.ones_like(number))  # none is above for a total of 0
    return xp.clip(x - xp.sum(xp.where(last, thresholds, xp.zeros_like(thresholds))), 0.0, None)


@on_real_vectors
def box_section(x: Tree, lower: Any, upper: Any, normal: Array, offset: Any) -> Tree:
    r"""Project onto :math:`\{l \le x \le u, a \cdot x = b\}`, which must not be empty.

    Parameters
    ----------
    x : pytree of array
    lower, upper : number or array
        l and u, finite.
    normal : array
        a, with as many entries as `x`.
    offset : number
        b.

    Returns
    -------
    pytree of array

    Raises
    ------
    unidiff.errors.NotAnArrayError
        If a leaf is no array of any backend.

    Notes
    -----
    The solution is :math:`\mathrm{clip}(x - \tau a, l, u)`; the multiplier is found by bisection, and then exactly from the
    entries that are not at a bound, through which it differentiates.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> ud.optim.projections.box_section(np.asarray([2.0, 0.0]), 0.0, 0.75, np.ones(2), 1.0)
    array([0.75, 0.25])
    """
    xp, normal = ud.array_namespace(x, normal), normal_to(x, normal)
    ordered(lower, upper)
    z, a, b = ud.stop_gradient(x), ud.stop_gradient(normal), ud.stop_gradient(offset)
    plain = ud.array_namespace(z, a)
    squares = plain.sum(a * a)
    span = plain.max(plain.abs(z)) + plain.max(plain.abs(plain.clip(z, lower, upper) - z)) + plain.max(plain.abs(a))
    smallest = plain.min(plain.where(a != 0, plain.abs(a), plain.full_like(a, float("inf"))))
    high = 2 * span * (1 + plain.sqrt(squares)) / smallest
    low = -1.0 * high
    for _ in range(80):
        middle = 0.5 * (low + high)
        beyond = plain.sum(a * plain.clip(z - middle * a, lower, upper)) > b
        low, high = plain.where(beyond, middle, low), plain.where(beyond, high, middle)
    tentative = z - 0.5 * (low + high) * a
    free = plain.astype((tentative > lower) & (tentative < upper), z.dtype)
    fixed = plain.clip(tentative, lower, upper) * (1 - free)
    weight = plain.sum(free * a * a)
    tau = (xp.sum(normal * (free * x + fixed)) - offset) / xp.where(
        weight > 0, xp.sum(free * normal * normal), xp.ones_like(weight)
    )
    return free * (x - tau * normal) + fixed
