"""The subproblem of trust-exact against its solution by bisection: in and near the hard case, easy, and badly scaled."""

import math

import mpmath
import numpy as np
import pytest
from scipy.optimize import brentq

from unidiff.optim.trust_region import in_its_own_units, more_sorensen
from unidiff.optim.vector import Layout


def easy(rng):
    return np.sort(rng.normal(size=5)), rng.normal(size=5)


def hard(rng, part=0.0):
    """Return a slope with no part, or a small one, along the direction of negative curvature."""
    values, slope = easy(rng)
    values[0] = -np.max(np.abs(values)) - 1
    slope[0] = part
    return values, slope


KINDS = {
    "easy": easy,
    "hard": hard,
    "nearly hard": lambda rng: hard(rng, 10 ** rng.uniform(-15, -6)),
    "no slope": lambda rng: (hard(rng)[0], np.zeros(5)),
    "singular": lambda rng: (np.append(0.0, np.sort(rng.uniform(0.1, 2.0, 4))), np.append(0.0, rng.normal(size=4))),
}


def decrease(values, slope, radius):
    """Return the largest decrease of the model within the radius, from its multiplier as a distance from the lowest value."""
    gaps, least = values - values[0], max(1e-30, values[0])

    def step(distance):
        return np.asarray([-c / (gap + distance) if c else 0.0 for c, gap in zip(slope, gaps, strict=True)])

    def excess(distance):
        return np.linalg.norm(step(distance)) - radius

    if excess(least) > 0:
        least = brentq(excess, least, np.linalg.norm(slope) / radius + least + 1, xtol=1e-300, rtol=1e-14, maxiter=2000)
    p = step(least)
    beyond = min(0.0, values[0]) * max(0.0, radius**2 - p @ p) / 2
    return -(slope @ p + p @ (values * p) / 2 + beyond)


@pytest.mark.parametrize("kind", KINDS)
def test_the_step_is_the_best_within_the_radius(kind):
    rng = np.random.default_rng(2)
    layout = Layout(np.zeros(5))
    for _ in range(40):
        values, slope = KINDS[kind](rng)
        vectors = np.linalg.qr(rng.normal(size=(5, 5)))[0]
        radius = 10 ** rng.uniform(-1, 1)
        step, found, _ = more_sorensen(values, vectors, vectors @ slope, radius, layout)
        best = decrease(values, slope, radius)
        assert np.linalg.norm(step) <= radius * (1 + 2e-4)  # the multiplier is found to a relative 1e-4
        assert math.isclose(found, best, rel_tol=5e-4, abs_tol=1e-12)
        inner = vectors.T @ step
        assert math.isclose(found, -(slope @ inner + inner @ (values * inner) / 2), rel_tol=1e-9)


@pytest.mark.parametrize(("radius", "interior"), [(0.3, False), (30.0, False), (1e5, True)])
def test_steps_are_exact_whatever_the_units_are(radius, interior):
    """With powers of 2 as units the same numbers come out; the lowest eigenvalue is far below the rounding of the highest."""
    rng = np.random.default_rng(3)
    a = rng.normal(size=(4, 4))
    h, g, layout = a @ a.T + 0.1 * np.eye(4), rng.normal(size=4), Layout(np.zeros(4))
    units = 2.0 ** np.asarray([0, -20, -40, 10])
    scaled, slope = h / units[:, None] / units, g / units
    step, found, full = in_its_own_units(scaled, slope, radius, layout)
    exact = mpmath.matrix(scaled.tolist())

    def solved(multiplier):
        with mpmath.workdps(60):
            p = mpmath.lu_solve(exact + multiplier * mpmath.eye(4), mpmath.matrix((-slope).tolist()))
            return np.asarray([float(v) for v in p])

    assert full is not interior
    least = 0.0
    if not interior:
        least = brentq(lambda t: np.linalg.norm(solved(t)) - radius, 0, 1e3, xtol=1e-300, rtol=1e-14)
        assert radius <= np.linalg.norm(step) <= 1.01 * radius
    np.testing.assert_allclose(step / solved(least), 1, rtol=1e-10 if interior else 2e-2)
    with mpmath.workdps(60):
        p = mpmath.matrix(step.tolist())
        best = -(mpmath.fdot(slope.tolist(), p) + (p.T * exact * p)[0] / 2)
    assert found == pytest.approx(float(best), rel=1e-6)


def test_other_matrices_than_positive_definite_ones_have_no_units():
    layout, g = Layout(np.zeros(2)), np.ones(2)
    for h in (np.diag([1.0, -1.0]), np.diag([1.0, 0.0]), np.ones((2, 2)), np.asarray([[1.0, 2.0], [2.0, 1.0]])):
        assert in_its_own_units(h, g, 1.0, layout) is None
