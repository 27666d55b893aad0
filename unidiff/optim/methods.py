"""The methods of `unidiff.minimize` by name."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from typing import Any

from unidiff.errors import ArgumentError
from unidiff.optim.optimizer import Optimizer
from unidiff.optim.result import Iterate
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

    @property
    def options(self) -> list[str]:
        """The names of the options of the method."""
        parameters = inspect.signature(self.generator).parameters.values()
        own = {self.constraint, *self.fixed}
        return sorted(p.name for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in own)


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
    if not isinstance(method, str):
        raise ArgumentError(
            f"method must be a name or an optimizer such as unidiff.optim.Adam(0.1), but it is {method!r:.200}."
        )
    name = method.lower()
    entry = METHODS.get(ALIASES.get(name, name))
    if entry is None:
        raise ArgumentError(
            f"No method is called {method!r:.200}. Known are {', '.join(METHODS)}, any first-order optimizer of "
            "unidiff.optim, and SciPy's methods as 'scipy:NAME'."
        )
    if constraint is not None and entry.constraint != constraint:
        able = [e.name for e in METHODS.values() if e.constraint == constraint]
        raise ArgumentError(f"The method {entry.name!r} does not take {constraint}; those that do are {', '.join(able)}.")
    if constraint is None and entry.constraint in {"projection", "prox"}:
        raise ArgumentError(f"The method {entry.name!r} needs {entry.constraint}=.")
    return entry
