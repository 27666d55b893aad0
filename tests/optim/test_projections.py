"""Projections and proximal operators: the properties that define them; many starts at once."""

import numpy as np
import pytest
import scipy.optimize

import unidiff as ud

P, X = ud.optim.projections, ud.optim.proximal
A = np.random.default_rng(5).standard_normal((2, 6))
FACES = np.random.default_rng(6).standard_normal((9, 6))
LOWER = np.where(np.arange(9) == 4, 1.0, -np.inf)  # of which one is an equation
ROWS, COLUMNS = np.asarray([1.0, 0.5]), np.asarray([0.2, 0.45, 0.85])
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
    "polyhedron": (
        lambda x: P.polyhedron(x, FACES, LOWER, 1.0),
        lambda x: (FACES @ x).max() <= 1 + 1e-9 and (FACES @ x - LOWER).min() >= -1e-9,
    ),
    "transport": (
        lambda x: P.transport(x.reshape(2, 3), ROWS, COLUMNS).reshape(-1),
        lambda x: x.min() >= 0 and np.allclose(x.reshape(2, 3).sum(0), COLUMNS) and np.allclose(x.reshape(2, 3).sum(1), ROWS),
    ),
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


def test_sets_move_with_what_they_are_made_of(backend, array):
    """Derivatives by sides, sums and radii, against differences, on every library."""
    x = np.asarray([1.1, -0.3, 0.8, 0.15, 0.2, 0.4])
    families = {
        "polyhedron": (lambda x, p: P.polyhedron(x, array(FACES[:3]), None, p), np.asarray([0.5, 0.2, 0.7])),
        "transport": (
            lambda x, p: P.transport(ud.array_namespace(x).reshape(x, (2, 3)), p[:2], p[2:]),
            np.append(ROWS, COLUMNS),
        ),
        "ball": (lambda x, p: P.l1_ball(x, p[0]), np.asarray([0.7])),
    }
    for name, (f, p) in families.items():
        if backend in {"jax", "array_api_strict"} and name != "ball":
            continue  # the same code, and long to compile
        direction = np.ones_like(p)
        if name == "transport":
            direction[2:] = [0.5, 0.5, 1.0]  # both sums change alike
        pushed = ud.jvp(lambda p, f=f: f(array(x), p), (array(p),), (array(direction),))[1]
        h = 1e-6
        ends = [ud.to_numpy(f(array(x), array(p + s * h * direction))) for s in (1, -1)]
        np.testing.assert_allclose(ud.to_numpy(pushed), (ends[0] - ends[1]) / (2 * h), atol=1e-7)


def from_normal_cone(x, z, a, lower, upper, near):
    """Return how far ``x - z`` is from the normals of the rows that hold at z: z is closest to x where it is one of them."""
    normals = np.concatenate([np.zeros((1, x.size)), a[upper - a @ z <= near], -a[a @ z - lower <= near]])
    return scipy.optimize.nnls(normals.T, x - z)[1]


def degenerate(rng):
    """Return a point and a polyhedron of few distinct rows, many of them through one of its points."""
    n, m = rng.integers(1, 9), rng.integers(2, 15)
    a = rng.integers(-2, 3, (m, n)).astype(float) if rng.random() < 0.6 else rng.standard_normal((m, n))
    a[rng.integers(m)] = a[rng.integers(m)] * rng.choice([-1, 1, 2])
    a[-1] = a[0] + a[1] if rng.random() < 0.3 else a[-1]
    a[rng.integers(m)] *= rng.random() < 0.9
    inside = rng.integers(-2, 3, n).astype(float)
    lower, upper = (a @ inside + sign * 2 * rng.random(m) * (rng.random(m) < 0.4) for sign in (-1, 1))
    lower, upper = np.where(rng.random(m) < 0.5, -np.inf, lower), np.where(rng.random(m) < 0.3, np.inf, upper)
    pull = a.T @ rng.integers(0, 2, m) if rng.random() < 0.3 else rng.standard_normal(n) * 10 ** rng.uniform(-3, 2)
    return inside + pull, a, lower, upper


