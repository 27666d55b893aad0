"""Decompositions of matrices on JAX: derivatives at smooth points, and at repeated and vanishing values."""

from itertools import product

import numpy as np
import pytest

import unidiff as ud

jax = pytest.importorskip("jax")
jnp = jax.numpy


@pytest.fixture(autouse=True)
def _wide_numbers():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def linalg():
    return ud.namespace("jax").linalg


def matrix(*shape, dtype="float64", seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) + (1j * rng.normal(size=shape) if dtype == "complex128" else 0)
    return jnp.asarray(x, dtype=dtype)


def adjoint(x):
    return jnp.conj(jnp.matrix_transpose(x))


def weighed(x):
    return jnp.sum(jnp.sin(jnp.real(x))) + jnp.sum(jnp.cos(jnp.imag(x)))


def projection(basis):
    """Return a number that depends on the span of the columns only."""
    return weighed(basis @ adjoint(basis) * jnp.arange(1, 1 + basis.shape[-2]))


def of_eigh(linalg, x):
    found = linalg.eigh(x)
    return weighed(found.eigenvalues) + projection(found.eigenvectors[..., :1])


def of_eig(linalg, x):
    values, vectors = linalg.eig(x)
    return weighed((vectors * jnp.exp(values)[..., None, :]) @ linalg.inv(vectors))


def of_svd(linalg, x, full_matrices=True):
    u, s, vh = linalg.svd(x, full_matrices=full_matrices)
    parts = [u[..., :1], u[..., x.shape[-1] :], adjoint(vh)[..., :1], adjoint(vh)[..., x.shape[-2] :]]
    return weighed(s) + sum(map(projection, parts)) + weighed(u[..., :1] @ vh[..., :1, :])


SMOOTH = {
    "eigh": (of_eigh, (2, 3, 3)),
    "eigvalsh": (lambda linalg, x: weighed(linalg.eigvalsh(x)), (3, 3)),
    "eig": (of_eig, (3, 3)),
    "eigvals": (lambda linalg, x: weighed(jnp.sum(linalg.eigvals(x) ** 3)), (3, 3)),
    "svd-tall": (of_svd, (5, 3)),
    "svd-wide": (of_svd, (2, 2, 4)),
    "svd-reduced": (lambda linalg, x: of_svd(linalg, x, full_matrices=False), (4, 3)),
    "svdvals": (lambda linalg, x: weighed(linalg.svdvals(x)), (2, 3)),
    "slogdet": (lambda linalg, x: weighed(jnp.stack(list(linalg.slogdet(x)))), (3, 3)),
}
MODES = {"rev": ud.grad, "fwd": lambda f: lambda s: ud.jvp(f, (s,), (jnp.ones_like(s),))[1]}


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("case", SMOOTH)
def test_derivatives_at_smooth_points(linalg, case, dtype):
    """First and second derivatives in every combination of modes, compiled, against finite differences."""
    f, shape = SMOOTH[case]
    x, direction = matrix(*shape, dtype=dtype), matrix(*shape, dtype=dtype, seed=1)

    def along(s):
        return f(linalg, x + s * direction)

    @jax.jit
    def derivatives(s):
        first = {mode: MODES[mode](along) for mode in MODES}
        second = [MODES[outer](first[inner])(s) for outer, inner in product(MODES, MODES)]
        return along(s), jnp.stack([d(s) for d in first.values()]), jnp.stack(second)

    h = 1e-4
    near, far = ([derivatives(jnp.asarray(sign * k * h)) for sign in (1, -1)] for k in (1, 2))
    _, first, second = derivatives(jnp.asarray(0.0))
    for order, found in ((0, first), (1, second)):
        wanted = (8 * (near[0][order] - near[1][order]) - (far[0][order] - far[1][order])) / (12 * h)
        np.testing.assert_allclose(found, np.broadcast_to(np.ravel(wanted)[0], found.shape), rtol=1e-8, atol=1e-8)


