"""One complex convention at every boundary: complex arrays are pairs of real ones, and everything follows from that."""

import numpy as np
import pytest

import unidiff as ud

Z = np.asarray([0.5 + 1.0j, -1.0 + 0.25j])
X = np.asarray([1.5, -0.5])
DZ, DX = np.asarray([1.0 - 2.0j, 0.5j]), np.asarray([-1.0, 2.0])
CT = np.asarray([0.5 + 1.0j, 1.0 - 0.5j])


def mixed(z, x):
    """A function of a complex and a real array that is not holomorphic."""
    xp = ud.array_namespace(z)
    return z * z * xp.conj(z) + xp.exp(1j * x) * xp.conj(z[0])


def loss(z, x):
    xp = ud.array_namespace(z)
    return xp.sum(xp.abs(z) ** 4 * x) + xp.real(z[0] * z[1]) * x[1]


def derivatives_of_mixed(z, x):
    """The Jacobians of `mixed` by z, by its conjugate and by x (Wirtinger derivatives), worked out by hand."""
    by_z, by_conj = np.diag(2 * z * np.conj(z)), np.diag(z * z)
    by_conj[:, 0] += np.exp(1j * x)
    return by_z, by_conj, np.diag(1j * np.exp(1j * x) * np.conj(z[0]))


BY_Z, BY_CONJ, BY_X = derivatives_of_mixed(Z, X)


@pytest.fixture
def point(array):
    return array(Z, "complex128"), array(X)


def test_jvp_is_the_derivative_along_the_tangent(point, array, check):
    _, got = ud.jvp(mixed, point, (array(DZ, "complex128"), array(DX)))
    check(got, BY_Z @ DZ + BY_CONJ @ np.conj(DZ) + BY_X @ DX, "complex128")


def test_linearize_does_as_jvp(point, array, check):
    _, push = ud.linearize(mixed, *point)
    check(push(array(DZ, "complex128"), array(DX)), BY_Z @ DZ + BY_CONJ @ np.conj(DZ) + BY_X @ DX, "complex128")


def test_vjp_is_the_adjoint_in_the_real_inner_product(point, array, check):
    _, pullback = ud.vjp(mixed, *point)
    by_z, by_x = pullback(array(CT, "complex128"))
    check(by_z, BY_Z.conj().T @ CT + BY_CONJ.T @ CT.conj(), "complex128")
    check(by_x, np.real(BY_X.conj().T @ CT), "float64")


@pytest.mark.parametrize("mode", ["jacfwd", "jacrev", "jacobian"])
def test_jacobians_are_pairs_of_derivatives_by_the_parts(point, check, mode):
    by_z, by_x = getattr(ud, mode)(mixed, (0, 1))(*point)
    check(by_z, ud.ComplexJacobian(BY_Z + BY_CONJ, 1j * (BY_Z - BY_CONJ)), "complex128")
    check(by_x, BY_X, "complex128")


def gradient(z, x):
    swapped = np.conj(z[::-1])
    return 4 * np.abs(z) ** 2 * z * x + swapped * x[1], np.abs(z) ** 4 + np.asarray([0.0, np.real(z[0] * z[1])])


def test_gradients_are_steepest_ascent(point, check):
    by_z, by_x = ud.grad(loss, (0, 1))(*point)
    check(by_z, gradient(Z, X)[0], "complex128")
    check(by_x, gradient(Z, X)[1], "float64")


def test_hvp_is_the_derivative_of_the_gradient(point, array, check):
    h = 1e-5
    ahead, behind = (gradient(Z + step * DZ, X + step * DX) for step in (h, -h))
    wanted = tuple((a - b) / (2 * h) for a, b in zip(ahead, behind, strict=True))
    got = ud.hvp(loss, point, (array(DZ, "complex128"), array(DX)), (0, 1))
    check(got, wanted, rtol=1e-8)


def test_hessians_nest_the_pairs_and_agree_with_hvp(point, array, check):
    by_z, (by_xz, by_xx) = ud.hessian(loss, (0, 1))(*point)  # rows by the parts of z, then by x
    u, v = DZ.real, DZ.imag
    (xx, xy), (yx, yy) = (tuple(map(ud.to_numpy, part[0])) for part in by_z)
    np.testing.assert_allclose(xy, yx.T, rtol=1e-12, atol=1e-12)
    by_real = xx @ u + xy @ v + ud.to_numpy(by_z.real[1]) @ DX
    by_imag = yx @ u + yy @ v + ud.to_numpy(by_z.imag[1]) @ DX
    by_x = ud.to_numpy(by_xz.real) @ u + ud.to_numpy(by_xz.imag) @ v + ud.to_numpy(by_xx) @ DX
    got_z, got_x = ud.hvp(loss, point, (array(DZ, "complex128"), array(DX)), (0, 1))
    check(got_z, by_real + 1j * by_imag, "complex128", rtol=1e-12)
    check(got_x, by_x, "float64", rtol=1e-12)


def test_descent_along_the_gradient_descends(point):
    z, x = point
    value, slope = ud.value_and_grad(loss)(z, x)
    assert float(loss(z - 1e-3 * slope, x)) < float(value)


def test_the_hessian_of_a_squared_modulus_is_twice_the_identity(array, check):
    def squared(z):
        xp = ud.array_namespace(z)
        return xp.sum(xp.real(xp.conj(z) * z))

    got = ud.hessian(squared)(array(Z, "complex128"))
    pair, eye, zero = ud.ComplexJacobian, 2 * np.eye(2), np.zeros((2, 2))
    check(got, pair(pair(eye, zero), pair(zero, eye)), "float64")
