import numpy as np
import pytest

import unidiff as ud
from unidiff.errors import ArgumentError, DTypeError, NonScalarOutputError, ShapeError, TreeError
from unidiff.higher_order.hessians import _MODES

X, V = np.asarray([1.0, 0.5, 0.2]), np.asarray([1.0, -0.5, 0.25])


def f(x, y=2.0):
    xp = ud.array_namespace(x)
    return xp.sum(xp.exp(x) * xp.sin(xp.flip(x))) * y


def exact_hessian(x):
    e, s, c = np.exp(x), np.sin(x), np.cos(x)
    flip = np.fliplr(np.eye(3))
    cross = flip * np.outer(e, np.ones(3)) * c[None, :]
    return np.diag(e * s[::-1] - e[::-1] * s) + cross + cross.T


@pytest.mark.parametrize("mode", _MODES)
def test_modes_agree_with_the_closed_form(array, check, mode):
    x, v = array(X), array(V)
    check(ud.hvp(f, (x,), (v,), mode=mode), 2 * exact_hessian(X) @ V)


@pytest.mark.parametrize("mode", _MODES)
def test_several_arguments_trees_and_auxiliary_output(mode):
    def g(p, q, scale=1.0):
        return scale * np.sum(p["a"] * q**2 + np.sin(p["a"])), {"q": q, "note": "kept"}

    primals, tangents = ({"a": X}, V), ({"a": V}, X)
    (gp, gq), aux = ud.hvp(g, primals, tangents, (0, 1), True, mode=mode, scale=3.0)
    np.testing.assert_allclose(gp["a"], 3 * (2 * V * X - np.sin(X) * V), rtol=1e-14)
    np.testing.assert_allclose(gq, 3 * (2 * V * V + 2 * X * X), rtol=1e-14)
    assert aux["note"] == "kept"
    np.testing.assert_array_equal(aux["q"], V)


@pytest.mark.parametrize("mode", _MODES)
def test_complex_primals(array, mode):
    """|z|^4 has the gradient 4 |z|^2 z, whose derivative along v is 8 Re(conj(z) v) z + 4 |z|^2 v."""
    z, v = np.asarray([1.0 + 2.0j, -0.5j]), np.asarray([0.5 - 1.0j, 2.0])

    def g(z):
        xp = ud.array_namespace(z)
        return xp.sum(xp.real(z * xp.conj(z)) ** 2)

    found = ud.hvp(g, (array(z, "complex128"),), (array(v, "complex128"),), mode=mode)
    np.testing.assert_allclose(ud.to_numpy(found), 8 * np.real(np.conj(z) * v) * z + 4 * np.abs(z) ** 2 * v, rtol=1e-13)


@pytest.mark.parametrize("mode", ["forward-over-reverse", "reverse-over-forward", "reverse-over-reverse"])
def test_the_function_is_called_once(mode):
    calls = []
    ud.hvp(lambda x: calls.append(1) or f(x), (X,), (V,), mode=mode)
    assert len(calls) == 1


def test_operator_and_diagonal(array, check):
    x, calls = array(X), []
    h = ud.hessian_operator(lambda x, y: calls.append(1) or f(x, y), x, 3.0)
    check(h(array(V)), 3 * exact_hessian(X) @ V)
    check(h(array(X)), 3 * exact_hessian(X) @ X)
    assert len(calls) == 1
    check(ud.hessian_diagonal(f)(x), 2 * np.diag(exact_hessian(X)))


def test_the_diagonal_over_trees():
    found = ud.hessian_diagonal(lambda p, q: p["a"].sum() ** 2 * q + q**4, (0, 1))({"a": X, "e": np.zeros(0)}, np.asarray(2.0))
    np.testing.assert_allclose(found[0]["a"], [4.0, 4.0, 4.0])
    assert found[0]["e"].shape == (0,)
    assert found[1] == 48.0


def test_inverse_products(array, check):
    x, v = array(X), array(V)
    solution = ud.inverse_hvp(f, (x,), v, damping=30.0)
    assert solution.converged is True
    check(solution.value, np.linalg.solve(2 * exact_hessian(X) + 30 * np.eye(3), V), rtol=1e-10)
    assert ud.inverse_hvp(lambda x: x[0] ** 2 - x[1] ** 2, (np.ones(2),), np.ones(2)).converged is False


BAD = {
    "mode": (lambda: ud.hvp(f, (X,), (V,), mode="sideways"), ArgumentError),
    "count": (lambda: ud.hvp(f, (X,), ()), TreeError),
    "shape": (lambda: ud.hvp(f, (X,), (V[:1],), mode="reverse-over-reverse"), ShapeError),
    "no scalar": (lambda: ud.hvp(np.sin, (X,), (V,), mode="reverse-over-forward"), NonScalarOutputError),
    "callable": (lambda: ud.hvp(None, (X,), (V,)), ArgumentError),
    "complex diagonal": (lambda: ud.hessian_diagonal(lambda z: np.abs(z).sum())(X * 1j), DTypeError),
    "damping": (lambda: ud.inverse_hvp(f, (X,), V, damping=-1.0), ArgumentError),
    "vector": (lambda: ud.inverse_hvp(f, (X,), V[:2]), ShapeError),
    "argnums": (lambda: ud.hessian_operator(f, X, argnums=(0,)), ArgumentError),
    "range": (lambda: ud.hessian_operator(f, X, argnums=1), ArgumentError),
}


@pytest.mark.parametrize(("call", "error"), BAD.values(), ids=BAD)
def test_bad_input(call, error):
    with pytest.raises(error):
        call()
