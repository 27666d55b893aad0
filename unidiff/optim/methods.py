"""The methods of `unidiff.minimize` by name."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

from unidiff._typing import Array
from unidiff.errors import ArgumentError
from unidiff.optim.names import known
from unidiff.optim.objective import Objective
from unidiff.optim.optimizer import Optimizer
from unidiff.optim.result import Iterate, Point
from unidiff.optim.vector import Layout

__all__ = ["METHODS", "Entry", "choose"]

Run = Callable[..., Iterator[Iterate]]


@dataclass(frozen=True)
class Entry:
    """A method: where its generator is, what it is called with beyond its options, and which constraints it takes."""

    name: str
    module: str
    function: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    constraint: str | None = None

    @cached_property
    def generator(self) -> Run:
        """The function that yields the iterates."""
        found: Run = getattr(import_module(f"unidiff.optim.{self.module}"), self.function)
        return found

    @cached_property
    def options(self) -> list[str]:
        """The names of the options of the method."""
        parameters = inspect.signature(self.generator).parameters.values()
        own = {self.constraint, *self.fixed}
        return sorted(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in own)

    def iterates(self, objective: Objective, start: Array, options: Mapping[str, Any]) -> Iterator[Iterate]:
        """Return the iterates of the method from a start."""
        return self.generator(objective, start, **self.fixed, **options)


@dataclass(frozen=True)
class OwnEntry(Entry):
    """A method that the caller wrote."""

    given: Run | None = None

    @cached_property
    def generator(self) -> Run:
        """The function of the caller."""
        if self.given is None:
            raise AssertionError("there is no entry without a function")
        return self.given

    def iterates(self, objective: Objective, start: Array, options: Mapping[str, Any]) -> Iterator[Iterate]:
        """Return the iterates; a point alone stands for one whose measure of optimality is the size of its gradient."""
        found = self.generator(objective, start, **options)
        if not isinstance(found, Iterator):
            raise ArgumentError(
                f"The method {self.name} must be a generator function, which yields a point for each iteration, but it "
                f"returned {found!r:.200}."
            )
        empty = True
        for new in found:
            if not isinstance(new, (Point, Iterate)):
                raise ArgumentError(
                    f"The method {self.name} must yield what objective(x) returns, or an Iterate of it, but it yielded "
                    f"{new!r:.200}."
                )
            empty = False
            yield Iterate(new, new.size) if isinstance(new, Point) else new
        if empty:
            raise ArgumentError(f"The method {self.name} yielded nothing; first of all it yields objective(start).")


METHODS = {
    entry.name: entry
    for entry in (
        Entry("gradient-descent", "descent", "gradient_descent"),
        Entry("cg", "descent", "conjugate_gradients"),
        Entry("bfgs", "quasi_newton", "bfgs"),
        Entry("l-bfgs", "quasi_newton", "lbfgs"),
        Entry("newton", "newton", "newton"),
        Entry("newton-cg", "newton", "newton_cg"),
        Entry("trust-ncg", "trust_region", "trust_ncg"),
        Entry("trust-exact", "trust_region", "trust_exact"),
        Entry("natural-gradient", "descent", "natural_gradient"),
        Entry("l-bfgs-b", "lbfgsb", "lbfgsb", constraint="bounds"),
        Entry("projected-gradient", "projected", "projected_gradient", constraint="projection"),
        Entry("proximal-gradient", "projected", "proximal_gradient", constraint="prox"),
        Entry("fista", "projected", "fista", constraint="prox"),
        Entry("mirror-descent", "projected", "mirror_descent"),
    )
}
"""All methods that are computed here, on the arrays of the caller."""

ALIASES = {"lbfgs": "l-bfgs", "lbfgsb": "l-bfgs-b", "steepest-descent": "gradient-descent"}
LARGE = 300
"""Beyond this dimension the default has no matrices."""


def choose(method: Any, constraint: str | None, layout: Layout) -> Entry | Optimizer:
    """Return the method that is asked for, or the default for the kind of constraint."""
    if isinstance(method, Optimizer):
        if constraint is not None:
            raise ArgumentError(f"{type(method).__name__} does not take {constraint}.")
        return method
    if method is None:
        unconstrained = "bfgs" if layout.dimension <= LARGE else "l-bfgs"
        method = {"bounds": "l-bfgs-b", "projection": "projected-gradient", "prox": "fista"}.get(
            constraint or "", unconstrained
        )
    if callable(method) and not isinstance(method, type):
        if constraint is not None:
            raise ArgumentError(f"A method of your own does not take {constraint}: bind it with functools.partial.")
        return OwnEntry(getattr(method, "__name__", type(method).__name__), "", "", given=method)
    if not isinstance(method, str):
        raise ArgumentError(
            "method must be a name, an optimizer such as unidiff.optim.Adam(0.1), or a generator function of your own, but it "
            f"is {method!r:.200}."
        )
    name = method.lower()
    entry = METHODS.get(ALIASES.get(name, name))
    if entry is None:
        raise ArgumentError(
            f"No method is called {method!r:.200}; {known(method, METHODS)}, any first-order optimizer of unidiff.optim, and "
            "SciPy's methods as 'scipy:NAME'."
        )
    if constraint is not None and entry.constraint != constraint:
        able = [e.name for e in METHODS.values() if e.constraint == constraint]
        raise ArgumentError(f"The method {entry.name!r} does not take {constraint}; those that do are {', '.join(able)}.")
    if constraint is None and entry.constraint in {"projection", "prox"}:
        raise ArgumentError(f"The method {entry.name!r} needs {entry.constraint}=.")
    return entry
