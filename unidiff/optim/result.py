"""What a solver returns, and why it stopped."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from math import inf
from types import MappingProxyType
from typing import Any, NamedTuple

from unidiff._typing import Array, Tree

__all__ = ["LeastSquaresResult", "Result", "Status"]


class Status(Enum):
    """Why a solver stopped; the value is the message.

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.optim.Status.CONVERGED.value
    'The measure of optimality is within the tolerance.'
    """

    CONVERGED = "The measure of optimality is within the tolerance."
    SMALL_CHANGE = "The last change of the objective or of the point was within ftol or xtol."
    ITERATIONS = "The largest number of iterations was reached."
    TIME = "The time was up."
    CALLBACK = "The callback raised StopIteration."
    LINE_SEARCH = (
        "The line search found no acceptable step: rounding errors dominate, or the gradient is not that of the objective."
    )
    NOT_DESCENT = "The direction of search is not one of descent."
    NOT_FINITE = "The objective or its gradient is NaN or infinite."
    STALLED = "No further progress is possible."
    SCIPY = "SciPy's solver reported a failure."


@dataclass(eq=False)
class Result(Mapping[str, Any]):
    """The outcome of a solver, in the vocabulary of ``scipy.optimize.OptimizeResult``: a mapping from its names, too.

    Parameters
    ----------
    x : pytree of array
        The solution, or where there is none the best point that was met, in the structure, library, dtypes and device of the
        start.
    fun : array or pytree of array
        The objective at `x`, of shape (); for roots and fixed points the residual, a pytree.
    jac : pytree of array or None
        The gradient at `x`, in the structure of `x`; None where none was computed.
    optimality : float
        The measure that was compared with the tolerance: the largest entry of the gradient in magnitude, or what the method
        says takes its place.
    nit, nfev, njev, nhev : int
        Iterations; evaluations of the objective, of gradients or Jacobians, and of Hessians or their products.
    success : bool
        Whether `x` satisfies a stopping rule for solutions.
    status : Status
    message : str
    aux : pytree
        What the function returned besides its value at `x`, with ``has_aux=True``.
    state : dict
        What the method knew at the end, such as ``"inverse_hessian"``.
    trajectory : list or None
        All iterates, from the start, with the option ``trajectory=True``.
    stationary : str or None
        With the option ``classify=True``: "minimum", "maximum", "saddle", "degenerate" or "not stationary".

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> result = ud.minimize(lambda x: ((x - 1.0) ** 2).sum(), np.zeros(3))
    >>> result.success, result["status"].name
    (True, 'CONVERGED')
    """

    x: Tree
    fun: Any
    jac: Tree
    optimality: float
    nit: int
    nfev: int
    njev: int
    nhev: int
    success: bool
    status: Status
    message: str
    aux: Any = None
    state: Mapping[str, Any] = field(default_factory=dict)
    trajectory: Sequence[Tree] | None = None
    stationary: str | None = None

    def __getitem__(self, name: str) -> Any:
        """Return a field by name, as SciPy's result does."""
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def keys(self) -> list[str]:  # type: ignore[override]  # a view would say no more
        """Return the names of the fields."""
        return [f.name for f in fields(self)]

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the names of the fields, as of a dict."""
        return iter(self.keys())

    def __len__(self) -> int:
        """Return the number of fields."""
        return len(self.keys())


@dataclass(eq=False)
class LeastSquaresResult(Result):
    """The outcome of a fit.

    Parameters
    ----------
    cost : array
        What is minimized: half the sum of squares, or of a loss.
    active_mask : pytree of array or None
        Where lower (-1) and upper (1) bounds hold, in the structure of `x`; None without bounds.

    Notes
    -----
    All other fields are those of `Result`.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> result = ud.least_squares(lambda x: x - 2.0, np.zeros(2), bounds=(0.0, 1.0))
    >>> result.active_mask, round(float(result.cost), 6)
    (array([1, 1]), 1.0)
    """

    cost: Any = None
    active_mask: Any = None

    @property
    def grad(self) -> Tree:
        """The gradient of the cost, as SciPy calls it."""
        return self.jac


class Point(NamedTuple):
    """A vector with the objective and its gradient there, and what is known of them on the host.

    Parameters
    ----------
    x : array
        Of shape (n,).
    value : array
        Of shape ().
    gradient : array
        Of shape (n,).
    f : float
        The value.
    size : float
        The largest entry of the gradient in magnitude.
    slope : float
        The derivative along the direction that was asked for.
    aux : pytree
        What the function returned besides.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> def fixed_steps(objective, start, *, step=0.1):
    ...     point = objective(start)
    ...     while True:
    ...         yield point
    ...         point = objective(point.x - step * point.gradient)
    >>> result = ud.minimize(lambda p: (p["w"] ** 2).sum(), {"w": np.ones(2)}, method=fixed_steps, options={"step": 0.4})
    >>> result.success, result.nit
    (True, 8)
    """

    x: Array
    value: Array
    gradient: Array
    f: float
    size: float
    slope: float
    aux: Any = None

    @property
    def finite(self) -> bool:
        """Whether objective and gradient are."""
        return abs(self.f) < inf and self.size < inf


class Iterate(NamedTuple):
    """What a method yields after each iteration.

    Parameters
    ----------
    point : Point
    optimality : float
        What is compared with the tolerance.
    state : dict, or callable that returns one
        What the method knows.
    monotone : bool
        Whether a lower objective is a better point, so that the best one may be an earlier one.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> def newton(objective, start):
    ...     point = objective(start)
    ...     while True:
    ...         h = objective.hessian(point.x)
    ...         yield ud.optim.Iterate(point, point.size, {"hessian": h})
    ...         point = objective(point.x - np.linalg.solve(h, point.gradient))
    >>> ud.minimize(lambda x: (x**2).sum(), np.ones(2), method=newton).state["hessian"]
    array([[2., 0.],
           [0., 2.]])
    """

    point: Point
    optimality: float
    state: Any = MappingProxyType({})
    monotone: bool = True


class Stop(Exception):  # noqa: N818  # it ends an iteration and is often no error
    """Ends a method that cannot go on."""

    def __init__(self, status: Status, detail: str = "") -> None:
        super().__init__(f"{status.value} {detail}".strip())
        self.status = status
