"""Line searches without branches, for many starts at once: each decision is a `where`, the loop is `unidiff.while_loop`."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import unidiff as ud
from unidiff._typing import Array

__all__ = ["Along", "Found", "armijo", "strong_wolfe"]

TRIALS = 30
C1, C2 = 1e-4, 0.9


class Along(NamedTuple):
    """The objective along a direction of descent.

    Attributes
    ----------
    evaluate : callable
        Returns value and gradient at a vector.
    x, d : array
        Where the search begins, and its direction.
    f, slope : array
        Value and derivative there.
    first : array
        The first trial.
    noise : array
        What is taken for the rounding error of the value.
    """

    evaluate: Callable[[Array], tuple[Array, Array]]
    x: Array
    d: Array
    f: Array
    slope: Array
    first: Array
    noise: Array

    def at(self, alpha: Array) -> "Trial":
        """Return the trial at a step."""
        f, g = self.evaluate(self.x + alpha * self.d)
        return Trial(alpha, f, g @ self.d, g)

    def low(self, trial: "Trial") -> Array:
        """Tell whether the decrease is a fraction of what the slope promises."""
        return trial.f <= self.f + C1 * trial.alpha * self.slope + self.noise

    def start(self, g: Array) -> "Trial":
        """Return the trial at 0."""
        return Trial(0 * self.first, self.f, self.slope, g)


class Trial(NamedTuple):
    """A step with value, slope and gradient there."""

    alpha: Array
    f: Array
    slope: Array
    gradient: Array


class Found(NamedTuple):
    """What a search found, whether that is a step at all, and how many trials it took."""

    trial: Trial
    ok: Array
    trials: Array


Search: TypeAlias = Callable[[Along, Array], Found]


def armijo(along: Along, g: Array) -> Found:
    """Return the first trial that is low enough; the next one is where a parabola is least, at most half as long."""
    del g
    xp = ud.array_namespace(along.first)

    def rejected(state: tuple[Trial, Array]) -> Array:
        trial, trials = state
        return ~along.low(trial) & (trials < 2 * TRIALS)

    def shorter(state: tuple[Trial, Array]) -> tuple[Trial, Array]:
        trial, trials = state
        alpha, rise = trial.alpha, trial.f - along.f - along.slope * trial.alpha
        finite = (xp.abs(trial.f) < float("inf")) & (rise > 0)
        least = -along.slope * alpha * alpha / (2 * xp.where(finite, rise, xp.ones_like(rise)))
        shortened = xp.where(finite, xp.minimum(0.5 * alpha, xp.maximum(0.1 * alpha, least)), 0.5 * alpha)
        return along.at(shortened), trials + 1

    trial, trials = ud.while_loop(rejected, shorter, (along.at(along.first), xp.ones_like(along.first)))
    return Found(trial, along.low(trial), trials)


class _Interval(NamedTuple):
    """The lower end is the best step yet; the upper one is at -1 until there is one."""

    low: Trial
    high: Trial
    alpha: Array
    done: Array
    trials: Array


def strong_wolfe(along: Along, g: Array) -> Found:
    """Return a step with the strong Wolfe conditions (Nocedal & Wright, algorithms 3.5 and 3.6 in one loop)."""
    xp = ud.array_namespace(along.first)
    one = xp.ones_like(along.first)
    low = along.start(g)
    begin = _Interval(low, low._replace(alpha=-one), along.first, 0 * one, 0 * one)

    def searching(s: _Interval) -> Array:
        narrow = (s.high.alpha >= 0) & (xp.abs(s.high.alpha - s.low.alpha) <= 1e-16 * s.high.alpha)
        return (s.done == 0) & (s.trials < TRIALS) & ~narrow

    def narrowed(s: _Interval) -> _Interval:
        trial = along.at(s.alpha)
        finite = (xp.abs(trial.f) < float("inf")) & (xp.abs(trial.slope) < float("inf"))
        closed = s.high.alpha >= 0
        moved = (s.low.alpha > 0) | closed
        high = ~finite | ~along.low(trial) | (moved & (trial.f >= s.low.f + along.noise))
        good = ~high & (xp.abs(trial.slope) <= -C2 * along.slope)
        turned = ~high & (trial.slope * xp.where(closed, s.high.alpha - s.low.alpha, one) >= 0)
        upper = _chosen(high, trial, _chosen(turned, s.low, s.high))
        lower = _chosen(high, s.low, trial)
        return _Interval(lower, upper, _next(lower, upper), xp.where(good, one, s.done), s.trials + 1)

    last: _Interval = ud.while_loop(searching, narrowed, begin)
    return Found(last.low, last.low.alpha > 0, last.trials)


def _chosen(condition: Array, a: Trial, b: Trial) -> Trial:
    xp = ud.array_namespace(condition)
    return Trial(*(xp.where(condition, x, y) for x, y in zip(a, b, strict=True)))


def _next(low: Trial, high: Trial) -> Array:
    """Return twice the lower end while there is no upper one; then the minimum of the cubic, away from the ends."""
    xp = ud.array_namespace(low.alpha)
    one, open_end = xp.ones_like(low.alpha), high.alpha < 0
    finite = (xp.abs(high.f) < float("inf")) & (xp.abs(high.slope) < float("inf")) & ~open_end
    far = xp.where(open_end, low.alpha + one, high.alpha)
    f, slope = (xp.where(finite, x, 0 * one) for x in (high.f, high.slope))
    width = far - low.alpha
    safe = xp.where(width == 0, one, width)
    d1 = low.slope + slope - 3 * (low.f - f) / (0 * one - safe)
    square = d1 * d1 - low.slope * slope
    d2 = xp.sign(safe) * xp.sqrt(xp.where(square > 0, square, 0 * one))
    below = slope - low.slope + 2 * d2
    cubic = far - safe * (slope + d2 - d1) / xp.where(below == 0, one, below)
    near, end = xp.minimum(low.alpha, far), xp.maximum(low.alpha, far)
    margin = 0.1 * (end - near)
    inside = finite & (square >= 0) & (below != 0) & (cubic >= near + margin) & (cubic <= end - margin)
    return xp.where(open_end, 2 * low.alpha, xp.where(inside, cubic, near + 0.5 * (end - near)))
