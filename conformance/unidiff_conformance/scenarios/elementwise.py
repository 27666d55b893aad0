"""Elementwise functions at smooth points, and piecewise constant ones."""

import operator
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from unidiff_conformance.scenario import (
    ARITHMETIC,
    EXACT,
    REDUCTION,
    TRANSCENDENTAL,
    Accuracy,
    Function,
    Input,
    Rule,
    Scenario,
    cplx,
    real,
    scenario,
)

_ANY = (-2.0, 2.0)
_UNIT = (-0.8, 0.8)
_POSITIVE = (0.3, 4.0)

# function of one argument: where it is smooth and real, whether it takes complex numbers, how accurate it is
_UNARY: dict[str, tuple[tuple[float, float], bool, Accuracy]] = {
    "abs": (_ANY, True, ARITHMETIC),
    "acos": (_UNIT, True, TRANSCENDENTAL),
    "acosh": ((1.3, 4.0), True, TRANSCENDENTAL),
    "asin": (_UNIT, True, TRANSCENDENTAL),
    "asinh": (_ANY, True, TRANSCENDENTAL),
    "atan": (_ANY, True, TRANSCENDENTAL),
    "atanh": (_UNIT, True, TRANSCENDENTAL),
    "conj": (_ANY, True, EXACT),
    "cos": (_ANY, True, TRANSCENDENTAL),
    "cosh": (_ANY, True, TRANSCENDENTAL),
    "exp": (_ANY, True, TRANSCENDENTAL),
    "expm1": (_ANY, True, TRANSCENDENTAL),
    "log": (_POSITIVE, True, TRANSCENDENTAL),
    "log10": (_POSITIVE, True, TRANSCENDENTAL),
    "log1p": ((-0.7, 3.0), True, TRANSCENDENTAL),
    "log2": (_POSITIVE, True, TRANSCENDENTAL),
    "negative": (_ANY, True, EXACT),
    "positive": (_ANY, True, EXACT),
    "real": (_ANY, True, EXACT),
    "reciprocal": (_POSITIVE, True, ARITHMETIC),
    "sin": (_ANY, True, TRANSCENDENTAL),
    "sinh": (_ANY, True, TRANSCENDENTAL),
    "sqrt": (_POSITIVE, True, ARITHMETIC),
    "square": (_ANY, True, ARITHMETIC),
    "tan": ((-1.2, 1.2), True, TRANSCENDENTAL),
    "tanh": (_ANY, True, TRANSCENDENTAL),
}

# function of two arguments: where the first and the second are smooth, complex or not, accuracy
_BINARY: dict[str, tuple[tuple[float, float], tuple[float, float], bool, Accuracy]] = {
    "add": (_ANY, _ANY, True, EXACT),
    "atan2": (_ANY, _POSITIVE, False, TRANSCENDENTAL),
    "copysign": (_ANY, _ANY, False, EXACT),
    "divide": (_ANY, _POSITIVE, True, ARITHMETIC),
    "hypot": (_ANY, _POSITIVE, False, ARITHMETIC),
    "logaddexp": (_ANY, _ANY, False, TRANSCENDENTAL),
    "maximum": (_ANY, _ANY, False, EXACT),
    "minimum": (_ANY, _ANY, False, EXACT),
    "multiply": (_ANY, _ANY, True, ARITHMETIC),
    "pow": (_POSITIVE, _ANY, True, TRANSCENDENTAL),
    "subtract": (_ANY, _ANY, True, EXACT),
}

_OPERATORS: dict[str, tuple[Callable[[Any, Any], Any], Accuracy]] = {
    "add": (operator.add, EXACT),
    "subtract": (operator.sub, EXACT),
    "multiply": (operator.mul, ARITHMETIC),
    "divide": (operator.truediv, ARITHMETIC),
    "pow": (operator.pow, TRANSCENDENTAL),
}

_CONSTANT = ("ceil", "floor", "round", "sign", "trunc")


def _named(name: str) -> Function:
    """Return ``function(xp, *arrays)`` that calls the namespace's function of this name."""
    return lambda xp, *arrays: getattr(xp, name)(*arrays)


def _unary() -> Iterator[Scenario]:
    for name, (domain, takes_complex, accuracy) in _UNARY.items():
        base, f = f"elementwise.{name}", _named(name)
        yield scenario(f"{base}.matrix", f, real(2, 3, low=domain[0], high=domain[1]), accuracy=accuracy)
        yield scenario(f"{base}.scalar", f, real(low=domain[0], high=domain[1]), accuracy=accuracy)
        if takes_complex:
            yield scenario(f"{base}.complex", f, cplx(3, low=domain[0], high=domain[1]), accuracy=accuracy)


def _binary() -> Iterator[Scenario]:
    for name, (left, right, takes_complex, accuracy) in _BINARY.items():

        def draw(shape: tuple[int, ...], domain: tuple[float, float]) -> Input:
            return real(*shape, low=domain[0], high=domain[1])

        base, f = f"elementwise.{name}", _named(name)
        yield scenario(f"{base}.same-shape", f, draw((2, 3), left), draw((2, 3), right), accuracy=accuracy)
        yield scenario(f"{base}.broadcast", f, draw((2, 3), left), draw((3,), right), accuracy=accuracy)
        yield scenario(f"{base}.broadcast-ones", f, draw((2, 1), left), draw((1, 3), right), accuracy=accuracy)
        yield scenario(f"{base}.0-d", f, draw((), left), draw((3,), right), accuracy=accuracy)
        yield scenario(f"{base}.scalar-left", _partial(name, left=0.75), draw((3,), right), accuracy=accuracy)
        yield scenario(f"{base}.scalar-right", _partial(name, right=0.75), draw((3,), left), accuracy=accuracy)
        if takes_complex:
            yield scenario(f"{base}.complex", f, cplx(3, low=0.3), cplx(3, low=0.3), accuracy=accuracy)
            yield scenario(f"{base}.real-complex", f, real(3, low=0.3), cplx(3, low=0.3), accuracy=accuracy)
    for name, (op, accuracy) in _OPERATORS.items():
        base = f"elementwise.{name}"
        yield scenario(f"{base}.operator", _operator(op), real(2, 3, low=0.3), real(3), accuracy=accuracy)
        yield scenario(f"{base}.operator-right", _operator(op, right=3), real(3, low=0.3), accuracy=accuracy)
        yield scenario(f"{base}.operator-left", _operator(op, left=0.5), real(3, low=0.3), accuracy=accuracy)
        if name != "pow":
            same = lambda xp, x, op=op: op(x, x)
            yield scenario(f"{base}.same-array", same, real(3, low=0.3), accuracy=REDUCTION)


