"""Schedules in one formula: learning rates as functions of the number of steps made so far.

Each is a frozen record that can be called with a Python integer, for a float, or with a 0-d integer array within a compiled
program, for a 0-d array. Any other function of the step count serves as well.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from unidiff.errors import ArgumentError
from unidiff.optim.optimizer import require, require_numbers
from unidiff.optim.scalars import Scalar, cos, floating, floor, maximum, minimum, power, where

__all__ = ["Constant", "Cosine", "CosineRestarts", "Exponential", "PiecewiseConstant", "Polynomial", "Step"]


@dataclass(frozen=True)
class Constant:
    """The same value at every step.

    Parameters
    ----------
    value : float

    Examples
    --------
    >>> import unidiff as ud
    >>> ud.optim.Constant(0.1)(1000)
    0.1
    """

    value: float

    def __post_init__(self) -> None:
        require_numbers(self, "value")

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        del step
        return self.value


@dataclass(frozen=True)
class Step:
    """The initial value times a factor for every so many steps.

    Parameters
    ----------
    initial : float
    every : int
        How many steps one value lasts.
    factor : float, default 0.1

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.Step(1.0, every=10, factor=0.5)
    >>> [schedule(step) for step in (0, 9, 10, 20)]
    [1.0, 1.0, 0.5, 0.25]
    """

    initial: float
    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        require_numbers(self, "initial", "factor", whole=("every",))
        require(self, "every", self.every >= 1, "at least 1")
        require(self, "factor", self.factor > 0, "positive")

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        return power(self.factor, step // self.every) * self.initial


@dataclass(frozen=True)
class PiecewiseConstant:
    """The initial value, multiplied by a factor from each of some steps on.

    Parameters
    ----------
    initial : float
    factors : mapping of int to float, or sequence of pairs
        From which step on which factor is multiplied with what was before.

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.PiecewiseConstant(1.0, {10: 0.5, 30: 0.1})
    >>> [schedule(step) for step in (0, 10, 29, 30)]
    [1.0, 0.5, 0.5, 0.05]
    """

    initial: float
    factors: Any

    def __post_init__(self) -> None:
        require_numbers(self, "initial")
        pairs = pairs_of(self, "factors")
        require(self, "factors", all(at == int(at) for at, _ in pairs), "pairs of a whole number and a factor")
        object.__setattr__(self, "factors", tuple(sorted((int(at), factor) for at, factor in pairs)))

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        value = self.initial
        for at, factor in self.factors:
            value = value * where(step >= at, factor, 1.0)
        return value


@dataclass(frozen=True)
class Exponential:
    """Exponential decay: ``initial * rate**((step - begin) / every)``.

    Parameters
    ----------
    initial : float
    rate : float
        The factor of `every` steps, positive.
    every : int, default 1
    begin : int, default 0
        The step before which the initial value holds.
    staircase : bool, default False
        Whether the exponent is rounded down to a whole number.
    end : float, optional
        A bound that the value does not pass.

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.Exponential(1.0, 0.5, every=10, end=0.2)
    >>> [schedule(step) for step in (0, 10, 20, 30)]
    [1.0, 0.5, 0.25, 0.2]
    """

    initial: float
    rate: float
    every: int = 1
    begin: int = 0
    staircase: bool = False
    end: float | None = None

    def __post_init__(self) -> None:
        require_numbers(self, "initial", "rate", *(() if self.end is None else ("end",)), "every", whole=("begin",))
        require(self, "rate", self.rate > 0, "positive")
        require(self, "every", self.every >= 1, "at least 1")

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        exponent = maximum(floating(step) - self.begin, 0.0) / self.every
        value = power(self.rate, floor(exponent) if self.staircase else exponent) * self.initial
        if self.end is None:
            return value
        return maximum(value, self.end) if self.rate < 1 else minimum(value, self.end)


@dataclass(frozen=True)
class Polynomial:
    """``(initial - end) * (1 - t)**power + end`` with t from 0 to 1 in so many steps; power 1 is a straight line.

    Parameters
    ----------
    initial, end : float
    steps : int
    power : float, default 1
    begin : int, default 0
        The step before which the initial value holds.

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.Polynomial(1.0, 0.0, steps=10, power=2)
    >>> [schedule(step) for step in (0, 5, 10, 20)]
    [1.0, 0.25, 0.0, 0.0]
    """

    initial: float
    end: float
    steps: int
    power: float = 1.0
    begin: int = 0

    def __post_init__(self) -> None:
        require_numbers(self, "initial", "end", "power", whole=("steps", "begin"))
        require(self, "steps", self.steps >= 1, "at least 1")
        require(self, "power", self.power > 0, "positive")

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        passed = minimum(maximum(floating(step) - self.begin, 0.0), float(self.steps)) / self.steps
        return (self.initial - self.end) * (1.0 - passed) ** self.power + self.end


@dataclass(frozen=True)
class Cosine:
    """Half a cosine wave from the initial value to the end.

    Parameters
    ----------
    initial : float
    steps : int
    end : float, default 0
    exponent : float, default 1
        Power of the wave, which lies between 0 and 1.
    hold : bool, default True
        Whether the end is kept after `steps`; otherwise the wave goes on.

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.Cosine(1.0, steps=10)
    >>> [round(schedule(step), 3) for step in (0, 5, 10, 20)]
    [1.0, 0.5, 0.0, 0.0]

    Notes
    -----
    Source: Loshchilov and Hutter 2017.
    """

    initial: float
    steps: int
    end: float = 0.0
    exponent: float = 1.0
    hold: bool = True

    def __post_init__(self) -> None:
        require_numbers(self, "initial", "end", "exponent", whole=("steps",))
        require(self, "steps", self.steps >= 1, "at least 1")
        require(self, "exponent", self.exponent > 0, "positive")

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        step = minimum(floating(step), float(self.steps)) if self.hold else floating(step)
        wave = (1.0 + cos(step * (math.pi / self.steps))) * 0.5
        return self.end + (self.initial - self.end) * wave**self.exponent


@dataclass(frozen=True)
class CosineRestarts:
    """Half cosine waves from the initial value to the end, one after the other, each longer than the last by a factor.

    Parameters
    ----------
    initial : float
    period : int
        The length of the first wave.
    factor : int, default 1
        How many times longer each wave is than the one before.
    end : float, default 0

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.CosineRestarts(1.0, period=10, factor=2)
    >>> [round(schedule(step), 3) for step in (0, 5, 10, 20, 30)]
    [1.0, 0.5, 1.0, 0.5, 1.0]

    Notes
    -----
    Source: Loshchilov and Hutter 2017.
    """

    initial: float
    period: int
    factor: int = 1
    end: float = 0.0

    def __post_init__(self) -> None:
        require_numbers(self, "initial", "end", "factor", whole=("period",))
        require(self, "period", self.period >= 1, "at least 1")
        require(self, "factor", self.factor >= 1 and self.factor == int(self.factor), "a whole number from 1 on")

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        if self.factor == 1:
            passed, length = floating(step % self.period), float(self.period)
        else:
            # Wave n begins at period (factor**n - 1) / (factor - 1); the half keeps rounding away from the whole numbers.
            growth = (floating(step) + 0.5) / self.period * (self.factor - 1) + 1.0
            scale = power(self.factor, _whole_logarithm(growth, self.factor))
            passed = floating(step) - (scale - 1.0) * (self.period / (self.factor - 1))
            length = scale * self.period
        return self.end + (self.initial - self.end) * (1.0 + cos(passed / length * math.pi)) * 0.5


def _whole_logarithm(x: Scalar, base: int) -> Scalar:
    """Return how often the base goes into a number, by comparison, which rounding cannot upset."""
    return sum(where(x >= float(base) ** n, 1, 0) for n in range(1, int(53 / math.log2(base)) + 1))


def pairs_of(owner: Any, name: str) -> list[tuple[float, float]]:
    """Return the pairs of finite numbers that a hyperparameter is made of, or raise that it is not."""
    given = getattr(owner, name)
    try:
        pairs = [(float(at), float(value)) for at, value in (given.items() if isinstance(given, Mapping) else given)]
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"{name} of {type(owner).__name__} must be pairs of numbers, but it is {given!r:.200}.") from error
    require(owner, name, all(math.isfinite(a) for pair in pairs for a in pair), "pairs of finite numbers")
    return pairs
