"""Elementwise functions at kinks, at removable singularities, and where no finite derivative exists."""

from collections.abc import Iterator
from functools import partial
from math import inf, nan

from unidiff_conformance.scenario import (
    ARITHMETIC,
    TRANSCENDENTAL,
    Scenario,
    real,
    scenario,
)


def _kinks() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=ARITHMETIC)
    zero = lambda xp, *arrays: 0 * sum(arrays)
    yield make(
        "elementwise.abs.at-0",
        lambda xp, x: xp.abs(x),
        [0.0, -0.0, 1.5],
        like=lambda xp, x: xp.stack([0 * x[0], 0 * x[1], x[2]]),
    )
    yield make("elementwise.abs.complex-at-0", lambda xp, x: xp.abs(x), [0j], like=lambda xp, x: xp.real(0 * x))
    yield make("elementwise.hypot.at-0", lambda xp, x, y: xp.hypot(x, y), [0.0], [0.0], like=zero)
    for name in ("maximum", "minimum"):
        base, function = f"elementwise.{name}", lambda xp, x, y, name=name: getattr(xp, name)(x, y)
        yield make(f"{base}.tie", function, [1.5, 0.0], [1.5, 0.0], like=lambda xp, x, y: (x + y) / 2)
        yield make(f"{base}.tie-broadcast", function, [[1.5], [1.5]], [1.5, 1.5], like=lambda xp, x, y: (x + y) / 2)
        yield make(
            f"{base}.tie-scalar-right", lambda xp, x, name=name: getattr(xp, name)(x, 0.0), [0.0], like=lambda xp, x: x / 2
        )
        yield make(
            f"{base}.tie-scalar-left", lambda xp, x, name=name: getattr(xp, name)(1.5, x), [1.5], like=lambda xp, x: x / 2
        )
        yield make(f"{base}.same-array", lambda xp, x, name=name: getattr(xp, name)(x, x), [1.5, -2.0], like=lambda xp, x: x)
    yield from _clip()
    yield make("elementwise.copysign.at-0", lambda xp, x, y: xp.copysign(x, y), [0.0, 0.0], [1.0, -1.0], like=zero)


def _clip() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=ARITHMETIC)
    at_bounds = [0.0, 1.0, 0.5, -1.0, 2.0]
    weights = lambda xp, x: x * xp.asarray([0.5, 0.5, 1.0, 0.0, 0.0], dtype=x.dtype)
    yield make("elementwise.clip.at-bounds", lambda xp, x: xp.clip(x, 0.0, 1.0), at_bounds, like=weights)
    yield make(
        "elementwise.clip.at-lower", lambda xp, x: xp.clip(x, 0.0), [0.0, 1.0], like=lambda xp, x: xp.stack([x[0] / 2, x[1]])
    )
    yield make(
        "elementwise.clip.at-upper",
        lambda xp, x: xp.clip(x, None, 1.0),
        [0.0, 1.0],
        like=lambda xp, x: xp.stack([x[0], x[1] / 2]),
    )
    yield make("elementwise.clip.at-both", lambda xp, x: xp.clip(x, 1.0, 1.0), [1.0], like=lambda xp, x: x / 3)
    three = lambda xp, x, low, high: xp.clip(x, low, high)
    yield make(
        "elementwise.clip.at-array-lower", three, [1.0], [1.0], [2.0], like=lambda xp, x, low, high: (x + low) / 2 + 0 * high
    )
    yield make(
        "elementwise.clip.at-array-upper", three, [2.0], [1.0], [2.0], like=lambda xp, x, low, high: (x + high) / 2 + 0 * low
    )
    yield make("elementwise.clip.at-array-both", three, [1.0], [1.0], [1.0], like=lambda xp, x, low, high: (x + low + high) / 3)
    yield make("elementwise.clip.beyond-array", three, [0.0, 3.0], [1.0, 1.0], [2.0, 2.0],
               like=lambda xp, x, low, high: xp.stack([low[0], high[1]]) + 0 * x)  # fmt: skip


