"""Derivative rules as data, and the table that holds them.

A rule knows one function of the namespace and no array library. It says how a tangent is pushed forward and how a cotangent
is pulled back through each array argument; both get the namespace ``xp`` to compute with as their first argument, so the same
rule serves plain arrays, where ``xp`` is the library's own namespace, and traced ones, where it is the differentiable
namespace and the rule is itself differentiated.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

Pass = Callable[..., Any]
"""A tangent or cotangent map. ``jvp(xp, t, ans, *args, **kwargs)`` or ``vjp(xp, g, ans, *args, **kwargs)``."""

KINDS = ("elementwise", "general", "zero", "composite", "nondifferentiable", "creation")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Rule:
    """How one function of the namespace is differentiated.

    Parameters
    ----------
    name : str
        Name in the namespace, dotted in a submodule (``"linalg.det"``).
    kind : str
        One of `KINDS`.
    jvps, vjps : tuple of Pass or None
        One per array argument; None where the argument carries no derivative (indices, masks).
    variadic : bool
        All positional arguments are arrays, and the maps get them as one tuple: ``jvps[0](xp, tangents, ans, arrays)`` with
        None in the place of a constant's tangent, and ``vjps[0](xp, g, position, ans, arrays)``.
    places : callable or None
        For variadic rules: ``places(arrays, **kwargs)`` gives for each argument what its cotangent map gets instead of the
        position, where that takes a look at all of them.
    packed : bool
        Whether the library's function takes the arrays of a variadic rule as one list, as ``concat`` does.
    pulls : tuple of Pass or None
        The cotangent maps in the one form that a tape holds: ``pull(xp, g, residuals)``. The residuals of an elementwise map
        are None, what it needs, or a tuple of that; those of any other map are a pair of its arguments and keywords.
    residuals : tuple of tuple of int
        For elementwise rules: per argument the positions its map needs, -1 standing for the result.
    keep : frozenset of int
        For general rules: positions whose values the cotangent maps need, -1 standing for the result. The other arguments
        reach them as an `Aval`, so that the tape does not hold what it does not need.
    outputs : int or None
        None for one array, else the result is a tuple; 0 where its length varies.
    view : bool
        Whether the result may share memory with the first argument.
    implementation : callable or None
        ``implementation(xp, *args, **kwargs)``: how functions beyond the standard, and composites, are computed.
    arguments : callable or None
        Brings a call into the form ``(args, kwargs)`` with the array arguments first; None where it already has it.
    reason : str
        Why there is no derivative.
    """

    name: str
    kind: str
    jvps: tuple[Pass | None, ...] = ()
    vjps: tuple[Pass | None, ...] = ()
    pulls: tuple[Pass | None, ...] = ()
    variadic: bool = False
    places: Callable[..., Sequence[Any]] | None = None
    packed: bool = False
    residuals: tuple[tuple[int, ...], ...] = ()
    keep: frozenset[int] = field(default_factory=frozenset)
    outputs: int | None = None
    view: bool = False
    implementation: Callable[..., Any] | None = None
    arguments: Callable[..., Any] | None = None
    reason: str = ""


RULES: dict[str, Rule] = {}
"""Every rule, by name; filled by the rule files as they are imported."""

CONJUGATE: dict[Pass, Pass] = {}
"""The adjoint over the complex numbers of each elementwise map that is its own adjoint over the real ones."""


def add(rule: Rule) -> None:
    """Put a rule into the table."""
    if rule.name in RULES:
        raise ValueError(f"{rule.name} already has a rule")
    RULES[rule.name] = rule


def unchanged(_xp: Any, t: Any, _residuals: None = None) -> Any:
    """Map a tangent, or a cotangent, to itself."""
    return t


def negated(_xp: Any, t: Any, _residuals: None = None) -> Any:
    """Map a tangent, or a cotangent, to its negative."""
    return -t


_POSITION = {"ans": -1, "x": 0, "x1": 0, "x2": 1, "x3": 2}


def residual_positions(push: Pass) -> tuple[int, ...]:
    """Return which of the arguments and the result an elementwise map names after ``xp`` and the tangent."""
    names = list(inspect.signature(push).parameters)[2:]
    return tuple(_POSITION[name] for name in names if not name.startswith("_"))


def elementwise_pull(push: Pass, needs: int) -> Pass:
    """Return an elementwise map of ``needs`` residuals in the form that a tape holds."""
    if needs == 1 or push in (unchanged, negated):
        return push
    if not needs:
        return lambda xp, g, _: push(xp, g)
    return lambda xp, g, residuals: push(xp, g, *residuals)


def general_pull(vjp: Pass | None) -> Pass | None:
    """Return a cotangent map in the form that a tape holds."""
    if vjp is None:
        return None

    def pull(xp: Any, g: Any, call: tuple[tuple[Any, ...], dict[str, Any]]) -> Any:
        args, kwargs = call
        return vjp(xp, g, *args, **kwargs) if kwargs else vjp(xp, g, *args)

    return pull


def conjugated(push: Pass) -> Pass:
    """Return the adjoint of multiplication by a complex number ``d`` from that multiplication: conj(d conj(g)) = conj(d) g."""

    def pull(xp: Any, g: Any, residuals: Any) -> Any:
        return xp.conj(push(xp, xp.conj(g), residuals))

    return pull


def elementwise_rule(name: str, pushes: Iterable[Pass], implementation: Callable[..., Any] | None) -> Rule:
    """Make the rule of a function that is holomorphic element by element, one map of the tangent per argument."""
    pushes = tuple(pushes)
    residuals = tuple(residual_positions(push) for push in pushes)
    pulls = tuple(elementwise_pull(push, len(needs)) for push, needs in zip(pushes, residuals, strict=True))
    for pull in pulls:
        CONJUGATE.setdefault(pull, conjugated(pull))

    def forward(push: Pass, positions: tuple[int, ...]) -> Pass:
        def jvp(xp: Any, t: Any, ans: Any, *args: Any) -> Any:
            return push(xp, t, *(ans if position < 0 else args[position] for position in positions))

        return jvp

    return Rule(
        name=name,
        kind="elementwise",
        jvps=tuple(forward(push, positions) for push, positions in zip(pushes, residuals, strict=True)),
        vjps=pushes,
        pulls=pulls,
        residuals=residuals,
        implementation=implementation,
    )
