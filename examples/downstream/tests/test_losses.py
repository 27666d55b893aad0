"""The project's own tests: every function on every backend that is installed."""

import pytest
from losses import contrast, cross_entropy, huber, spread

import unidiff as ud

POINTS = {
    huber: ([0.3, -2.0, 1.7],),
    cross_entropy: ([0.5, -1.0], [[1.0, 2.0], [0.5, -0.25], [3.0, 1.0]], [1.0, 0.0, 1.0]),
    contrast: ([1.0, 2.0, 4.0],),
}


@pytest.mark.parametrize("loss", POINTS)
def test_derivatives_are_right(loss, unidiff_backend):
    ud.testing.check_derivatives(loss, POINTS[loss], backends=[unidiff_backend])


@pytest.mark.parametrize("loss", POINTS)
def test_backends_agree(loss):
    ud.testing.check_derivatives(loss, POINTS[loss], order=1)


@ud.testing.parametrize_backends(skip={"array_api_strict": "prints what it promotes"})
def test_a_perfect_fit_costs_nothing(unidiff_xp):
    assert huber(unidiff_xp.zeros(3)) == 0


@pytest.mark.skipif("torch" not in ud.backends(), reason="two frameworks are needed to disagree")
def test_what_depends_on_the_framework_is_caught():
    with pytest.raises(ud.errors.DerivativeMismatchError, match="disagrees with that on numpy"):
        ud.testing.check_derivatives(spread, ([1.0, 2.0, 4.0],), backends=["numpy", "torch"])
