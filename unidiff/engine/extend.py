"""The door for rule files: everything a rule may use, and nothing else.

A rule file states the derivatives of one category of functions with the five verbs below. ``xp`` is always the namespace to
compute with; a rule uses operators and functions of the standard, and unidiff's own functions of the same namespace, so that
it can be differentiated again.

`elementwise`
    a function that acts element by element and is holomorphic where it is complex: one line per argument that maps the
    tangent, ``lambda xp, t, x: t * xp.cos(x)``. Parameters after the tangent name what the map needs: ``x`` (or ``x1``,
    ``x2``, ``x3``) and ``ans``, the result. It is used in both modes, since the adjoint of multiplication by a number is
    multiplication by its conjugate.
`rule`
    any other function: ``jvp(xp, t, ans, *args, **kwargs)`` and ``vjp(xp, g, ans, *args, **kwargs)`` side by side, one of
    each per array argument; arguments and keywords are those of the call.
`composite`
    a function written with others of the namespace, from which its derivatives follow.
`zero`
    a function that is piecewise constant: its derivative is exactly zero.
`nondifferentiable`
    a function that refuses traced arguments, with the reason.

The engine broadcasts tangents, sums cotangents over broadcast axes and restores dtypes, so rules need not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from unidiff._typing import Array, Namespace
from unidiff.engine.batching import BATCHERS, Shared, Unbatchable, align
from unidiff.engine.batching import elementwise as batch_elementwise
from unidiff.engine.indexing import plain_key, varies
from unidiff.engine.pullback import part_cotangent, spread_cotangent
from unidiff.engine.rule import RULES, Pass, Rule, add, elementwise_rule, general_pull, negated, unchanged
from unidiff.engine.shapes import (
    COMPLEX,
    Aval,
    along,
    expand_reduced,
    is_complex_dtype,
    normalize_axes,
    sum_to_shape,
)
from unidiff.engine.tracing import device_of, transposed
from unidiff.errors import (
    IRREVERSIBLE_LOOP,
    ArgumentError,
    MissingRuleError,
    NotDifferentiableError,
    ShapeError,
    TracedConversionError,
    UnsupportedOperationError,
)

__all__ = [
    "BATCHERS",
    "IRREVERSIBLE_LOOP",
    "RULES",
    "ArgumentError",
    "Array",
    "Aval",
    "MissingRuleError",
    "Namespace",
    "NotDifferentiableError",
    "ShapeError",
    "Shared",
    "TracedConversionError",
    "Unbatchable",
    "UnsupportedOperationError",
    "align",
    "along",
    "batch_elementwise",
    "composite",
    "creation",
    "device_of",
    "elementwise",
    "expand_reduced",
    "is_complex",
    "negated",
    "nondifferentiable",
    "normalize_axes",
    "part_cotangent",
    "plain_key",
    "rule",
    "spread_cotangent",
    "sum_to_shape",
    "transposed",
    "unchanged",
    "varies",
    "zero",
]


def elementwise(name: str, *pushes: Pass, implementation: Callable[..., Any] | None = None) -> None:
    """Declare a function that acts element by element; ``pushes`` are its tangent maps, one per argument."""
    add(elementwise_rule(name, pushes, implementation))


def rule(
    name: str,
    *,
    jvp: Pass | Sequence[Pass | None],
    vjp: Pass | Sequence[Pass | None],
    keep: Iterable[int] = (),
    variadic: bool = False,
    places: Callable[..., Sequence[Any]] | None = None,
    packed: bool = False,
    outputs: int | None = None,
    view: bool = False,
    implementation: Callable[..., Any] | None = None,
    arguments: Callable[..., Any] | None = None,
) -> None:
    """Declare a function with its tangent and cotangent maps; see `unidiff.engine.rule.Rule` for the parameters.

    Arguments whose values are not in ``keep`` (-1 is the result) reach ``vjp`` as an `Aval`, which has ``shape``, ``dtype``,
    ``ndim``, ``size`` and ``device`` only. A function with several results gets in ``vjp`` a tuple of cotangents, None for
    results that nothing depends on, and returns tuples of tangents from ``jvp``, where None is zero.
    """
    jvps = (jvp,) if callable(jvp) else tuple(jvp)
    vjps = (vjp,) if callable(vjp) else tuple(vjp)
    if len(jvps) != len(vjps):
        raise ValueError(f"{name}: one jvp and one vjp per array argument")
    add(
        Rule(
            name=name,
            kind="general",
            jvps=jvps,
            vjps=vjps,
            pulls=tuple(map(general_pull, vjps)),
            keep=frozenset(keep),
            variadic=variadic,
            places=places,
            packed=packed,
            outputs=outputs,
            view=view,
            implementation=implementation,
            arguments=arguments,
        )
    )


def composite(name: str, implementation: Callable[..., Any], *, arguments: Callable[..., Any] | None = None) -> None:
    """Declare a function by ``implementation(xp, *args, **kwargs)``; plain arguments use the library's own where it has one."""
    add(Rule(name=name, kind="composite", implementation=implementation, arguments=arguments))


def zero(*names: str, implementation: Callable[..., Any] | None = None, arguments: Callable[..., Any] | None = None) -> None:
    """Declare piecewise constant functions, whose derivative is exactly zero."""
    for name in names:
        add(Rule(name=name, kind="zero", implementation=implementation, arguments=arguments))


def creation(
    *names: str, implementation: Callable[..., Any] | None = None, arguments: Callable[..., Any] | None = None
) -> None:
    """Declare functions that make arrays from shapes and Python numbers; for traced numbers there is an implementation."""
    for name in names:
        add(Rule(name=name, kind="creation", implementation=implementation, arguments=arguments))


def nondifferentiable(name: str, reason: str) -> None:
    """Declare a function that raises on traced arguments."""
    add(Rule(name=name, kind="nondifferentiable", reason=reason))


def is_complex(xp: Namespace, x: Array) -> bool:
    """Whether ``x`` has a complex dtype."""
    try:
        return COMPLEX[type(x.dtype)][x.dtype]
    except KeyError:
        return is_complex_dtype(xp, x.dtype)
