"""The namespace in which oracles evaluate scenarios: NumPy in extended precision, with its own linear algebra.

``numpy.linalg`` works in double precision at most. Here results of LAPACK are only starting points, which are refined in
`numpy.longdouble` by iterations that converge quadratically, so differences of neighbouring values keep their digits.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import array_api_compat.numpy as xp
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[Any]

REAL: type[np.floating[Any]] = np.longdouble
COMPLEX: type[np.complexfloating[Any, Any]] = np.clongdouble
EPS = float(np.finfo(REAL).eps)


def solve(a: Matrix, b: Matrix) -> Matrix:
    """Solve by Gaussian elimination with partial pivoting; `a` is one matrix or a stack."""
    if a.ndim > 2:
        return np.stack([solve(m, r) for m, r in zip(a, np.broadcast_to(b, (len(a), *b.shape[-2:])), strict=True)])
    if b.ndim == 1:
        return solve(a, b[:, None])[:, 0]
    reduced, _ = _eliminate(np.concatenate([a, b.astype(np.result_type(a, b))], axis=1))
    n = len(a)
    x = np.zeros_like(reduced[:, n:])
    for i in reversed(range(n)):
        x[i] = (reduced[i, n:] - reduced[i, i + 1 : n] @ x[i + 1 :]) / reduced[i, i]
    return x


def inv(a: Matrix) -> Matrix:
    """Return the inverse."""
    return solve(a, np.eye(a.shape[-1], dtype=a.dtype))


def det(a: Matrix) -> Matrix:
    """Return the determinant, also of a singular matrix."""
    if a.ndim > 2:
        return np.stack([det(m) for m in a])
    reduced, sign = _eliminate(a)
    return np.asarray(sign * np.prod(np.diagonal(reduced)))


def slogdet(a: Matrix) -> SimpleNamespace:
    """Return sign and logarithm of the absolute value of the determinant."""
    value = det(a)
    return SimpleNamespace(sign=value / np.abs(value), logabsdet=np.log(np.abs(value)))


def cholesky(a: Matrix, /, *, upper: bool = False) -> Matrix:
    """Return the triangular factor with a positive diagonal."""
    if a.ndim > 2:
        return np.stack([cholesky(m, upper=upper) for m in a])
    lower = np.zeros_like(a)
    for j in range(len(a)):
        rest = a[j:, j] - lower[j:, :j] @ np.conj(lower[j, :j])
        lower[j:, j] = rest / np.sqrt(rest[0])
    return np.conj(lower.T) if upper else lower


def qr(a: Matrix, /) -> SimpleNamespace:
    """Return the reduced factorization whose R has a positive diagonal; functions compared must not depend on the gauge."""
    r = cholesky(np.conj(a.swapaxes(-1, -2)) @ a, upper=True)
    return SimpleNamespace(Q=a @ inv(r), R=r)


def eig(a: Matrix) -> SimpleNamespace:
    """Return eigenvalues and eigenvectors of a matrix whose eigenvalues are distinct."""
    vectors = np.linalg.eig(a.astype(np.complex128))[1].astype(COMPLEX)
    for _ in range(3):
        t = solve(vectors, a @ vectors)
        values = np.diagonal(t)
        gap = values - values[:, None] + np.eye(len(a))
        vectors = vectors @ (np.eye(len(a)) + (t - np.diag(values)) / gap)
    return SimpleNamespace(eigenvalues=values, eigenvectors=vectors)


def eigh(a: Matrix) -> SimpleNamespace:
    """Return ascending eigenvalues and orthonormal eigenvectors of a Hermitian matrix with distinct eigenvalues."""
    if a.ndim > 2:
        parts = [eigh(m) for m in a]
        return SimpleNamespace(
            eigenvalues=np.stack([p.eigenvalues for p in parts]), eigenvectors=np.stack([p.eigenvectors for p in parts])
        )
    found = eig(a)
    order = np.argsort(found.eigenvalues.real)
    vectors = found.eigenvectors[:, order]
    vectors = vectors / np.sqrt(np.sum(np.abs(vectors) ** 2, axis=0))
    if not np.iscomplexobj(a):
        vectors = np.real(vectors / (np.sum(vectors, axis=0) / np.abs(np.sum(vectors, axis=0))))
    return SimpleNamespace(eigenvalues=np.real(found.eigenvalues[order]), eigenvectors=vectors)


def svd(a: Matrix, /, *, full_matrices: bool = False) -> SimpleNamespace:
    """Return the reduced decomposition of a matrix of full rank; functions compared must not depend on the gauge."""
    if full_matrices and a.shape[-2] != a.shape[-1]:
        raise NotImplementedError("only what does not depend on a gauge is compared")
    if a.shape[-2] < a.shape[-1]:
        flipped = svd(np.conj(a.swapaxes(-1, -2)))
        adjoint = [np.conj(m.swapaxes(-1, -2)) for m in (flipped.Vh, flipped.U)]
        return SimpleNamespace(U=adjoint[0], S=flipped.S, Vh=adjoint[1])
    found = eigh(np.conj(a.swapaxes(-1, -2)) @ a)
    s, v = np.sqrt(found.eigenvalues[..., ::-1]), found.eigenvectors[..., ::-1]
    return SimpleNamespace(U=a @ v / s[..., None, :], S=s, Vh=np.conj(v.swapaxes(-1, -2)))


def pinv(a: Matrix, /) -> Matrix:
    """Return the pseudo-inverse of a matrix of full rank."""
    adjoint = np.conj(a.swapaxes(-1, -2))
    return solve(adjoint @ a, adjoint) if a.shape[-2] >= a.shape[-1] else adjoint @ inv(a @ adjoint)


def matrix_power(a: Matrix, n: int) -> Matrix:
    """Return an integer power of a square matrix."""
    return np.asarray(np.linalg.matrix_power(a if n >= 0 else inv(a), abs(n)))


def matrix_norm(a: Matrix, /, *, keepdims: bool = False, ord: Any = "fro") -> Matrix:
    """Return a norm of each matrix."""
    if ord not in (2, -2, "nuc"):
        return np.asarray(xp.linalg.matrix_norm(a, keepdims=keepdims, ord=ord))
    s = svd(a).S
    norm = np.asarray(np.sum(s, axis=-1) if ord == "nuc" else s[..., 0] if ord == 2 else s[..., -1])
    return norm[..., None, None] if keepdims else norm


def _eliminate(a: Matrix) -> tuple[Matrix, int]:
    """Return the row echelon form of the leading square block and the sign of the row permutation."""
    a, sign = a.copy(), 1
    for k in range(len(a)):
        pivot = k + int(np.argmax(np.abs(a[k:, k])))
        if a[pivot, k] == 0:
            continue
        if pivot != k:
            a[[k, pivot]] = a[[pivot, k]]
            sign = -sign
        a[k + 1 :] -= a[k + 1 :, k, None] / a[k, k] * a[k]
    return a, sign


_OWN: dict[str, Callable[..., Any]] = {
    "solve": solve,
    "inv": inv,
    "det": det,
    "slogdet": slogdet,
    "cholesky": cholesky,
    "qr": qr,
    "eig": eig,
    "eigh": eigh,
    "svd": svd,
    "pinv": pinv,
    "matrix_power": matrix_power,
    "matrix_norm": matrix_norm,
    "eigvals": lambda a: eig(a).eigenvalues,
    "eigvalsh": lambda a: eigh(a).eigenvalues,
    "svdvals": lambda a: svd(a).S,
}


class _Linalg:
    """`linalg` of the reference: own decompositions, NumPy's for what is arithmetic only."""

    def __getattr__(self, name: str) -> Any:
        return _OWN.get(name) or getattr(xp.linalg, name)


class _Reference:
    """The namespace: every floating-point dtype is the extended one."""

    float32 = float64 = REAL
    complex64 = complex128 = COMPLEX
    linalg = _Linalg()

    def __getattr__(self, name: str) -> Any:
        return getattr(xp, name)


REFERENCE = _Reference()
