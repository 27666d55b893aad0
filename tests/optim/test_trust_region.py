"""The subproblem of trust-exact against its solution by bisection, in the hard case, near it, and where it is easy."""

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from unidiff.optim.trust_region import more_sorensen
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
