"""The line search of Moré and Thuente, which MINPACK-2, L-BFGS-B and SciPy use."""

import math
from dataclasses import dataclass
from typing import NamedTuple

from unidiff.optim.line_search import LineSearch, Ray
from unidiff.optim.result import Point

__all__ = ["MoreThuente"]


class _Trial(NamedTuple):
    alpha: float
    f: float
    slope: float


@dataclass(frozen=True)
class MoreThuente(LineSearch):
    r"""Safeguarded cubic and quadratic interpolation for the strong Wolfe conditions.

    Parameters
    ----------
    c1 : float, default 1e-4
        :math:`f(x + \alpha d) \le f(x) + c_1 \alpha\, g^\top d`.
    c2 : float, default 0.9
        :math:`|g(x + \alpha d)^\top d| \le c_2 |g^\top d|`.
    xtol : float, default 1e-14
        The search ends where the relative width of the bracket is below it.
    maxiter : int, default 100
        The number of trials.

    Notes
    -----
    Source: J. Moré and D. Thuente, ACM TOMS 20 (1994); the safeguards are those of MINPACK-2's ``dcsrch``, so that the steps
    are SciPy's.

    Examples
    --------
    >>> import numpy as np, unidiff as ud
    >>> options = {"line_search": ud.optim.MoreThuente(c2=0.1)}
    >>> ud.minimize(lambda x: (x**4).sum(), np.ones(2), method="bfgs", options=options).success
    True
    """

    c1: float = 1e-4
    c2: float = 0.9
    xtol: float = 1e-14
    maxiter: int = 100

    def __post_init__(self) -> None:
        self._require(lambda: 0 < self.c1 < 1 and 0 < self.c2 < 1, "c1 and c2 must be in (0, 1)")

    def search(self, ray: Ray, first: float) -> Point | None:
        """Return an acceptable point or None."""
        longest = min(ray.longest, 1e100)
        line = self.c1 * ray.slope
        best = other = _Trial(0.0, ray.f, ray.slope)
        bracketed, first_stage = False, True
        width, older_width = longest, 2 * longest
        least, most, alpha = 0.0, 5 * first, first
        for _ in range(self.maxiter):
            point = ray(alpha)
            if not point.finite:
                longest, alpha = alpha, best.alpha + 0.2 * (alpha - best.alpha)
                most = min(most, longest)
                continue
            target = ray.f + alpha * line
            if point.f <= target and abs(point.slope) <= -self.c2 * ray.slope:
                return point
            trial = _Trial(alpha, point.f, point.slope)
            first_stage = first_stage and not (trial.f <= target and trial.slope >= 0)
            if alpha == longest and trial.f <= target and trial.slope <= line:
                return point
            if bracketed and (not least < alpha < most or most - least <= self.xtol * most):
                return None
            shift = line if first_stage and trial.f <= best.f and trial.f > target else 0.0
            best, other, trial = (_Trial(t.alpha, t.f - t.alpha * shift, t.slope - shift) for t in (best, other, trial))
            best, other, alpha, bracketed = _step(best, other, trial, bracketed, least, most)
            best, other = (_Trial(t.alpha, t.f + t.alpha * shift, t.slope + shift) for t in (best, other))
            if bracketed:
                if abs(other.alpha - best.alpha) >= 0.66 * older_width:
                    alpha = best.alpha + 0.5 * (other.alpha - best.alpha)
                older_width, width = width, abs(other.alpha - best.alpha)
                least, most = sorted((best.alpha, other.alpha))
            else:
                least, most = alpha + 1.1 * (alpha - best.alpha), alpha + 4 * (alpha - best.alpha)
            alpha = min(max(alpha, 0.0), longest)
            if bracketed and (not least < alpha < most or most - least <= self.xtol * most):
                alpha = best.alpha
        return None


def _step(x: _Trial, y: _Trial, p: _Trial, bracketed: bool, least: float, most: float) -> tuple[_Trial, _Trial, float, bool]:
    """Return the new ends, the next trial, and whether the ends hold a minimum: ``dcstep``."""
    opposite = (p.slope > 0 and x.slope < 0) or (p.slope < 0 and x.slope > 0)
    step = p.alpha - x.alpha
    if p.f > x.f:
        cubic = x.alpha + _cubic(x, p) * step
        quadratic = x.alpha + x.slope / ((x.f - p.f) / step + x.slope) / 2 * step
        nearer = abs(cubic - x.alpha) <= abs(quadratic - x.alpha)
        return x, p, cubic if nearer else cubic + (quadratic - cubic) / 2, True
    if opposite:
        cubic = p.alpha - _cubic(p, x) * step
        secant = p.alpha + p.slope / (p.slope - x.slope) * (x.alpha - p.alpha)
        return p, x, cubic if abs(cubic - p.alpha) > abs(secant - p.alpha) else secant, True
    if abs(p.slope) < abs(x.slope):
        alpha = _flatter(x, y, p, bracketed, least, most)
    elif bracketed:
        alpha = p.alpha + _cubic(p, y) * (y.alpha - p.alpha)
    else:
        alpha = most if p.alpha > x.alpha else least
    return p, y, alpha, bracketed


def _flatter(x: _Trial, y: _Trial, p: _Trial, bracketed: bool, least: float, most: float) -> float:
    """Return the next trial where the value fell and the slope became flatter without changing its sign."""
    theta = 3 * (x.f - p.f) / (p.alpha - x.alpha) + x.slope + p.slope
    s = max(abs(theta), abs(x.slope), abs(p.slope))
    gamma = s * math.sqrt(max(0.0, (theta / s) ** 2 - (x.slope / s) * (p.slope / s)))
    if p.alpha > x.alpha:
        gamma = -gamma
    above, below = (gamma - p.slope) + theta, (gamma + (x.slope - p.slope)) + gamma
    r = above / below if below else 0.0
    outward = most if p.alpha > x.alpha else least
    cubic = p.alpha + r * (x.alpha - p.alpha) if r < 0 and gamma != 0 else outward
    secant = p.alpha + p.slope / (p.slope - x.slope) * (x.alpha - p.alpha)
    if bracketed:
        alpha = cubic if abs(cubic - p.alpha) < abs(secant - p.alpha) else secant
        limit = p.alpha + 0.66 * (y.alpha - p.alpha)
        return min(limit, alpha) if p.alpha > x.alpha else max(limit, alpha)
    alpha = cubic if abs(cubic - p.alpha) > abs(secant - p.alpha) else secant
    return min(max(alpha, least), most)


def _cubic(x: _Trial, p: _Trial) -> float:
    """Return where the cubic through both values and slopes is least, as a fraction of the way from `x` to `p`."""
    theta = 3 * (x.f - p.f) / (p.alpha - x.alpha) + x.slope + p.slope
    s = max(abs(theta), abs(x.slope), abs(p.slope))
    gamma = s * math.sqrt(max(0.0, (theta / s) ** 2 - (x.slope / s) * (p.slope / s)))
    if p.alpha < x.alpha:
        gamma = -gamma
    below = ((gamma - x.slope) + gamma) + p.slope
    return ((gamma - x.slope) + theta) / below if below else 0.5
