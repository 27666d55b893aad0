"""What kind of stationary point a solution is, by the eigenvalues of the Hessian."""

from collections.abc import Callable

import unidiff as ud
from unidiff._typing import Array
from unidiff.optim.objective import Objective
from unidiff.optim.result import Result
from unidiff.optim.vector import Layout, read

__all__ = ["classify"]

DENSE = 500
"""Up to this dimension the Hessian is computed; beyond, Lanczos' method estimates its extreme eigenvalues."""


def classify(objective: Objective, layout: Layout, result: Result, tol: float, bounded: bool = False) -> str:
    """Return "minimum", "maximum", "saddle", "degenerate", or "not stationary".

    Within bounds the variables that the gradient holds at theirs are fixed, and the point is a stationary one of the others.
    """
    z, g = ud.stop_gradient((layout.pack(result.x, "x"), layout.pack(result.jac, "gradient")))
    xp = ud.array_namespace(g)
    free = xp.abs(g) <= tol
    (count,) = read(xp.sum(xp.astype(free, layout.dtype)))
    if not result.optimality <= tol or (count < layout.dimension and not bounded):
        return "not stationary"
    if not count:
        return "minimum"
    lowest, highest = _extremes(objective, layout, z, free)
    margin = layout.dimension * layout.epsilon**0.5 * max(abs(lowest), abs(highest))
    if lowest > margin:
        return "minimum"
    if highest < -margin:
        return "maximum"
    return "saddle" if lowest < -margin and highest > margin else "degenerate"


def _extremes(objective: Objective, layout: Layout, z: Array, free: Array) -> tuple[float, float]:
    """Return the extreme eigenvalues of the Hessian by the free variables."""
    xp = layout.backend.namespace(z)
    if layout.dimension <= DENSE:
        (kept,) = xp.nonzero(free)
        values = xp.linalg.eigvalsh(xp.take(xp.take(objective.hessian(z), kept, axis=0), kept, axis=1))
        low, high = read(values[0], values[-1])
        return low, high
    product = _on(objective.hvp(z), xp.astype(free, layout.dtype))
    ends = [ud.lanczos(product, z, 1, which).values[0] for which in ("smallest", "largest")]
    low, high = read(*ends)
    return low, high


def _on(product: Callable[[Array], Array], mask: Array) -> Callable[[Array], Array]:
    """Return the product on the free variables; on the others, that with a number between the eigenvalues."""
    between = (mask @ product(mask)) / (mask @ mask)
    return lambda v: mask * product(mask * v) + between * (1 - mask) * v