def _removable() -> Iterator[Scenario]:
    """Nothing is wrong with these functions at these points, only with formulas for their derivatives."""
    make = partial(scenario, accuracy=TRANSCENDENTAL)
    for exponent in (0, 1, 2, 3):
        yield make(f"elementwise.pow.0-to-{exponent}", lambda xp, x, n=exponent: x**n, [0.0, -1.5])
        yield make(f"elementwise.pow.0-to-float-{exponent}", lambda xp, x, n=exponent: xp.pow(x, float(n)), [0.0, -1.5])
        constant = lambda xp, x, n=exponent: xp.pow(x, xp.asarray([float(n)], dtype=x.dtype))
        yield make(f"elementwise.pow.0-to-array-{exponent}", constant, [0.0])
    yield make("elementwise.pow.0-to-positive", lambda xp, x, y: xp.pow(x, y), [0.0], [2.0], like=lambda xp, x, y: 0 * (x + y))
    yield make("elementwise.pow.base-0", lambda xp, x: xp.pow(0.0, x), [1.5], like=lambda xp, x: 0 * x)
    yield make("elementwise.logaddexp.equal", lambda xp, x, y: xp.logaddexp(x, y), [0.5], [0.5])
    yield make("elementwise.logaddexp.minus-infinity", lambda xp, x: xp.logaddexp(x, -inf), [0.5])
    yield make("elementwise.logaddexp.apart", lambda xp, x, y: xp.logaddexp(x, y), [1000.0], [-1000.0])
    yield make("elementwise.tanh.large", lambda xp, x: xp.tanh(x), [40.0, -40.0])
    yield make("elementwise.square.at-0", lambda xp, x: xp.square(x), [0.0])
    yield make("elementwise.expm1.at-0", lambda xp, x: xp.expm1(x), [0.0])
    yield make("elementwise.log1p.at-0", lambda xp, x: xp.log1p(x), [0.0])
    yield make("elementwise.atan2.on-axis", lambda xp, x, y: xp.atan2(x, y), [0.0, 1.5], [1.5, 0.0])
    yield make("elementwise.hypot.one-0", lambda xp, x, y: xp.hypot(x, y), [0.0, 1.5], [1.5, 0.0])
    yield make("elementwise.multiply.by-0", lambda xp, x, y: x * y, [0.0], [0.0])
    yield make("elementwise.acosh.composed", lambda xp, x: xp.acosh(1 + x * x), real(3, low=0.4))


def _singular() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=ARITHMETIC)
    for name, point, slope in (
        ("sqrt", 0.0, inf),
        ("log1p", -1.0, inf),
        ("log", 0.0, inf),
        ("log2", 0.0, inf),
        ("log10", 0.0, inf),
        ("asin", 1.0, inf),
        ("acos", 1.0, -inf),
        ("atanh", 1.0, inf),
        ("acosh", 1.0, inf),
        ("reciprocal", 0.0, -inf),
    ):
        yield make(f"elementwise.{name}.singular", lambda xp, x, name=name: getattr(xp, name)(x), [point], jacobian=[[slope]])
    yield make("elementwise.pow.half-at-0", lambda xp, x: x**0.5, [0.0], jacobian=[[inf]])
    yield make("elementwise.sqrt.of-square-at-0", lambda xp, x: xp.sqrt(x * x), [0.0], jacobian=[[nan]])
    yield make("elementwise.atan2.at-0", lambda xp, x, y: xp.atan2(x, y), [0.0], [0.0], jacobian=[[nan, nan]])
    yield make("elementwise.sin.nan", lambda xp, x: xp.sin(x), [nan], jacobian=[[nan]])
    yield make("elementwise.exp.minus-infinity", lambda xp, x: xp.exp(x), [-inf], jacobian=[[0.0]])


SCENARIOS = (*_kinks(), *_removable(), *_singular())