def _partial(name: str, left: float | None = None, right: float | None = None) -> Function:
    if left is not None:
        return lambda xp, x: getattr(xp, name)(left, x)
    return lambda xp, x: getattr(xp, name)(x, right)


def _operator(op: Callable[[Any, Any], Any], left: float | None = None, right: float | None = None) -> Function:
    if left is not None:
        return lambda xp, x: op(left, x)
    if right is not None:
        return lambda xp, x: op(x, right)
    return lambda xp, x, y: op(x, y)


def _constant() -> Iterator[Scenario]:
    for name in _CONSTANT:
        yield scenario(f"elementwise.{name}.matrix", _named(name), real(2, 3), accuracy=EXACT, rule=Rule.CONSTANT)
        jumps = [0.0, 1.0, -1.0, 0.5, 2.5]
        make = partial(scenario, accuracy=EXACT, rule=Rule.CONSTANT, like=lambda xp, x: 0 * x, max_order=2)
        yield make(f"elementwise.{name}.at-jump", _named(name), jumps)
    make = partial(scenario, accuracy=EXACT, rule=Rule.CONSTANT)
    quotient = _named("floor_divide")
    yield make("elementwise.floor_divide.same-shape", quotient, [-2.75, 1.25, 2.0], [1.5, -0.75, 1.5])
    yield make("elementwise.floor_divide.operator", lambda xp, x: x // 0.75, real(3))
    yield make("elementwise.floor_divide.scalar-left", lambda xp, x: xp.floor_divide(2.0, x), [0.75, -0.75, 1.5])


def _further() -> Iterator[Scenario]:
    yield scenario("elementwise.abs.operator", lambda xp, x: abs(x), real(2, 3), accuracy=EXACT)
    yield scenario("elementwise.negative.operator", lambda xp, x: -x, real(2, 3), accuracy=EXACT)
    yield scenario("elementwise.positive.operator", lambda xp, x: +x, real(2, 3), accuracy=EXACT)
    yield scenario("elementwise.imag.complex", _named("imag"), cplx(3), accuracy=EXACT)
    yield scenario("elementwise.sign.complex", _named("sign"), cplx(3), accuracy=REDUCTION)
    remainder = _named("remainder")
    yield scenario("elementwise.remainder.same-shape", remainder, [-2.75, 1.25, 2.0], [1.5, -0.75, 1.5])
    yield scenario("elementwise.remainder.broadcast", remainder, [[-2.75], [1.25]], [1.5, -0.75, 3.0])
    yield scenario("elementwise.remainder.operator", lambda xp, x: x % 0.75, real(3, low=0.8))
    yield scenario("elementwise.remainder.scalar-left", lambda xp, x: xp.remainder(2.0, x), [0.75, -0.75, 1.5])
    yield scenario("elementwise.pow.integer-exponent", lambda xp, x: x**3, real(3), accuracy=ARITHMETIC)
    yield scenario("elementwise.pow.negative-base", lambda xp, x: xp.pow(x, 2.0), real(3, high=-0.3), accuracy=TRANSCENDENTAL)
    yield scenario("elementwise.pow.negative-exponent", lambda xp, x: x**-2, real(3, low=0.3), accuracy=TRANSCENDENTAL)
    yield scenario("elementwise.pow.half", lambda xp, x: x**0.5, real(3, low=0.3), accuracy=TRANSCENDENTAL)
    for name, low, high in (("both", -1.0, 1.0), ("lower", -1.0, None), ("upper", None, 1.0)):
        clip = lambda xp, x, low=low, high=high: xp.clip(x, low, high)
        yield scenario(f"elementwise.clip.{name}", clip, real(2, 3), accuracy=EXACT)
    arrays = [real(2, 3), real(3, low=-2.0, high=-0.6), real(2, 1, low=0.6)]
    yield scenario("elementwise.clip.arrays", _named("clip"), *arrays, accuracy=EXACT)
    yield scenario("elementwise.clip.all-beyond", lambda xp, x: xp.clip(x, 3.0, 4.0), real(3), accuracy=EXACT)
    yield scenario("elementwise.sin.empty", _named("sin"), real(0, 3), accuracy=EXACT)
    yield scenario("elementwise.multiply.empty", _named("multiply"), real(0, 3), real(3), accuracy=EXACT)
    yield scenario("elementwise.tanh.size-1", _named("tanh"), real(1, 1), accuracy=TRANSCENDENTAL)
    yield scenario("elementwise.add.5-d", _named("add"), real(1, 2, 1, 2, 1), real(2, 1, 1, 1, 2), accuracy=EXACT)
    yield scenario("elementwise.exp.chain", lambda xp, x: xp.exp(-xp.sum(x * x)) * xp.sin(x), real(3), accuracy=TRANSCENDENTAL)


SCENARIOS = (*_unary(), *_binary(), *_constant(), *_further())
