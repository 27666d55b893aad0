"""Projections and proximal operators: the properties that define them; many starts at once."""

import numpy as np
import pytest

import unidiff as ud

P, X = ud.optim.projections, ud.optim.proximal
A = np.random.default_rng(5).standard_normal((2, 6))
B, NORMAL = np.asarray([0.3, -0.2]), np.arange(1.0, 7)

SETS = {
    "nonnegative": (P.nonnegative, lambda x: x.min() >= 0),
    "box": (lambda x: P.box(x, -0.3, 0.5), lambda x: x.min() >= -0.3 and x.max() <= 0.5),
    "simplex": (P.simplex, lambda x: x.min() >= 0 and abs(x.sum() - 1) < 1e-12),
    "l1": (lambda x: P.l1_ball(x, 0.7), lambda x: np.abs(x).sum() <= 0.7 + 1e-12),
    "l2": (lambda x: P.l2_ball(x, 0.7), lambda x: np.linalg.norm(x) <= 0.7 + 1e-12),
    "linf": (lambda x: P.linf_ball(x, 0.7), lambda x: np.abs(x).max() <= 0.7),
    "hyperplane": (lambda x: P.hyperplane(x, NORMAL, 2.0), lambda x: abs(NORMAL @ x - 2) < 1e-12),
    "halfspace": (lambda x: P.halfspace(x, NORMAL, -2.0), lambda x: NORMAL @ x <= -2 + 1e-12),
    "affine": (lambda x: P.affine(x, A, B), lambda x: np.abs(A @ x - B).max() < 1e-12),
    "box section": (lambda x: P.box_section(x, 0.0, 0.5, NORMAL, 3.0), lambda x: abs(NORMAL @ x - 3) < 1e-9 and x.min() >= 0),
    "cone": (P.second_order_cone, lambda x: np.linalg.norm(x[1:]) <= x[0] + 1e-12),
}


@pytest.mark.parametrize("name", SETS)
def test_projections_are_feasible_idempotent_and_closest(name):
    project, inside = SETS[name]
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, other = 2 * rng.standard_normal((2, 6))
        onto, feasible = project(x), project(other)
        assert inside(onto)
        np.testing.assert_allclose(project(onto), onto, atol=1e-9)
        assert (x - onto) @ (feasible - onto) <= 1e-8  # which characterizes the closest point of a convex set


@pytest.mark.parametrize("name", SETS)
def test_projections_differentiate(name):
    x = 2 * np.random.default_rng(1).standard_normal(6)
    numerical = np.stack([(SETS[name][0](x + h) - SETS[name][0](x - h)) / 2e-6 for h in 1e-6 * np.eye(6)], axis=1)
    np.testing.assert_allclose(ud.jacobian(SETS[name][0])(x), numerical, atol=1e-6)


PENALTIES = {
    "l1": (X.l1, lambda u: np.abs(u).sum()),
    "squared_l2": (X.squared_l2, lambda u: 0.5 * u @ u),
    "elastic_net": (lambda x, s: X.elastic_net(x, s, 0.7), lambda u: np.abs(u).sum() + 0.35 * u @ u),
    "l2": (X.l2, np.linalg.norm),
    "linf": (X.linf, lambda u: np.abs(u).max()),
    "huber": (X.huber, lambda u: np.where(np.abs(u) <= 1, u * u / 2, np.abs(u) - 0.5).sum()),
    "log_barrier": (X.log_barrier, lambda u: -np.log(u).sum()),
    "nuclear": (lambda x, s: X.nuclear(x.reshape(2, 3), s).reshape(-1), lambda u: np.linalg.norm(u.reshape(2, 3), "nuc")),
}


@pytest.mark.parametrize("scale", [0.3, 2.0])
@pytest.mark.parametrize("name", PENALTIES)
def test_proximal_points_minimize(name, scale):
    prox, f = PENALTIES[name]
    rng = np.random.default_rng(0)
    x = 2 * rng.standard_normal(6)
    u = prox(x, scale)

    def total(v):
        return f(v) + np.sum((v - x) ** 2) / (2 * scale)

    for size in (1e-4, 1e-2):
        for d in rng.standard_normal((20, 6)):
            assert total(u) <= total(u + size * np.abs(u).max(initial=1e-3) * 0.01 * d) + 1e-13


def test_moreaus_identity():
    x = np.random.default_rng(0).standard_normal(6)
    np.testing.assert_allclose(X.conjugate(X.l2)(x, 0.5), P.l2_ball(x), atol=1e-12)


def test_many_starts_at_once_reach_minima():
    starts = np.asarray([[2.0, 0.5], [-2.0, 0.1], [0.3, -3.0]])
    result = ud.optim.minimize_batch(lambda x: ((x**2 - 1) ** 2).sum(), starts, tol=1e-8)
    assert result.success.all()
    np.testing.assert_allclose(np.abs(result.x), 1, atol=1e-7)
    assert len(set(result.nit.tolist())) > 1
    with pytest.raises(ud.errors.ArgumentError, match="first axis"):
        ud.optim.minimize_batch(lambda x: x, np.asarray(1.0))
