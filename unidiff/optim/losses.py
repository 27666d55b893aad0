r"""Loss functions of robust least squares: :math:`\rho(z)` of squared residuals, which counts large ones for less.

The cost is :math:`\frac{c^2}{2} \sum_i \rho(r_i^2 / c^2)`, as in SciPy. B. Triggs et al., "Bundle adjustment: a modern
synthesis", 2000.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import unidiff as ud
from unidiff._typing import Array
from unidiff.errors import ArgumentError, ShapeError
from unidiff.optim.arguments import positive

__all__ = ["LOSSES", "Loss"]


def _huber(z: Array) -> Array:
    xp = ud.array_namespace(z)
    far = z > 1
    return xp.where(far, 2 * xp.sqrt(xp.where(far, z, xp.ones_like(z))) - 1, z)


def _soft_l1(z: Array) -> Array:
    return 2 * (ud.array_namespace(z).sqrt(1 + z) - 1)


def _cauchy(z: Array) -> Array:
    return ud.array_namespace(z).log1p(z)


def _arctan(z: Array) -> Array:
    return ud.array_namespace(z).atan(z)


LOSSES: dict[str, Callable[[Array], Array] | None] = {
    "linear": None,
    "huber": _huber,
    "soft_l1": _soft_l1,
    "cauchy": _cauchy,
    "arctan": _arctan,
}
"""By the names of SciPy; None is the identity."""


@dataclass(frozen=True)
class Loss:
    """A loss function with its scale.

    Parameters
    ----------
    name : str or callable
        One of `LOSSES`, or a function of an array of squared residuals, entry by entry.
    scale : float
        The residual between inliers and outliers.
    """

    name: Any
    scale: float

    def __post_init__(self) -> None:
        if not callable(self.name) and (not isinstance(self.name, str) or self.name not in LOSSES):
            raise ArgumentError(f"loss must be a function or one of {', '.join(LOSSES)}, but it is {self.name!r:.200}.")
        object.__setattr__(self, "scale", positive(self.scale, "f_scale"))

    @property
    def rho(self) -> Callable[[Array], Array] | None:
        """The function, None for the identity."""
        return LOSSES[self.name] if isinstance(self.name, str) else self.name

    def cost(self, r: Array) -> Array:
        """Return the cost of residuals."""
        xp, rho = ud.array_namespace(r), self.rho
        if rho is None:
            return 0.5 * xp.sum(r * r)
        c = self.scale
        values = rho(r * r * (1 / c**2))
        if tuple(values.shape) != tuple(r.shape):
            raise ShapeError(f"The loss returned the shape {tuple(values.shape)} for residuals of shape {tuple(r.shape)}.")
        return 0.5 * c**2 * xp.sum(values)

    def scaled(self, r: Array, jacobian: Array) -> tuple[Array, Array]:
        """Return residuals and Jacobian whose Gauss-Newton model is that of the cost."""
        rho = self.rho
        if rho is None:
            return r, jacobian
        xp, z = ud.array_namespace(r), r * r * (1 / self.scale**2)
        one = xp.ones_like(z)
        first, second = ud.jvp(lambda y: ud.jvp(rho, (y,), (one,))[1], (z,), (one,))
        least = float(xp.finfo(r.dtype).eps)
        weight = xp.sqrt(xp.clip(first + 2 * second * z, least, None))
        return r * (first / weight), jacobian * weight[:, None]