TWICE = np.diag([2.0, 2.0, 1.0])
AT_REPEATED = {
    "eigvalsh-largest": (lambda linalg, x: linalg.eigvalsh(x)[-1], TWICE, np.diag([0.5, 0.5, 0])),
    "eigvalsh-smallest": (lambda linalg, x: linalg.eigvalsh(-x)[0], TWICE, -np.diag([0.5, 0.5, 0])),
    "eigvals": (lambda linalg, x: jnp.max(jnp.real(linalg.eigvals(x))), TWICE, np.diag([0.5, 0.5, 0])),
    "eigvalsh-sum": (lambda linalg, x: jnp.sum(linalg.eigvalsh(x) ** 2), TWICE, 2 * TWICE),
    "svdvals-largest": (lambda linalg, x: linalg.svdvals(x)[0], TWICE, np.diag([0.5, 0.5, 0])),
    "svdvals-sum": (lambda linalg, x: jnp.sum(linalg.svdvals(x) ** 2), TWICE, 2 * TWICE),
    "svdvals-vanishing": (lambda linalg, x: linalg.svdvals(x)[-1], np.diag([2.0, 0.0]), np.zeros((2, 2))),
    "eigenvectors": (lambda linalg, x: linalg.eigh(x).eigenvectors[0, 1], TWICE, np.full((3, 3), np.nan)),
    "eigenvectors-general": (lambda linalg, x: jnp.real(linalg.eig(x)[1][0, 0]), TWICE, np.full((3, 3), np.nan)),
    "singular vectors": (lambda linalg, x: linalg.svd(x).U[0, 0], TWICE, np.full((3, 3), np.nan)),
    "slogdet-singular": (lambda linalg, x: linalg.slogdet(x).logabsdet, np.ones((2, 2)), np.full((2, 2), np.nan)),
    "row norms tied, one with a 0": (
        lambda linalg, x: linalg.matrix_norm(x, ord=np.inf),
        np.asarray([[2.0, 0.0], [1.0, 1.0]]),
        np.asarray([[2 / 3, 0.0], [1 / 3, 1 / 3]]),
    ),
}


@pytest.mark.parametrize(
    "transform", [lambda f: f, lambda f: lambda x: jax.jit(jax.vmap(f))(x[None])[0]], ids=["eager", "mapped"]
)
@pytest.mark.parametrize("case", AT_REPEATED)
def test_derivatives_at_repeated_values(linalg, case, transform):
    f, x, wanted = AT_REPEATED[case]
    x, direction = jnp.asarray(x), matrix(*x.shape)
    gradient = transform(ud.grad(lambda x: f(linalg, x)))(x)
    np.testing.assert_allclose(gradient, wanted, atol=1e-14)
    pushed = transform(lambda x: ud.jvp(lambda x: f(linalg, x), (x,), (direction,))[1])(x)
    np.testing.assert_allclose(pushed, np.sum(wanted * direction), atol=1e-14)


@pytest.mark.parametrize("name", ["eigh", "svd"])
def test_vectors_that_are_not_used_bring_no_nan(linalg, name):
    f, x = getattr(linalg, name), jnp.asarray(TWICE)
    out, pullback = ud.vjp(f, x)
    values = "eigenvalues" if name == "eigh" else "S"
    cotangent = jax.tree.map(jnp.zeros_like, out)._replace(**{values: jnp.ones(3)})
    np.testing.assert_allclose(pullback(cotangent)[0], np.eye(3), atol=1e-14)


SECOND = {
    "simple among repeated": (lambda linalg, x: linalg.eigvalsh(x)[0], True),
    "function of repeated": (lambda linalg, x: jnp.sum(linalg.eigvalsh(x) ** 2), False),
    "nuclear norm": (lambda linalg, x: linalg.matrix_norm(x, ord="nuc"), True),
    "least singular value": (lambda linalg, x: linalg.matrix_norm(x, ord=-2), True),
}


@pytest.mark.parametrize(("outer", "inner"), list(product(MODES, MODES)))
@pytest.mark.parametrize("case", SECOND)
def test_second_derivatives_at_repeated_values(linalg, case, outer, inner):
    """They are exact where they exist, and otherwise NaN."""
    f, exists = SECOND[case]
    direction = matrix(3, 3)

    def along(s):
        return f(linalg, TWICE + s * direction)

    found = MODES[outer](MODES[inner](along))(jnp.asarray(0.0))
    if not exists:
        assert np.isnan(found)
        return
    h = 1e-3
    values = [float(along(k * h)) for k in (-2, -1, 0, 1, 2)]
    wanted = np.dot([-1, 16, -30, 16, -1], values) / (12 * h * h)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_second_derivatives_of_norms_are_finite_at_zero(linalg):
    for order in ("nuc", 2, -2):
        hessian = ud.hessian(lambda x, order=order: linalg.matrix_norm(x, ord=order))(jnp.zeros((3, 2)))
        np.testing.assert_array_equal(hessian, np.zeros((3, 2, 3, 2)))


@pytest.mark.parametrize("shape", [(0, 0), (1, 1), (0, 3, 3)])
def test_small_and_empty_matrices(linalg, shape):
    x = jnp.ones(shape)
    for f in (
        linalg.eigvalsh,
        linalg.svdvals,
        lambda x: linalg.eigh(x)[1],
        lambda x: linalg.svd(x)[0],
        lambda x: linalg.slogdet(x)[1],
    ):
        assert ud.grad(lambda x: jnp.sum(f(x)))(x).shape == shape
