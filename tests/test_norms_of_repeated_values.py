"""Second derivatives of norms of matrices with repeated singular values, on every backend and in every pair of modes."""

import itertools

import numpy as np
import pytest

import unidiff as ud

PAIRS = list(itertools.product(("jacfwd", "jacrev"), repeat=2))
SQUARE = np.linalg.qr(np.arange(9.0).reshape(3, 3) ** 2 + np.eye(3))[0] @ np.diag([3.0, 1.0, 1.0])
WIDE = 1.5 * np.eye(3)[:2]
CASES = [*((SQUARE, pair) for pair in PAIRS), (WIDE, PAIRS[1])]


def polar(a):
    """Return the gradient of the nuclear norm where no singular value is 0, which is smooth there."""
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return u @ vh


def differences(f, a, h=1e-3):
    units = np.eye(a.size).reshape(-1, *a.shape) * h
    columns = [(8 * (f(a + u) - f(a - u)) - f(a + 2 * u) + f(a - 2 * u)) / (12 * h) for u in units]
    return np.moveaxis(np.reshape(columns, (*a.shape, *a.shape)), (0, 1), (2, 3))


@pytest.mark.parametrize(("matrix", "modes"), CASES, ids=[f"{a.shape[0]}x3-{'-'.join(modes)}" for a, modes in CASES])
def test_nuclear_norm(xp, array, matrix, modes):
    outer, inner = (getattr(ud, mode) for mode in modes)
    hessian = outer(inner(lambda a: xp.linalg.matrix_norm(a, ord="nuc")))(array(matrix))
    np.testing.assert_allclose(ud.to_numpy(hessian), differences(polar, matrix), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("order", [2, -2])
def test_extreme_singular_value_shared_by_all_is_as_smooth_as_their_mean(xp, array, order):
    a = 1.5 * np.eye(3)
    hessian = ud.hessian(lambda a: xp.linalg.matrix_norm(a, ord=order))(array(a))
    np.testing.assert_allclose(ud.to_numpy(hessian), differences(polar, a) / 3, rtol=1e-9, atol=1e-10)
