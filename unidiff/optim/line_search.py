"""Line searches: steps along a direction of descent that lower the objective enough.

All decisions are made on the host from the value and the slope at a trial step, which arrive together. A trial where the
objective or its gradient is not finite counts as too long.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from unidiff._typing import Array
from unidiff.errors import ArgumentError
from unidiff.optim.arguments import nonnegative, positive_integer
from unidiff.optim.objective import Objective
from unidiff.optim.result import Point, Status, Stop
from unidiff.optim.vector import read

__all__ = ["Armijo", "HagerZhang", "LineSearch", "Ray", "StrongWolfe"]


class Ray:
    """The objective along ``x + alpha d``, which remembers the best trial.

    Parameters
    ----------
    objective : Objective
    origin : Point
    direction : array
    slope : float
        The derivative at 0 along the direction.
    longest : float
        The largest step allowed.
    into : callable, optional
        What brings a point back that rounding errors have moved out of where it should be.
    """

    def __init__(
        self,
        objective: Objective,
        origin: Point,
        direction: Array,
        slope: float,
        longest: float = math.inf,
        into: Callable[[Array], Array] | None = None,
    ) -> None:
        self.objective, self.origin, self.direction, self.into = objective, origin, direction, into
        self.f, self.slope, self.longest = origin.f, slope, longest
        self.best: Point | None = None

    def __call__(self, alpha: float) -> Point:
        """Return the point at a step."""
        x = self.origin.x + alpha * self.direction
        point = self.objective(x if self.into is None else self.into(x), self.direction)
        if point.finite and point.f < self.f and (self.best is None or point.f < self.best.f):
            self.best = point
        return point

    def drowned(self, alpha: float) -> bool:
        """Tell whether the decrease that the slope promises for a step is within the rounding errors of the objective."""
        return -self.slope * alpha <= 100 * self.objective.layout.epsilon * abs(self.f)

    def moves(self, point: Point) -> bool:
        """Tell whether a point has a lesser gradient than the origin, or differs from it by more than rounding errors."""
        if point.size < self.origin.size:
            return True
        xp, x = self.objective.layout.backend.namespace(point.x), self.origin.x
        error = 8 * self.objective.layout.epsilon * xp.abs(x)
        return read(xp.max(xp.abs(point.x - x) - error))[0] > 0


class LineSearch(ABC):
    """Finds a step length; the subclasses are frozen records of parameters."""

    @abstractmethod
    def search(self, ray: Ray, first: float) -> Point | None:
        """Return an acceptable point, the first trial being `first`, or None."""

    def __call__(self, ray: Ray, first: float) -> Point:
        """Return an acceptable point, or at least a lower one, or raise `Stop`."""
        if not ray.slope < 0:
            raise Stop(Status.NOT_DESCENT)
        first = min(first, ray.longest)
        by_slopes = isinstance(self, HagerZhang)
        drowned = ray.drowned(first)
        found = self.search(ray, first) if by_slopes or not drowned else None
        sure = found is not None and not drowned
        if found is None and not by_slopes:
            # Where the decrease is within the rounding errors of the objective, slopes still tell a good step.
            found = HagerZhang().search(ray, first)
        found = found or ray.best
        if found is None or not (sure or ray.moves(found)):
            raise Stop(Status.LINE_SEARCH)
        return found

    def _require(self, holds: Callable[[], bool], what: str) -> None:
        for name, value in vars(self).items():
            (positive_integer if name == "maxiter" else nonnegative)(value, name)
        if not holds():
            raise ArgumentError(f"{what} in {self!r}.")


@dataclass(frozen=True)
class Armijo(LineSearch):
    r"""Backtracking until the decrease is a fraction of what the slope promises.

    Parameters
    ----------
    c1 : float, default 1e-4
        :math:`f(x + \alpha d) \le f(x) + c_1 \alpha\, g^\top d` is asked for.
    shrink : float, default 0.5
        The least by which a rejected step becomes shorter; the minimum of the interpolating parabola may make it as short as
        a tenth.
    maxiter : int, default 40

    Notes
    -----
    Source: Nocedal & Wright, Numerical Optimization, algorithm 3.1 and section 3.5.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> search = ud.optim.Armijo(shrink=0.25)
    >>> ud.minimize(lambda x: (x**4).sum(), np.ones(2), method="gradient-descent", options={"line_search": search}).success
    True
    """

    c1: float = 1e-4
    shrink: float = 0.5
    maxiter: int = 40

    def __post_init__(self) -> None:
        self._require(lambda: 0 < self.c1 < 1 and 0 < self.shrink < 1, "c1 and shrink must be in (0, 1)")

    def search(self, ray: Ray, first: float) -> Point | None:
        """Return an acceptable point or None."""
        alpha = first
        for _ in range(self.maxiter):
            point = ray(alpha)
            if point.finite and point.f <= ray.f + self.c1 * alpha * ray.slope:
                return point
            shorter = self.shrink * alpha
            if point.finite:
                lowest = -ray.slope * alpha * alpha / (2 * (point.f - ray.f - ray.slope * alpha))
                shorter = min(shorter, max(0.1 * alpha, lowest))
            alpha = shorter
            if ray.drowned(alpha):
                return None
        return None


@dataclass(frozen=True)
class StrongWolfe(LineSearch):
    r"""Bracketing and zoom for the strong Wolfe conditions.

    Parameters
    ----------
    c1 : float, default 1e-4
        :math:`f(x + \alpha d) \le f(x) + c_1 \alpha\, g^\top d`.
    c2 : float, default 0.9
        :math:`|g(x + \alpha d)^\top d| \le c_2 |g^\top d|`.
    maxiter : int, default 30
        The number of trials.

    Notes
    -----
    Source: Nocedal & Wright, algorithms 3.5 and 3.6, with the cubic that fits both values and both slopes.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> options = {"line_search": ud.optim.StrongWolfe(c2=0.1)}
    >>> ud.minimize(lambda x: (x**4).sum(), np.ones(2), method="cg", options=options).success
    True
    """

    c1: float = 1e-4
    c2: float = 0.9
    maxiter: int = 30

    def __post_init__(self) -> None:
        self._require(lambda: 0 < self.c1 < self.c2 < 1, "0 < c1 < c2 < 1 must hold")

    def search(self, ray: Ray, first: float) -> Point | None:
        """Return an acceptable point or None."""
        low, lower = 0.0, ray.origin
        low_slope, alpha = ray.slope, first
        for k in range(self.maxiter):
            point = ray(alpha)
            if not point.finite or self._high(ray, alpha, point) or (k > 0 and point.f >= lower.f):
                return self._zoom(ray, (low, lower, low_slope), (alpha, point, point.slope), self.maxiter - k)
            if abs(point.slope) <= -self.c2 * ray.slope:
                return point
            if point.slope >= 0:
                return self._zoom(ray, (alpha, point, point.slope), (low, lower, low_slope), self.maxiter - k)
            if alpha >= ray.longest:
                return point
            low, lower, low_slope = alpha, point, point.slope
            alpha = min(2 * alpha, ray.longest)
        return None

    def _high(self, ray: Ray, alpha: float, point: Point) -> bool:
        return point.f > ray.f + self.c1 * alpha * ray.slope

    def _zoom(self, ray: Ray, low: tuple[float, Point, float], high: tuple[float, Point, float], trials: int) -> Point | None:
        for _ in range(trials):
            (a, pa, da), (c, pc, dc) = low, high
            alpha = cubic_minimum(a, pa.f, da, c, pc.f, dc) if pc.finite else math.nan
            near, far = min(a, c), max(a, c)
            margin = 0.1 * (far - near)
            if not near + margin <= alpha <= far - margin:
                alpha = near + 0.5 * (far - near)
            if far - near <= 1e-16 * far:
                return None
            point = ray(alpha)
            if not point.finite or self._high(ray, alpha, point) or point.f >= pa.f:
                high = (alpha, point, point.slope)
                continue
            if abs(point.slope) <= -self.c2 * ray.slope:
                return point
            if point.slope * (c - a) >= 0:
                high = low
            low = (alpha, point, point.slope)
        return None


@dataclass(frozen=True)
class HagerZhang(LineSearch):
    r"""The line search of CG_DESCENT, with the approximate Wolfe conditions.

    Near a minimum the sufficient decrease is below the rounding errors of the objective once the step is as small as the
    square root of the machine epsilon. The approximate conditions ask for slopes only, which stay accurate: this is the line
    search for float32, where it is the default.

    Parameters
    ----------
    delta, sigma : float
        :math:`f(x + \alpha d) \le f(x) + \delta \alpha\, g^\top d` and
        :math:`g(x + \alpha d)^\top d \ge \sigma g^\top d`; or, where :math:`f(x + \alpha d) \le f(x) + \epsilon |f(x)|`,
        :math:`(2\delta - 1) g^\top d \ge g(x + \alpha d)^\top d \ge \sigma g^\top d`.
    epsilon : float, default 1e-6
        The relative error of the objective that is taken for rounding; at least ten machine epsilons.
    theta, gamma, rho : float
        The point between the ends where an interval is cut, the least shrinking of the interval, the growth of the bracket.
    maxiter : int, default 50
        The number of trials.

    Notes
    -----
    Source: W. Hager and H. Zhang, SIAM J. Optim. 16 (2005), section 4, and ACM TOMS 32 (2006).

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> x0 = np.ones(2, dtype="float32")
    >>> options = {"line_search": ud.optim.HagerZhang(sigma=0.5)}
    >>> ud.minimize(lambda x: (x**4).sum(), x0, method="bfgs", options=options).success
    True
    """

    delta: float = 0.1
    sigma: float = 0.9
    epsilon: float = 1e-6
    theta: float = 0.5
    gamma: float = 0.66
    rho: float = 5.0
    maxiter: int = 50

    def __post_init__(self) -> None:
        limits = "0 < delta < 1/2 and delta <= sigma < 1 must hold"
        self._require(lambda: 0 < self.delta < 0.5 and self.delta <= self.sigma < 1, limits)

    def search(self, ray: Ray, first: float) -> Point | None:
        """Return an acceptable point or None."""
        return _Bracket(self, ray).run(first)


class _AcceptedError(Exception):
    def __init__(self, point: Point) -> None:
        super().__init__()
        self.point = point


class _OutOfTrialsError(Exception):
    pass


class _Bracket:
    """One search by Hager and Zhang's method; the names of the steps are theirs."""

    def __init__(self, rule: HagerZhang, ray: Ray) -> None:
        self.rule, self.ray, self.left = rule, ray, rule.maxiter
        self.calls = 40 * rule.maxiter  # known trials may follow each other without end where numbers over- or underflow
        machine = 10 * ray.objective.layout.epsilon
        self.limit = ray.f + max(rule.epsilon, machine) * abs(ray.f)
        self.slopes: dict[float, tuple[float, float]] = {0.0: (ray.f, ray.slope)}

    def phi(self, alpha: float) -> tuple[float, float]:
        """Return value and slope at a step; leave the search where it is acceptable."""
        self.calls -= 1
        if alpha in self.slopes and self.calls > 0:
            return self.slopes[alpha]
        if self.left <= 0 or self.calls <= 0:
            raise _OutOfTrialsError
        self.left -= 1
        point, rule, ray = self.ray(alpha), self.rule, self.ray
        if not point.finite:
            self.slopes[alpha] = (math.inf, math.inf)
            return self.slopes[alpha]
        steep = point.slope >= rule.sigma * ray.slope
        if steep and point.f <= ray.f + rule.delta * alpha * ray.slope:
            raise _AcceptedError(point)
        if steep and point.f <= self.limit and (2 * rule.delta - 1) * ray.slope >= point.slope:
            raise _AcceptedError(point)
        if alpha >= ray.longest and point.slope < 0 and point.f <= self.limit:
            raise _AcceptedError(point)
        self.slopes[alpha] = (point.f, point.slope)
        return self.slopes[alpha]

    def run(self, first: float) -> Point | None:
        try:
            a, b = self.bracket(first)
            while b - a > 1e-16 * b:
                a1, b1 = self.secant2(a, b)
                if b1 - a1 > self.rule.gamma * (b - a):
                    a1, b1 = self.update(a1, b1, 0.5 * (a1 + b1))
                a, b = a1, b1
        except _AcceptedError as found:
            return found.point
        except _OutOfTrialsError:
            pass
        return None

    def bracket(self, c: float) -> tuple[float, float]:
        a = 0.0
        while True:
            f, slope = self.phi(c)
            if slope == math.inf:
                return self.shorten(a, c)
            if slope >= 0:
                return a, c
            if f > self.limit:
                return self.cut(0.0, c)
            a, c = c, min(self.rule.rho * c, self.ray.longest)

    def shorten(self, a: float, c: float) -> tuple[float, float]:
        """Return a bracket between a finite trial and one that is not."""
        while True:
            middle = a + 0.2 * (c - a)
            f, slope = self.phi(middle)
            if slope == math.inf:
                c = middle
            elif slope >= 0:
                return a, middle
            elif f > self.limit:
                return self.cut(0.0, middle)
            else:
                a = middle

    def cut(self, a: float, b: float) -> tuple[float, float]:
        """Return a bracket within one whose right end is too high and falls."""
        while True:
            d = (1 - self.rule.theta) * a + self.rule.theta * b
            f, slope = self.phi(d)
            if slope >= 0 and slope < math.inf:
                return a, d
            if f <= self.limit:
                a = d
            else:
                b = d

    def update(self, a: float, b: float, c: float) -> tuple[float, float]:
        if not a < c < b:
            return a, b
        f, slope = self.phi(c)
        if slope >= 0:
            return a, c
        return (c, b) if f <= self.limit else self.cut(a, c)

    def secant(self, a: float, b: float) -> float:
        da, db = self.phi(a)[1], self.phi(b)[1]
        return (a * db - b * da) / (db - da) if db != da and abs(db) < math.inf else 0.5 * (a + b)

    def secant2(self, a: float, b: float) -> tuple[float, float]:
        c = self.secant(a, b)
        a1, b1 = self.update(a, b, c)
        if c == b1:
            return self.update(a1, b1, self.secant(b, b1))
        if c == a1:
            return self.update(a1, b1, self.secant(a, a1))
        return a1, b1


def cubic_minimum(a: float, fa: float, da: float, b: float, fb: float, db: float) -> float:
    """Return the minimum of the cubic with these values and slopes at `a` and `b`, or NaN (Nocedal & Wright, 3.59)."""
    d1 = da + db - 3 * (fa - fb) / (a - b)
    square = d1 * d1 - da * db
    if not square >= 0:
        return math.nan
    d2 = math.copysign(math.sqrt(square), b - a)
    below = db - da + 2 * d2
    return b - (b - a) * (db + d2 - d1) / below if below else math.nan
