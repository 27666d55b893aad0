"""Code written with ``numpy`` itself differentiates, or raises with a remedy."""

import math

import numpy as np
import pytest

import unidiff as ud
from unidiff import errors

A = np.arange(12.0).reshape(4, 3) / 5 + 0.1
X = np.asarray([1.2, 2.3, 3.1])


def _sorted_and_filled(x):
    y, z = (x - 2.0) ** 2 * 1.0, x * 1.0
    y.sort()
    z.fill(x[1])
    return y * z


FUNCTIONS = {
    "ufunc": lambda x: np.sum(np.sin(x) * np.exp(-x)),
    "renamed ufunc": lambda x: np.arctan2(x, A).sum() + np.power(x, 3).sum() + np.absolute(-x).sum(),
    "derived ufunc": lambda x: np.exp2(x).sum() + np.cbrt(x).sum() + np.deg2rad(x).sum() + np.logaddexp2(x, 1.0).sum(),
    "ndarray @ x": lambda x: (A @ x).sum(),
    "x @ ndarray": lambda x: (x @ A.T).prod(),
    "ndarray + x": lambda x: ((np.ones(3) + x) * np.float64(2.0)).prod(),
    "methods of ufuncs": lambda x: (
        np.add.accumulate(x).prod() * np.maximum.accumulate(x)[1] * np.logaddexp.reduce(np.outer(x, x), axis=1).prod()
        + np.multiply.outer(x, x)[0, 2] * np.add.reduceat(x, [0, 2, 1]).prod() * np.multiply.accumulate(x)[2]
        + np.subtract.reduce(x, keepdims=True)[0] * np.hypot.accumulate(x).prod() * np.subtract.outer(x, A[0]).sum()
        + np.add.reduce(np.outer(x, x), (0, 1), initial=x[0], where=[True, False, True])
    ),
    "more ufuncs": lambda x: (
        np.fmod(-x, 2.0) * np.fmax(x, np.asarray([np.nan, 0.0, 9.0])) * np.fmin(x, np.nan) * np.modf(x)[0]
        + np.frexp(x)[0]
        + np.ldexp(x, [1, 2, 3]) * np.divmod(x, 0.7)[1] * np.multiply(x, 2.0, dtype=np.float64)
        + np.heaviside(x - 3, 0.5) * x
        + np.matvec(A[:3], x) * np.vecmat(x, A[:3])
        + np.fabs(-x) * np.radians(x)
        + np.degrees(x)
        + np.spacing(x)
        + divmod(x, 0.7)[1] * divmod(7.0, x)[1]
        + np.floor(x) * math.floor(x[0]) * math.ceil(x[1]) * math.trunc(x[2]) * x
    ).sum(),
    "reduce": lambda x: np.add.reduce(x) * np.multiply.reduce(x) + np.maximum.reduce(x),
    "concatenate": lambda x: np.sum(np.concatenate([x, A[0]]) ** 2),
    "stack": lambda x: np.stack([x, x * x], 1).T.prod() + np.stack([x, A[0]]).sum(),
    "hstack and vstack": lambda x: np.hstack([x, x * 2]).prod() + np.vstack([x, x]).sum() + np.column_stack([x, x]).prod(),
    "split": lambda x: np.split(x, [1])[1].prod() + np.split(x, 3)[0].sum(),
    "moments": lambda x: x.std(ddof=1) + np.var(x) * x.mean() + np.std(x, axis=0),
    "dot": lambda x: np.dot(A, x).mean() + np.dot(x, x) + np.inner(x, A[0]) + np.vdot(x, x),
    "outer": lambda x: np.outer(x, x * x).sum() + np.trace(np.outer(x, x)),
    "where": lambda x: np.where(x > 1.5, x**2, x).sum() + np.clip(x, 1.5, 2.5).prod(),
    "order": lambda x: (np.sort(x)[::-1] * A[0]).sum() + x.max() - np.min(x) + np.flip(x)[0],
    "shape": lambda x: x.reshape(3, 1).T.reshape((3,)).prod() * np.ravel(x)[1] + np.squeeze(x[None])[0] + x.flatten()[2],
    "swap": lambda x: (np.swapaxes(np.outer(x, A[1]), 0, 1)[0, 2] + np.transpose(np.outer(x, A[1]))[1, 1]) * x.copy()[0],
    "cumulative": lambda x: np.cumsum(x)[1] * np.cumprod(x)[2] + np.diff(x).prod(),
    "diag": lambda x: np.diag(x)[1, 1] + np.diag(np.outer(x, x)).prod() + np.diag(x, 1)[0, 1],
    "indexing": lambda x: np.take(x, [0, 0, 2]).prod() + x[np.asarray([1, 1])].sum() + x[x > 2].sum(),
    "tile": lambda x: np.tile(x, 2).prod() + np.repeat(x, 2).prod() + np.roll(x, 1)[0],
    "norm": lambda x: np.linalg.norm(x) + np.linalg.norm(np.outer(x, A[0] + x), "fro") + np.linalg.norm(x, 1),
    "linalg": lambda x: (
        np.linalg.inv(np.outer(x, x) + np.eye(3)).sum() + np.linalg.det(np.diag(x)) + np.linalg.solve(A[:3] + np.eye(3), x)[0]
    ),
    "fft": lambda x: np.abs(np.fft.fft(x)).sum() + np.abs(np.fft.rfft(x)[1]) ** 2,
    "einsum": lambda x: np.einsum("ij,j,j->", A, x, x),
    "convolve": lambda x: (
        np.convolve(x, A[:, 0]) @ A[:3, :2].ravel() + np.convolve(x, x[:2], "same") @ np.convolve(A[0], x, "same")
    ),
    "order F": lambda x: (
        np.ravel(np.outer(x, A[0]), "F")[1] * np.outer(x, A[1]).reshape((9,), order="F")[5] + x.flatten("F")[0]
    ),
    "planes": lambda x: (
        (np.diagonal(x[:, None, None] * A[:, :2])[1] * np.trace(x[:, None, None] * A, 1)).sum()
        + (x[:, None, None] * A).diagonal(0, 1, 2).prod()
    ),
    "triangles": lambda x: np.tril(np.outer(x, x), -1).sum() * np.triu(np.outer(x, x), 1)[0, 2],
    "differences": lambda x: (
        (np.diff(x * x, 2) * np.diff(x, prepend=0.0, append=x[:1])).sum() + np.diff(np.outer(x, x), 1, 0)[1, 2]
    ),
    "alike": lambda x: (np.full_like(x, 2.0, np.float64) * np.ones_like(x, float) * x).prod() + np.zeros_like(x, dtype=int)[0],
    "decompositions": lambda x: (
        np.linalg.svd(np.outer(x, x) + A[:3], compute_uv=False)[1] * np.linalg.qr(A[:3] + np.diag(x), "r")[0, 0]
        + np.linalg.eigvalsh(np.triu(np.outer(x, A[0])) + np.triu(np.outer(x, A[0]), 1).T, "U")[2]
    ),
    "einsum of lists": lambda x: np.einsum(A, [0, 1], x, [1], [0]).prod() + np.einsum("ij,j", A, x, optimize=True)[1],
    "lists as operands": lambda x: (
        ([1.0, 2.0, 3.0] @ x) * (x @ [[1.0], [2.0], [4.0]])[0] * np.dot(x, [3.0, 1.0, 2.0]) * np.inner([1.0, 1.0, 3.0], x)
        + (x ** [1, 2, 3]).sum() * np.convolve(x, [1.0, 2.0])[1]
        + np.linalg.solve([[2.0, 0, 1], [0, 1, 1], [1, 0, 3]], x).prod()
        + np.tensordot(x, [x[0], 2.0, x[1]], 1)
    ),
    "vector transposed": lambda x: x.T @ x + (x[:, None, None] * A).T[2, 1, 0],
    "in-place methods": lambda x: _sorted_and_filled(x) @ A[2],
    "finite": lambda x: np.nan_to_num(x * np.asarray([1.0, 2.0, 3.0]), posinf=3.0).prod() + np.cbrt(x).sum(),
    "integer shapes": lambda x: (
        x.reshape(np.int64(3), 1)[2, 0] * np.split(x, np.int64(3))[0].sum() * np.tile(x, np.int64(2))[4]
    ),
    "values": lambda x: x.sum() if np.allclose(x, x) and np.shape(x) == (3,) and np.argmax(x) == 2 else 0 * x.sum(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_functions_differentiate(name):
    f, step = FUNCTIONS[name], 1e-5
    unit = np.eye(3)
    want = [(8 * (f(X + step * u) - f(X - step * u)) - f(X + 2 * step * u) + f(X - 2 * step * u)) / 12 / step for u in unit]
    np.testing.assert_allclose(ud.grad(f)(X), want, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose([ud.jvp(f, (X,), (u,))[1] for u in unit], want, rtol=1e-8, atol=1e-8)


def test_universal_functions_of_scipy_differentiate():
    special = pytest.importorskip("scipy.special")
    x = np.asarray([0.3, 0.6])
    np.testing.assert_allclose(ud.grad(lambda x: special.erf(x).sum())(x), 2 / np.sqrt(np.pi) * np.exp(-x * x), rtol=1e-14)
    np.testing.assert_allclose(ud.grad(lambda x: special.expm1(x).sum())(x), np.exp(x), rtol=1e-14)
    with pytest.raises((errors.MissingRuleError, errors.TracedConversionError)):
        ud.grad(lambda x: special.agm(x, 2.0).sum())(x)


def _out_buffer(x):
    buffer = np.zeros(3)
    np.add(x, 1, out=buffer)
    return buffer.sum()


def _plain_in_place(x):
    buffer = np.zeros(3)
    buffer += x
    return np.sum(buffer)


def _plain_assignment(x):
    buffer = np.zeros(3)
    buffer[0] = x[0]
    return np.sum(buffer)


SEVERING = {
    "out": (_out_buffer, errors.InPlaceError),
    "in place": (_plain_in_place, errors.InPlaceError),
    "assignment": (_plain_assignment, ValueError),  # NumPy puts its own error around ours
    "no rule": (lambda x: np.emath.sqrt(x).sum(), errors.MissingRuleError),
    "no rule for the method": (lambda x: np.multiply.at(x, [0], 2.0), errors.MissingRuleError),
    "no rule for the ufunc": (lambda x: np.frompyfunc(float, 1, 1)(x), errors.MissingRuleError),
    "option": (lambda x: np.sin(x, where=np.asarray([True, False, True])).sum(), errors.MissingRuleError),
    "option of a function": (lambda x: np.quantile(x, 0.5, weights=x, method="inverted_cdf"), errors.MissingRuleError),
    "at a plain array": (lambda x: np.add.at(np.zeros(3), [0, 0, 1], x), errors.InPlaceError),
    "copyto": (lambda x: np.copyto(np.zeros(3), x), errors.InPlaceError),
    "asarray": (lambda x: np.asarray(x).sum(), errors.TracedConversionError),
    "array of scalars": (lambda x: np.array([x[0], x[1]]).sum(), errors.TracedConversionError),
    "item": (lambda x: x[0].item() * x[1], errors.TracedConversionError),
}


@pytest.mark.parametrize("name", SEVERING)
def test_what_would_cut_the_derivative_raises(name):
    f, error = SEVERING[name]
    with pytest.raises(error):
        ud.grad(f)(X)
