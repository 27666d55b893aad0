"""Schedules in several pieces: values at given steps, one-cycle, warm-up, and schedules one after the other."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unidiff.errors import ArgumentError
from unidiff.optim.optimizer import require
from unidiff.optim.scalars import Rate, Scalar, cos, floating, maximum, minimum, where
from unidiff.optim.schedules import Constant, Polynomial, pairs_of

__all__ = ["Interpolated", "Joined", "OneCycle", "join", "warmup"]


@dataclass(frozen=True)
class Interpolated:
    """Values at some steps, with straight lines or half cosine waves between them; the last one lasts.

    Parameters
    ----------
    points : sequence of (float, float)
        Steps, which need not be whole, and values, in order.
    kind : {"linear", "cosine"}, default "linear"

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.Interpolated([(0, 0.0), (10, 1.0), (30, 0.5)])
    >>> [schedule(step) for step in (0, 5, 10, 20, 40)]
    [0.0, 0.5, 1.0, 0.75, 0.5]
    """

    points: Any
    kind: str = "linear"

    def __post_init__(self) -> None:
        points = tuple(pairs_of(self, "points"))
        object.__setattr__(self, "points", points)
        require(self, "kind", lambda x: x in ("linear", "cosine"), "'linear' or 'cosine'")
        require(self, "points", len(points) > 0 and list(points) == sorted(points, key=lambda p: p[0]), "pairs in order")

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        step = floating(step)
        value = self.points[-1][1]
        for (begin, first), (end, last) in reversed(list(zip(self.points, self.points[1:], strict=False))):
            share = minimum(maximum((step - begin) / ((end - begin) or 1.0), 0.0), 1.0)
            between = (last - first) * share + first
            if self.kind == "cosine":
                between = last + (first - last) * 0.5 * (cos(share * math.pi) + 1.0)
            value = where(step <= end, between, value)
        return value


def OneCycle(  # named like the other schedules
    peak: float,
    steps: int,
    *,
    rise: float = 0.3,
    kind: str = "cosine",
    start_factor: float = 25.0,
    end_factor: float = 1e4,
    three_phases: bool = False,
) -> Interpolated:
    """Up to a peak and down to much less than the start.

    Parameters
    ----------
    peak : float
    steps : int
        The length of the cycle; its last value is that of step ``steps - 1``.
    rise : float, default 0.3
        The share of the cycle in which the value rises.
    kind : {"cosine", "linear"}, default "cosine"
    start_factor : float, default 25
        The peak over the first value.
    end_factor : float, default 1e4
        The first value over the last one.
    three_phases : bool, default False
        Whether the value falls to the first value as long as it rose, and to the last one after that.

    Returns
    -------
    Interpolated

    Raises
    ------
    unidiff.errors.ArgumentError
        If a number is out of range.

    Notes
    -----
    Source: Smith and Topin 2018.

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.OneCycle(1.0, 11, rise=0.5454545454545454, kind="linear", start_factor=10, end_factor=10)
    >>> [round(schedule(step), 3) for step in (0, 5, 10)]
    [0.1, 1.0, 0.01]
    """
    if steps < 1 or not 0 <= rise <= 1 or start_factor <= 0 or end_factor <= 0:
        raise ArgumentError(f"steps={steps}, rise={rise}, start_factor={start_factor}, end_factor={end_factor} are no cycle.")
    first = peak / start_factor
    points = [(0.0, first), (rise * steps - 1.0, peak)]
    if three_phases:
        points.append((2.0 * rise * steps - 2.0, first))
    return Interpolated([*points, (steps - 1.0, first / end_factor)], kind)


@dataclass(frozen=True)
class Joined:
    """Schedules one after the other; see `join`."""

    schedules: tuple[Any, ...]
    boundaries: tuple[int, ...]

    def __call__(self, step: Scalar) -> Scalar:
        """Return the value at a step."""
        value = self.schedules[0](step)
        for schedule, boundary in zip(self.schedules[1:], self.boundaries, strict=True):
            if isinstance(step, int) and step < boundary:
                break
            value = where(step >= boundary, schedule(step - boundary), value)
        return value


def join(schedules: Sequence[Rate], boundaries: Sequence[int]) -> Joined:
    """Return schedules one after the other, each counting its own steps.

    Parameters
    ----------
    schedules : sequence of float or schedule
    boundaries : sequence of int
        At which steps the second, the third and so on begin.

    Returns
    -------
    Joined

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is not one boundary between each two schedules, in order.

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.join([0.1, ud.optim.Exponential(1.0, 0.5)], [3])
    >>> [schedule(step) for step in range(6)]
    [0.1, 0.1, 0.1, 1.0, 0.5, 0.25]
    """
    if len(boundaries) != len(schedules) - 1 or list(boundaries) != sorted(boundaries):
        raise ArgumentError(f"{len(schedules)} schedules need one boundary less, in order, but there are {tuple(boundaries)}.")
    return Joined(tuple(s if callable(s) else Constant(s) for s in schedules), tuple(boundaries))


def warmup(schedule: Rate, steps: int, start: float = 0.0) -> Joined:
    """Return a schedule that a straight line leads up to.

    Parameters
    ----------
    schedule : float or schedule
        What follows; it counts its steps from the end of the line.
    steps : int
        The length of the line.
    start : float, default 0
        Where the line begins.

    Returns
    -------
    Joined

    Raises
    ------
    unidiff.errors.ArgumentError
        If there is not at least one step.

    Examples
    --------
    >>> import unidiff as ud
    >>> schedule = ud.optim.warmup(ud.optim.Cosine(1.0, steps=10), 4)
    >>> [round(schedule(step), 3) for step in (0, 1, 4, 9, 14)]
    [0.0, 0.25, 1.0, 0.5, 0.0]
    """
    first = schedule(0) if callable(schedule) else schedule
    return join([Polynomial(start, first, steps), schedule], [steps])
