"""Polynomials given by their coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from unidiff.errors import MissingRuleError
from unidiff_backends._numpy.algebra import outer
from unidiff_backends._numpy.calculus import convolve, vander, vector
from unidiff_backends._numpy.table import means, missing


@means(np.polyval)
def _polyval(xp: Any, p: Any, x: Any) -> Any:
    p, x = vector(xp, p), xp.asarray(x)
    y = xp.zeros_like(x)
    for i in range(p.shape[0]):
        y = y * x + p[i]
    return y


@means(np.polyder)
def _polyder(xp: Any, p: Any, m: int = 1) -> Any:
    p = vector(xp, p)
    for _ in range(m):
        p = p[:-1] * xp.asarray(np.arange(p.shape[0] - 1, 0, -1))
    return p


@means(np.polyint)
def _polyint(xp: Any, p: Any, m: int = 1, k: Any = None) -> Any:
    p = vector(xp, p)
    constants = xp.zeros((m,)) if k is None else xp.broadcast_to(xp.asarray(k), (m,)) if np.ndim(k) == 0 else xp.asarray(k)
    for i in range(m):
        p = xp.concat([p / xp.asarray(np.arange(p.shape[0], 0, -1)), constants[i : i + 1]])
    return p


def _aligned(xp: Any, a1: Any, a2: Any) -> tuple[Any, Any]:
    a1, a2 = vector(xp, a1), vector(xp, a2)
    n = max(a1.shape[0], a2.shape[0])
    first, second = (xp.concat([xp.zeros((n - a.shape[0],), dtype=a.dtype), a]) for a in (a1, a2))
    return first, second


@means(np.polyadd)
def _polyadd(xp: Any, a1: Any, a2: Any) -> Any:
    first, second = _aligned(xp, a1, a2)
    return first + second


@means(np.polysub)
def _polysub(xp: Any, a1: Any, a2: Any) -> Any:
    first, second = _aligned(xp, a1, a2)
    return first - second


@means(np.polymul)
def _polymul(xp: Any, a1: Any, a2: Any) -> Any:
    return convolve(xp, a1, a2)


@means(np.polydiv)
def _polydiv(xp: Any, u: Any, v: Any) -> Any:
    u, v = (vector(xp, p) * 1.0 for p in (u, v))
    m, n = u.shape[0] - 1, v.shape[0] - 1
    quotients = []
    for _ in range(max(m - n + 1, 0)):
        q = u[0] / v[0]
        quotients.append(q)
        u = xp.concat([u[1 : n + 1] - q * v[1:], u[n + 1 :]])
    quotient = xp.stack(quotients) if quotients else xp.zeros((1,), dtype=u.dtype)
    value = np.asarray(xp._constant(u))
    leading = 0
    while leading < value.size - 1 and np.allclose(value[leading], 0, rtol=1e-14):
        leading += 1
    return quotient, u[leading:] if value.size else xp.zeros((1,), dtype=quotient.dtype)


@means(np.poly)
def _poly(xp: Any, seq_of_zeros: Any) -> Any:
    zeros = vector(xp, seq_of_zeros)
    if zeros.ndim == 2:
        zeros = xp.linalg.eigvals(zeros)
    p = xp.ones((1,), dtype=zeros.dtype)
    for i in range(zeros.shape[0]):
        p = convolve(xp, p, xp.stack([xp.ones_like(zeros[i]), -zeros[i]]))
    if np.dtype(p.dtype).kind == "c":
        roots = np.asarray(xp._constant(zeros))
        if np.all(np.sort(roots) == np.sort(roots.conjugate())):
            return xp.real(p)
    return p


@means(np.roots)
def _roots(xp: Any, p: Any) -> Any:
    p = vector(xp, p) * 1.0
    nonzero = np.flatnonzero(np.asarray(xp._constant(p)))
    if not nonzero.size:
        return np.zeros(0)
    trailing = p.shape[0] - int(nonzero[-1]) - 1
    p = p[int(nonzero[0]) : int(nonzero[-1]) + 1]
    n = p.shape[0] - 1
    if n == 0:
        return xp.zeros((trailing,), dtype=p.dtype)
    companion = xp.concat([xp.reshape(-p[1:] / p[0], (1, n)), xp.eye(n - 1, n, dtype=p.dtype)], axis=0)
    roots = xp.linalg.eigvals(companion)
    if not np.any(np.imag(np.asarray(xp._constant(roots)))):
        roots = xp.real(roots) if np.dtype(p.dtype).kind != "c" else roots
    return xp.concat([roots, xp.zeros((trailing,), dtype=roots.dtype)]) if trailing else roots


@means(np.polyfit)
def _polyfit(
    xp: Any, x: Any, y: Any, deg: int, rcond: float | None = None, full: bool = False, w: Any = None, cov: Any = False
) -> Any:  # fmt: skip
    """Solve the least-squares problem with columns of length 1, as NumPy does."""
    if full:
        raise MissingRuleError(missing("polyfit with full=True"))
    x, y = (xp.asarray(a) * 1.0 for a in (x, y))
    left, right = vander(xp, x, deg + 1), y
    if w is not None:
        w = xp.asarray(w)
        left = left * xp.expand_dims(w, axis=1)
        right = xp.expand_dims(w, axis=1) * right if right.ndim == 2 else w * right
    scale = xp.sqrt(xp.sum(left * left, axis=0))
    left = left / scale
    rcond = x.shape[0] * np.finfo(x.dtype).eps if rcond is None else rcond
    solution = xp.matmul(xp.linalg.pinv(left, rtol=rcond), right)
    column = xp.expand_dims(scale, axis=1) if right.ndim == 2 else scale
    p = solution / column
    if not cov:
        return p
    base = xp.linalg.inv(xp.matmul(xp.matrix_transpose(left), left)) / outer(xp, scale, scale)
    if cov == "unscaled":
        return p, base if right.ndim == 1 else base[..., None]
    off = right - xp.matmul(left, solution)
    if x.shape[0] <= deg + 1:
        raise ValueError("the number of data points must exceed order to scale the covariance matrix")
    factor = xp.sum(off * off, axis=0) / (x.shape[0] - deg - 1)
    return p, base * factor if right.ndim == 1 else base[:, :, None] * factor
