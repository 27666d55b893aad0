"""Elementwise and statistical functions at infinities and NaN, at signed zeros, and where formulas meet 0/0."""

from collections.abc import Iterator
from functools import partial
from math import inf, nan, pi

from unidiff_conformance.scenario import EXACT, REDUCTION, TRANSCENDENTAL, Function, Rule, Scenario, scenario

# function, variant, point, derivative
_UNARY: tuple[tuple[str, str, float, float], ...] = (
    ("abs", "nan", nan, nan),
    ("abs", "infinite", -inf, -1.0),
    ("acos", "at-minus-1", -1.0, -inf),
    ("acosh", "infinity", inf, 0.0),
    ("asin", "at-minus-1", -1.0, inf),
    ("asinh", "infinity", -inf, 0.0),
    ("atan", "infinity", inf, 0.0),
    ("atanh", "at-minus-1", -1.0, inf),
    ("cos", "infinity", inf, nan),
    ("cosh", "infinite", -inf, -inf),
    ("exp", "plus-infinity", inf, inf),
    ("exp", "nan", nan, nan),
    ("expm1", "infinite", -inf, 0.0),
    ("log", "infinity", inf, 0.0),
    ("log1p", "infinite", inf, 0.0),
    ("sin", "infinity", -inf, nan),
    ("sqrt", "infinity", inf, 0.0),
    ("square", "infinite", -inf, -inf),
    ("tanh", "infinite", inf, 0.0),
    ("negative", "infinite", inf, -1.0),
)
# function, variant, first and second argument, derivatives by both
_BINARY: tuple[tuple[str, str, float, float, tuple[float, float]], ...] = (
    ("add", "nan", nan, 1.0, (1.0, 1.0)),
    ("atan2", "negative-axis", 0.0, -2.0, (-0.5, 0.0)),
    ("copysign", "negative-zero-sign", 2.0, -0.0, (-1.0, 0.0)),
    ("divide", "by-0", 1.0, 0.0, (inf, -inf)),
    ("divide", "by-0-from-0", 0.0, 0.0, (inf, nan)),
    ("divide", "by-infinity", 1.0, inf, (0.0, 0.0)),
    ("hypot", "infinite", inf, 1.0, (1.0, 0.0)),
    ("hypot", "minus-infinite-right", 2.0, -inf, (0.0, -1.0)),
    ("hypot", "both-infinite", -inf, inf, (-0.5, 0.5)),
    ("logaddexp", "equal-infinities", inf, inf, (0.5, 0.5)),
    ("logaddexp", "both-minus-infinity", -inf, -inf, (0.5, 0.5)),
    ("logaddexp", "one-infinite", inf, 1.0, (1.0, 0.0)),
    ("logaddexp", "opposite-infinities", -inf, inf, (0.0, 1.0)),
    ("maximum", "nan", nan, 1.0, (nan, nan)),
    ("maximum", "nan-right", 1.0, nan, (nan, nan)),
    ("maximum", "infinite", inf, 1.0, (1.0, 0.0)),
    ("minimum", "nan", nan, 1.0, (nan, nan)),
    ("pow", "zero-zero", 0.0, 0.0, (0.0, nan)),
    ("pow", "0-to-negative", 0.0, -1.0, (-inf, -inf)),
    ("pow", "0-to-below-1", 0.0, 0.5, (inf, 0.0)),
    ("pow", "0-to-above-1", 0.0, 1.5, (0.0, 0.0)),
    ("pow", "0-to-1", 0.0, 1.0, (1.0, 0.0)),
    ("pow", "negative-base-exponent", -1.5, 2.0, (-3.0, nan)),
    ("remainder", "at-jump", 2.0, 1.0, (1.0, -2.0)),
    ("remainder", "at-jump-negative", -3.0, 1.5, (1.0, 2.0)),
    ("nextafter", "up", 1.0, 2.0, (1.0, 0.0)),
    ("nextafter", "equal", 1.5, 1.5, (1.0, 0.0)),
)


def _named(name: str) -> Function:
    return lambda xp, *arrays: getattr(xp, name)(*arrays)


