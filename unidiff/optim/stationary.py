"""What kind of stationary point a solution is, by the eigenvalues of the Hessian."""

import unidiff as ud
from unidiff._typing import Array
from unidiff.optim.objective import Objective
from unidiff.optim.result import Result
from unidiff.optim.vector import Layout, read

__all__ = ["classify"]

DENSE = 500
"""Up to this dimension the Hessian is computed; beyond, Lanczos' method estimates its extreme eigenvalues."""


def classify(objective: Objective, layout: Layout, result: Result, tol: float) -> str:
    """Return "minimum", "maximum", "saddle", "degenerate", or "not stationary"."""
    if not result.optimality <= tol:
        return "not stationary"
    z = layout.pack(result.x, "x")
    lowest, highest = _extremes(objective, layout, z)
    margin = layout.dimension * layout.epsilon**0.5 * max(abs(lowest), abs(highest))
    if lowest > margin:
        return "minimum"
    if highest < -margin:
        return "maximum"
    return "saddle" if lowest < -margin and highest > margin else "degenerate"


def _extremes(objective: Objective, layout: Layout, z: Array) -> tuple[float, float]:
    if layout.dimension <= DENSE:
        values = layout.backend.namespace(z).linalg.eigvalsh(objective.hessian(z))
        low, high = read(values[0], values[-1])
        return low, high
    ends = [ud.lanczos(objective.hvp(z), z, 1, which).values[0] for which in ("smallest", "largest")]
    low, high = read(*ends)
    return low, high
