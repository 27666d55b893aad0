"""What is to be solved, and the arrays in it: they are the parameters by which a solution differentiates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from unidiff._typing import Tree
from unidiff.errors import ArgumentError, ShapeError
from unidiff.optim.vector import Layout

__all__ = ["Constraint", "Problem", "constraint_list"]


@dataclass(frozen=True, eq=False)
class Constraint:
    """``lower <= fun(x, *args) <= upper``, with a function of pytrees.

    Parameters
    ----------
    fun : callable
        Returns a pytree of real arrays.
    args : tuple
    lower, upper : number or array
        Of shapes that broadcast to all the values of `fun`, as one vector.
    """

    fun: Callable[..., Any]
    args: tuple[Any, ...]
    lower: Any
    upper: Any

    def parameters(self) -> Tree:
        """Return the arrays that the constraint is made with."""
        return [list(self.args), _bound(self.fun), self.lower, self.upper]

    def at(self, parameters: Any) -> "Constraint":
        """Return the constraint with other arrays."""
        args, bound, lower, upper = parameters
        return Constraint(_bind(self.fun, bound), tuple(args), lower, upper)


def constraint_list(given: Any) -> list[Constraint]:
    """Return constraints in the forms of SciPy, or raise what is wrong with them."""
    if given is None:
        return []
    alone = isinstance(given, Mapping) or hasattr(given, "lb")
    if not alone and not isinstance(given, Sequence):
        raise ArgumentError(f"constraints must be one constraint or a list of them, but they are {given!r:.200}.")
    return [_constraint(c) for c in ([given] if alone else given)]


def _constraint(given: Any) -> Constraint:
    kind = str(given.get("type")).lower() if isinstance(given, Mapping) else None
    if kind in {"eq", "ineq"} and callable(given.get("fun")):
        args = given.get("args", ())
        upper = 0.0 if kind == "eq" else float("inf")
        return Constraint(given["fun"], tuple(args) if isinstance(args, (tuple, list)) else (args,), 0.0, upper)
    if hasattr(given, "lb") and hasattr(given, "ub") and callable(getattr(given, "fun", None)):
        return Constraint(given.fun, (), given.lb, given.ub)
    if hasattr(given, "lb") and hasattr(given, "ub") and hasattr(given, "A"):
        return Constraint(_Product(given.A), (), given.lb.tolist(), given.ub.tolist())  # of SciPy, so of NumPy
    raise ArgumentError(
        "A constraint is a dict with 'type': 'eq' or 'ineq' and 'fun', a function, or SciPy's NonlinearConstraint or "
        f"LinearConstraint, but it is {given!r:.200}."
    )


class _Product:
    """The product of a matrix of NumPy with the vector of all entries."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix.toarray() if hasattr(matrix, "toarray") else matrix

    def __call__(self, x: Tree) -> Any:
        layout = Layout(x)
        a = layout.backend.asarray(self.matrix, dtype=layout.dtype, device=layout.device)
        if tuple(a.shape)[1:] != (layout.dimension,):
            raise ShapeError(f"The matrix of a linear constraint is of shape (m, {layout.dimension}), not {tuple(a.shape)}.")
        return a @ layout.pack(x, "x")


@dataclass(frozen=True, eq=False)
class Problem:
    """The functions and arrays of a call of a solver.

    Parameters
    ----------
    fun : callable
        The objective or the residuals, a function of the unknown and of `args`.
    args : tuple
    has_aux : bool
    bounds, projection, prox
        As `unidiff.minimize` takes them.
    constraints : sequence of Constraint
    """

    fun: Callable[..., Any]
    args: tuple[Any, ...] = ()
    has_aux: bool = False
    bounds: Any = None
    projection: Any = None
    prox: Any = None
    constraints: Sequence[Constraint] = ()

    def value(self, x: Tree) -> Any:
        """Return what the function returns, without auxiliary output."""
        out = self.fun(x, *self.args)
        return out[0] if self.has_aux else out

    @property
    def restriction(self) -> str | None:
        """The name of what is given among bounds, projection and prox."""
        return next((name for name in ("bounds", "projection", "prox") if getattr(self, name) is not None), None)

    def parameters(self) -> Tree:
        """Return all arrays of the problem, those bound by `functools.partial` included."""
        functions = [_bound(f) for f in (self.fun, self.projection, self.prox)]
        bounds = list(self.bounds) if isinstance(self.bounds, (tuple, list)) else self.bounds
        return [list(self.args), functions, bounds, [c.parameters() for c in self.constraints]]

    def at(self, parameters: Any) -> "Problem":
        """Return the problem with other arrays."""
        args, (fun, projection, prox), bounds, constraints = parameters
        return replace(
            self,
            fun=_bind(self.fun, fun),
            args=tuple(args),
            bounds=bounds,
            projection=_bind(self.projection, projection),
            prox=_bind(self.prox, prox),
            constraints=[c.at(p) for c, p in zip(self.constraints, constraints, strict=True)],
        )


def _bound(f: Any) -> Tree:
    """Return the arguments that a partial function holds."""
    return [list(f.args), dict(f.keywords)] if isinstance(f, partial) else []


def _bind(f: Any, arguments: Any) -> Any:
    return partial(f.func, *arguments[0], **arguments[1]) if isinstance(f, partial) else f