def _elementwise() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=TRANSCENDENTAL)
    for name, variant, point, slope in _UNARY:
        yield make(f"elementwise.{name}.{variant}", _named(name), [point], jacobian=[[slope]])
    for name, variant, x, y, slopes in _BINARY:
        suffix = "-arrays" if (name, variant) == ("pow", "0-to-1") else ""
        # one step beside x1 is one of the dtype, which extended precision does not have
        reference: Function | None = (lambda xp, x, y: x + 0 * y) if name == "nextafter" else None
        yield make(f"elementwise.{name}.{variant}{suffix}", _named(name), [x], [y], jacobian=[slopes], reference=reference)
    for exponent in (0, 0.0):
        raised = lambda xp, x, n=exponent: xp.pow(x, n)
        yield make(f"elementwise.pow.0-to-{type(exponent).__name__}-at-special-0", raised, [inf, nan, -0.0],
                   jacobian=[[0.0] * 3] * 3)  # fmt: skip
    yield make("elementwise.sign.complex-at-0", _named("sign"), [0j], jacobian=[[0.0, 0.0], [0.0, 0.0]], rule=Rule.CONSTANT)
    yield make("elementwise.clip.nan", lambda xp, x: xp.clip(x, 0.0, 1.0), [nan, 0.5], jacobian=[[nan, 0.0], [0.0, 1.0]])
    yield make("elementwise.clip.infinite", lambda xp, x: xp.clip(x, -inf, inf), [0.5, -1.0], like=lambda xp, x: x)
    root = lambda xp, z: xp.atan2(xp.imag(z), xp.real(z)) / pi
    yield make("elementwise.atan2.at-0-complex", root, [0j], jacobian=[[nan, nan]])


def _jumps() -> Iterator[Scenario]:
    """Piecewise constant functions have derivative 0 wherever they are evaluated."""
    make = partial(scenario, accuracy=EXACT, rule=Rule.CONSTANT)
    for name in ("ceil", "floor", "round", "sign", "trunc"):
        yield make(f"elementwise.{name}.not-finite", _named(name), [inf, -inf, nan], jacobian=[[0.0] * 3] * 3)
    quotient = lambda xp, x, y: xp.floor_divide(x, y)
    yield make("elementwise.floor_divide.at-jump", quotient, [2.0, -3.0], [1.0, 1.5], like=lambda xp, x, y: 0 * (x + y))


def _extrema() -> Iterator[Scenario]:
    make = partial(scenario, accuracy=REDUCTION)
    for name in ("max", "min"):
        call = lambda xp, x, name=name, **options: getattr(xp, name)(x, **options)
        yield make(f"statistical.{name}.nan", call, [1.0, nan, 2.0], jacobian=[[nan, nan, nan]])
        rows = [[1.0, nan], [0.5, 2.0]]
        chosen = [0.0, 1.0] if name == "max" else [1.0, 0.0]
        yield make(f"statistical.{name}.nan-row", partial(call, axis=1), rows,
                   jacobian=[[nan, nan, 0.0, 0.0], [0.0, 0.0, *chosen]])  # fmt: skip
        infinite = inf if name == "max" else -inf
        yield make(f"statistical.{name}.infinite-tie", call, [infinite, 1.0, infinite], jacobian=[[0.5, 0.0, 0.5]])
        yield make(f"statistical.{name}.negative-zero-tie", call, [0.0, -0.0], like=lambda xp, x: (x[0] + x[1]) / 2)
    for name in ("var", "std"):
        for variant, point in (("one", [2.0]), ("two", [2.0, 2.0])):
            spread = lambda xp, x, name=name: getattr(xp, name)(x, correction=x.shape[0])
            undefined = lambda xp, x: xp.asarray(nan, dtype=x.dtype)
            yield make(f"statistical.{name}.no-degrees-{variant}", spread, point, jacobian=[[nan] * len(point)],
                       reference=undefined)  # fmt: skip


SCENARIOS = (*_elementwise(), *_jumps(), *_extrema())