def test_polyhedra_whose_rows_depend_on_each_other(backend, array):
    """Multipliers are not unique there, and those of least length may have the wrong sign."""
    if backend in {"jax", "array_api_strict"}:
        pytest.skip("the same code, and long to compile")
    rng = np.random.default_rng(0)
    for _ in range(120 if backend == "numpy" else 12):
        x, a, lower, upper = degenerate(rng)
        found = ud.to_numpy(P.polyhedron(*map(array, (x, a, lower, upper))))
        scale = 1 + np.max(np.abs(x))
        assert np.all((lower - 1e-9 * scale <= a @ found) & (a @ found <= upper + 1e-9 * scale))
        assert from_normal_cone(x, found, a, lower, upper, 1e-9 * scale) <= 1e-9 * scale


def test_points_of_polyhedra_with_dependent_rows_move_with_the_sides():
    """Both rows are one line, so that one of them alone holds; the equation holds though the point satisfies it already."""
    a = np.asarray([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    project = lambda x, side: P.polyhedron(x, a, np.asarray([-np.inf, -np.inf, 1.0]), side)
    by_point = ud.jacobian(project)(np.asarray([2.0, 1.0, 1.0]), np.asarray([1.0, 2.0, 1.0]))
    np.testing.assert_allclose(by_point, [[0.5, -0.5, 0], [-0.5, 0.5, 0], [0, 0, 0]], atol=1e-12)


def test_an_empty_polyhedron_has_no_closest_point():
    a = np.asarray([[1.0, 1.0], [-1.0, -1.0]])
    assert np.isnan(P.polyhedron(np.zeros(2), a, None, np.asarray([1.0, -2.0]))).all()
    assert np.isnan(P.polyhedron(np.asarray([np.nan, 3.0]), a, None, np.ones(2))).all()


def test_plans_in_the_divergence_of_kullback_and_leibler():
    x = np.random.default_rng(2).standard_normal((2, 3))
    plan = P.kl_transport(x, ROWS, COLUMNS)
    np.testing.assert_allclose(plan.sum(0), COLUMNS, rtol=1e-10)
    np.testing.assert_allclose(plan.sum(1), ROWS, rtol=1e-10)
    ratio = np.log(plan) - x  # is a sum of potentials
    np.testing.assert_allclose(ratio - ratio[:1] - ratio[:, :1] + ratio[0, 0], 0, atol=1e-9)
    d = np.random.default_rng(3).standard_normal((2, 3))
    f = lambda t: P.kl_transport(x + t * d, ROWS, COLUMNS)
    np.testing.assert_allclose(ud.jvp(f, (np.asarray(0.0),), (np.asarray(1.0),))[1], (f(1e-5) - f(-1e-5)) / 2e-5, atol=1e-8)
    np.testing.assert_allclose(P.birkhoff(np.eye(3) * 5), np.eye(3), atol=1e-9)
    assert np.isnan(P.transport(x, ROWS, 2 * COLUMNS)).all()


@pytest.mark.parametrize(
    ("project", "error", "words"),
    [
        (lambda x: P.simplex(x.astype("int64")), ud.errors.DTypeError, "int64"),
        (lambda x: P.l2_ball(x, -1.0), ud.errors.ArgumentError, "radius"),
        (lambda x: P.simplex(x, float("nan")), ud.errors.ArgumentError, "total"),
        (lambda x: P.halfspace(x, NORMAL[:1], 0.0), ud.errors.ShapeError, "normal"),
        (lambda x: P.affine(x, A[:, :3], B), ud.errors.ShapeError, "matrix"),
        (lambda x: P.polyhedron(x, A, None, B[:1]), ud.errors.ShapeError, "sides"),
        (lambda x: P.transport(x, ROWS, COLUMNS), ud.errors.ShapeError, "rows and columns"),
        (lambda x: P.simplex({}), ud.errors.TreeError, "no"),
        (lambda x: P.intersection(), ud.errors.ArgumentError, "intersection"),
        (lambda x: P.simplex("x"), ud.errors.NotAnArrayError, "x"),
        (lambda x: P.simplex(1j * x), ud.errors.DTypeError, "complex"),
        (lambda x: P.box_section(x, 1.0, 0.0, NORMAL, 0.0), ud.errors.ArgumentError, "lower"),
        (lambda x: P.box(x, 1.0, 0.0), ud.errors.ArgumentError, "lower"),
    ],
)
def test_what_is_no_set_or_no_point_is_refused(project, error, words):
    with pytest.raises(error, match=words):
        project(np.arange(6.0))


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
