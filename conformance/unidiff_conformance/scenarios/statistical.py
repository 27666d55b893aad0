"""Reductions and cumulative functions; sums, products and extrema."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from unidiff_conformance.scenario import ARITHMETIC, EXACT, REDUCTION, Accuracy, Function, Scenario, cplx, real, scenario

_REDUCTIONS: dict[str, tuple[bool, Accuracy]] = {
    "max": (False, EXACT),
    "mean": (True, REDUCTION),
    "min": (False, EXACT),
    "prod": (True, REDUCTION),
    "std": (False, REDUCTION),
    "sum": (True, EXACT),
    "var": (False, REDUCTION),
}
_AXES: dict[str, dict[str, Any]] = {
    "all": {},
    "axis": {"axis": 0},
    "negative-axis": {"axis": -1},
    "keepdims": {"axis": 1, "keepdims": True},
    "tuple-axis": {"axis": (0, -1)},
    "tuple-keepdims": {"axis": (1, 0), "keepdims": True},
    "all-keepdims": {"keepdims": True},
    "no-axis": {"axis": ()},
}


def _call(name: str, **keywords: Any) -> Function:
    return lambda xp, x: getattr(xp, name)(x, **keywords)


def _reductions() -> Iterator[Scenario]:
    for name, (takes_complex, accuracy) in _REDUCTIONS.items():
        base, make = f"statistical.{name}", partial(scenario, accuracy=accuracy)
        for variant, keywords in _AXES.items():
            if variant == "no-axis" and name == "std":
                continue  # the deviation of one number has a kink
            yield make(f"{base}.{variant}", _call(name, **keywords), real(2, 3))
        yield make(f"{base}.3-d", _call(name, axis=(0, 2)), real(2, 3, 2))
        yield make(f"{base}.size-1-axis", _call(name, axis=(0, 1)), real(2, 1, 2))
        if name != "std":
            yield make(f"{base}.0-d", _call(name), real())
        if takes_complex:
            yield make(f"{base}.complex", _call(name, axis=1), cplx(2, 2))
    for name in ("var", "std"):
        yield scenario(f"statistical.{name}.correction", _call(name, correction=1), real(2, 3), accuracy=REDUCTION)
        fractional = _call(name, axis=1, correction=0.5, keepdims=True)
        yield scenario(f"statistical.{name}.fractional-correction", fractional, real(2, 3), accuracy=REDUCTION)
    for name in ("sum", "prod"):
        typed = lambda xp, x, name=name: getattr(xp, name)(x, dtype=x.dtype)
        yield scenario(f"statistical.{name}.dtype", typed, real(2, 3), accuracy=REDUCTION)
        yield scenario(f"statistical.{name}.empty", _call(name), real(0), accuracy=EXACT)
        yield scenario(f"statistical.{name}.empty-axis", _call(name, axis=0), real(0, 3), accuracy=EXACT)
    yield scenario("statistical.max.empty-other-axis", _call("max", axis=1), real(0, 3), accuracy=EXACT)


def _zeros_in_products() -> Iterator[Scenario]:
    """Products with zeros are polynomials: nothing about them is singular, whatever the order."""
    make = partial(scenario, accuracy=REDUCTION)
    for name in ("prod", "cumulative_prod"):
        yield make(f"statistical.{name}.one-zero", _call(name), [1.5, 0.0, -2.0, 0.5])
        yield make(f"statistical.{name}.two-zeros", _call(name), [0.0, 1.5, 0.0, -2.0])
        yield make(f"statistical.{name}.all-zeros", _call(name), [0.0, 0.0, 0.0])
    yield make("statistical.prod.zeros-along-axis", _call("prod", axis=1), [[1.5, 0.0, 2.0], [0.0, 0.0, 3.0]])
    yield make("statistical.prod.complex-zero", _call("prod"), [1.5 + 1j, 0j, -2.0j])


def _cumulative() -> Iterator[Scenario]:
    for name, accuracy in (("cumulative_sum", EXACT), ("cumulative_prod", REDUCTION)):
        base, make = f"statistical.{name}", partial(scenario, accuracy=accuracy)
        yield make(f"{base}.vector", _call(name), real(3))
        yield make(f"{base}.axis", _call(name, axis=0), real(2, 3))
        yield make(f"{base}.negative-axis", _call(name, axis=-1), real(2, 3))
        yield make(f"{base}.initial", _call(name, axis=1, include_initial=True), real(2, 3))
        yield make(f"{base}.dtype", lambda xp, x, name=name: getattr(xp, name)(x, dtype=x.dtype), real(3))
        yield make(f"{base}.complex", _call(name), cplx(3))
        yield make(f"{base}.empty", _call(name), real(0))
        yield make(f"{base}.size-1", _call(name), real(1))
    two = "statistical.mean.minus-mean"
    yield scenario(two, lambda xp, x: x - xp.mean(x, axis=1, keepdims=True), real(2, 3), accuracy=REDUCTION)
    scaled = "statistical.sum.softmax"
    yield scenario(scaled, lambda xp, x: xp.exp(x) / xp.sum(xp.exp(x), axis=-1, keepdims=True), real(2, 3), accuracy=REDUCTION)
    yield scenario("statistical.sum.multiply", lambda xp, x, y: xp.sum(x * y), real(3), real(3), accuracy=ARITHMETIC)


def _kinks() -> Iterator[Scenario]:
    """Ties of extrema share equally, whatever the axis; the deviation of a constant has derivative 0."""
    make = partial(scenario, accuracy=REDUCTION)
    for name, sign in (("max", 1.0), ("min", -1.0)):
        base = f"statistical.{name}"
        tied = [sign * value for value in (1.0, 3.0, 3.0, 2.0)]
        yield make(f"{base}.tie", _call(name), tied, like=lambda xp, x: (x[1] + x[2]) / 2)
        yield make(f"{base}.all-tied", _call(name), [1.0, 1.0, 1.0], like=lambda xp, x: xp.mean(x))
        matrix = [[sign * value for value in row] for row in ([2.0, 2.0, 1.0], [0.0, 2.0, 2.0])]
        halves = lambda xp, x: xp.stack([(x[0, 0] + x[0, 1]) / 2, (x[1, 1] + x[1, 2]) / 2])
        yield make(f"{base}.tie-rows", _call(name, axis=1), matrix, like=halves)
        whole = lambda xp, x: (x[0, 0] + x[0, 1] + x[1, 1] + x[1, 2]) / 4
        yield make(f"{base}.tie-all-axes", _call(name), matrix, like=whole)
        yield make(f"{base}.tie-tuple-axis", _call(name, axis=(0, 1), keepdims=True), matrix,
                   like=lambda xp, x, whole=whole: xp.reshape(whole(xp, x), (1, 1)))  # fmt: skip
    yield make("statistical.std.constant", _call("std"), [1.5, 1.5, 1.5], like=lambda xp, x: 0 * x[0])
    rows = [[1.0, 1.0], [1.0, 3.0]]
    half = lambda xp, x: xp.stack([0 * x[0, 0], (x[1, 1] - x[1, 0]) / 2])
    yield make("statistical.std.constant-row", _call("std", axis=1), rows, like=half)
    yield make("statistical.std.single", _call("std"), [2.0], like=lambda xp, x: 0 * x[0])
    yield make("statistical.std.0-d", _call("std"), 2.0, like=lambda xp, x: 0 * x)


SCENARIOS = (*_reductions(), *_zeros_in_products(), *_cumulative(), *_kinks())
