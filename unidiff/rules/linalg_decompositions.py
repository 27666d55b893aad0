"""Decompositions of matrices.

Sources: M. B. Giles, "An extended collection of matrix derivative results" (2008); J. R. Magnus, Econometric Theory 1 (1985),
for eigenvalues and eigenvectors; I. Murray, arXiv:1602.07527, for Cholesky; M. Seeger et al., arXiv:1710.08717, for QR and
symmetric eigenvectors; Z. Wan and S. Zhang, arXiv:1909.02659, for the complex singular value decomposition; D. A. Roberts and
L. R. Roberts, arXiv:2009.10071, for QR of wide matrices.

`cholesky`, `eigh` and `eigvalsh` are functions of Hermitian matrices: they see the Hermitian part of a tangent, and their
cotangents are Hermitian.

Eigenvectors and singular vectors are determined up to signs or phases, and the vectors that fill up a full basis up to a
rotation. Their derivatives are those of the smallest motion; they are right for functions that do not depend on the choice.

Eigenvalues, or singular values, that are closer than the rounding errors of their computation, n eps times the largest, count
as repeated. Each of k repeated ones gets the mean of their derivatives: the eigenprojection over k, which is the element of
minimum norm of Clarke's generalized derivative and makes symmetric functions such as sums exact. A singular value 0 has the
derivative 0, by minimum norm. The vectors that belong to repeated values have no derivative: NaN, as in functions that use
them the correct finite part would depend on second derivatives (M. F. Kasim, arXiv:2011.04366). The eigenvalues of a matrix
that is not diagonalizable have none either.
"""

from __future__ import annotations

import math
from typing import Any

from unidiff.engine.extend import BATCHERS, Array, Namespace, composite, device_of, is_complex, rule, transposed
from unidiff.rules.linalg import inverse
from unidiff.rules.linear_algebra import adjoint, conjugate


def _hermitian(xp: Namespace, x: Array) -> Array:
    return (x + adjoint(xp, x)) / 2


def _apply(xp: Namespace, matrix: Array, vector: Array) -> Array:
    return xp.squeeze(xp.matmul(matrix, xp.expand_dims(vector, axis=-1)), axis=-1)


def _columns(vector: Array) -> Array:
    """Return one number per column in the form that broadcasts against the matrix."""
    return vector[..., None, :]


def _unless_unused(xp: Namespace, undefined: Array, used: Array, x: Array) -> Array:
    """Replace what is undefined by 0 in the columns of ``x`` whose vectors are not used: those of ``used`` are 0."""
    unused = xp.all(used == 0, axis=-2, keepdims=True)
    return xp.where(xp.logical_and(undefined, unused), 0.0, x)


def _diagonal_mask(xp: Namespace, x: Array) -> Array:
    return xp.eye(x.shape[-2], x.shape[-1], dtype=xp.bool, device=device_of(x))


# --- Cholesky


def _lower_half(xp: Namespace, x: Array) -> Array:
    """Return the lower triangle with half the diagonal."""
    return (xp.tril(x) + xp.tril(x, k=-1)) / 2


def _cholesky_push(xp: Namespace, t: Array, ans: Array, x: Any, /, *, upper: bool = False) -> Array:
    factor = adjoint(xp, ans) if upper else ans
    inv = xp.linalg.inv(factor)
    inner = xp.matmul(xp.matmul(inv, _hermitian(xp, t)), adjoint(xp, inv))
    pushed = xp.matmul(factor, _lower_half(xp, inner))
    return adjoint(xp, pushed) if upper else pushed


def _cholesky_pull(xp: Namespace, g: Array, ans: Array, x: Any, /, *, upper: bool = False) -> Array:
    factor, g = (adjoint(xp, ans), adjoint(xp, g)) if upper else (ans, g)
    inv = xp.linalg.inv(factor)
    inner = _lower_half(xp, xp.matmul(adjoint(xp, factor), g))
    return _hermitian(xp, xp.matmul(xp.matmul(adjoint(xp, inv), inner), inv))


rule("linalg.cholesky", jvp=_cholesky_push, vjp=_cholesky_pull, keep=(-1,))

# --- QR
#
# With x = Q R and R1 the square part of R, the rotation Omega = Q^H dQ has the strict lower triangle of Q^H dx1 R1^-1. Where R
# has a real diagonal, as Householder's algorithm makes it, the imaginary part of the diagonal belongs to Omega as well.


def _qr_parts(xp: Namespace, ans: Any) -> tuple[Array, Array, Array, int]:
    q, r = ans
    k = min(q.shape[-2], r.shape[-1])
    square = r[..., :k, :k]
    return q, r, inverse(xp, square, xp.any(xp.linalg.diagonal(square) == 0, axis=-1)), k


def _below(xp: Namespace, x: Array) -> Array:
    """Return the strict lower triangle and the imaginary part of the diagonal."""
    below = xp.tril(x, k=-1)
    if not is_complex(xp, x):
        return below
    return below + xp.where(_diagonal_mask(xp, x), 1j * xp.astype(xp.imag(x), x.dtype), 0.0)


def _pad_columns(xp: Namespace, x: Array, count: int) -> Array:
    if count == 0:
        return x
    return xp.concat([x, xp.zeros((*x.shape[:-1], count), dtype=x.dtype, device=device_of(x))], axis=-1)


def _qr_push(xp: Namespace, t: Array, ans: Any, x: Any, /, *, mode: str = "reduced") -> tuple[Array, Array]:
    q, r, inv, k = _qr_parts(xp, ans)
    scaled = xp.matmul(t[..., :k], inv)
    inner = xp.matmul(adjoint(xp, q), scaled)
    rotation = _pad_columns(xp, _below(xp, inner), q.shape[-1] - k)
    strict = xp.tril(rotation, k=-1)
    rotation = rotation - adjoint(xp, strict)
    t_q = xp.matmul(q, rotation)
    if q.shape[-1] < q.shape[-2]:
        t_q = t_q + scaled - xp.matmul(q, inner)
    return t_q, xp.triu(xp.matmul(adjoint(xp, q), t) - xp.matmul(rotation, r))


def _qr_pull(xp: Namespace, g: Any, ans: Any, x: Any, /, *, mode: str = "reduced") -> Array:
    q, r, inv, k = _qr_parts(xp, ans)
    g_q, g_r = g
    g_r = xp.zeros_like(r) if g_r is None else xp.triu(g_r)
    g_q = xp.zeros_like(q) if g_q is None else g_q
    turn = xp.matmul(adjoint(xp, q), g_q)
    rotation = turn - xp.matmul(g_r, adjoint(xp, r))
    inner = (_below(xp, rotation) - xp.tril(adjoint(xp, rotation), k=-1))[..., :k]
    scaled = xp.matmul(q, inner)
    if q.shape[-1] < q.shape[-2]:
        scaled = scaled + g_q - xp.matmul(q, turn)
    pulled = xp.matmul(scaled, adjoint(xp, inv))
    return xp.matmul(q, g_r) + _pad_columns(xp, pulled, r.shape[-1] - k)


rule("linalg.qr", jvp=_qr_push, vjp=_qr_pull, keep=(-1,), outputs=2)

# --- Hermitian eigenvalues


def _repeated(xp: Namespace, values: Array) -> Array:
    """Return which pairs of the sorted values count as equal."""
    n = values.shape[-1]
    if n < 2:
        return xp.ones((*values.shape, n), dtype=xp.bool, device=device_of(values))
    values = xp._constant(values)
    tolerance = n * xp.finfo(values.dtype).eps * xp.max(xp.abs(values), axis=-1, keepdims=True)
    apart = xp.abs(values[..., 1:] - values[..., :-1]) > tolerance
    group = xp.cumulative_sum(xp.astype(apart, xp.int64), axis=-1, include_initial=True)
    return group[..., :, None] == group[..., None, :]


def _mean(xp: Namespace, same: Array, dtype: Any) -> Array:
    """Return the matrix that replaces each number by the mean over its group."""
    same = xp.astype(same, dtype)
    return same / xp.sum(same, axis=-1, keepdims=True)


def _inverse_gaps(xp: Namespace, values: Array, same: Array, undefined: float = math.nan) -> Array:
    """Return 1 / (values[j] - values[i]), 0 on the diagonal and what is undefined between repeated values."""
    gaps = values[..., None, :] - values[..., :, None]
    inverted = xp.where(same, undefined, 1 / xp.where(same, 1.0, gaps))
    return xp.where(_diagonal_mask(xp, gaps), 0.0, inverted)


def _eigh_push(xp: Namespace, t: Array, ans: Any, x: Any) -> tuple[Array, Array]:
    w, v = ans
    same = _repeated(xp, w)
    inner = xp.matmul(xp.matmul(adjoint(xp, v), _hermitian(xp, t)), v)
    diagonal = xp.linalg.diagonal(inner)
    t_w = _apply(xp, _mean(xp, same, w.dtype), xp.real(diagonal) if is_complex(xp, x) else diagonal)
    return t_w, xp.matmul(v, xp.astype(_inverse_gaps(xp, w, same), x.dtype) * inner)


def _eigh_pull(xp: Namespace, g: Any, ans: Any, x: Any) -> Array:
    w, v = ans
    g_w, g_v = g
    same = _repeated(xp, w)
    weights = None if g_w is None else xp.astype(_apply(xp, _mean(xp, same, w.dtype), g_w), x.dtype)
    if g_v is None:
        return xp.matmul(v * _columns(weights), adjoint(xp, v))
    inner = xp.astype(_inverse_gaps(xp, w, same), x.dtype) * xp.matmul(adjoint(xp, v), g_v)
    inner = _unless_unused(xp, same, g_v, inner)
    if weights is not None:
        inner = xp.where(_diagonal_mask(xp, inner), _columns(weights), inner)
    return _hermitian(xp, xp.matmul(xp.matmul(v, inner), adjoint(xp, v)))


rule("linalg.eigh", jvp=_eigh_push, vjp=_eigh_pull, keep=(-1,), outputs=2)
composite("linalg.eigvalsh", lambda xp, x, /: xp.linalg.eigh(x)[0])

# --- eigenvalues of general matrices


def _repeated_complex(xp: Namespace, w: Array) -> Array:
    w = xp._constant(w)
    if w.shape[-1] < 2:
        return xp.ones((*w.shape, w.shape[-1]), dtype=xp.bool, device=device_of(w))
    magnitude = xp.abs(w)
    tolerance = w.shape[-1] * xp.finfo(magnitude.dtype).eps * xp.max(magnitude, axis=-1)
    return xp.abs(w[..., :, None] - w[..., None, :]) <= tolerance[..., None, None]


def _eig_inverse(xp: Namespace, v: Array) -> Array:
    return inverse(xp, v, xp.linalg.slogdet(xp._constant(v))[0] == 0)


def _across(xp: Namespace, v: Array, x: Array) -> Array:
    """Return the part of each column that is orthogonal to that of ``v``, which has length 1."""
    return x - v * xp.sum(conjugate(xp, v) * x, axis=-2, keepdims=True)


def _eig_push(xp: Namespace, t: Array, ans: Any, x: Any) -> tuple[Array, Array]:
    w, v = ans
    same = _repeated_complex(xp, w)
    inner = xp.matmul(xp.matmul(_eig_inverse(xp, v), xp.astype(t, v.dtype)), v)
    t_w = _apply(xp, _mean(xp, same, w.dtype), xp.linalg.diagonal(inner))
    return t_w, _across(xp, v, xp.matmul(v, _inverse_gaps(xp, w, same) * inner))


def _eig_pull(xp: Namespace, g: Any, ans: Any, x: Any) -> Array:
    w, v = ans
    g_w, g_v = g
    same = _repeated_complex(xp, w)
    v_h = adjoint(xp, v)
    g_w = xp.zeros_like(w) if g_w is None else _apply(xp, transposed(_mean(xp, same, w.dtype)), g_w)
    if g_v is None:
        inner = g_w[..., :, None] * v_h
    else:
        gaps = conjugate(xp, _inverse_gaps(xp, w, same))
        inner = _unless_unused(xp, same, g_v, gaps * xp.matmul(v_h, _across(xp, v, g_v)))
        inner = xp.matmul(xp.where(_diagonal_mask(xp, inner), _columns(g_w), inner), v_h)
    return xp.matmul(adjoint(xp, _eig_inverse(xp, v)), inner)


rule("linalg.eig", jvp=_eig_push, vjp=_eig_pull, keep=(-1,), outputs=2)
composite("linalg.eigvals", lambda xp, x, /: xp.linalg.eig(x)[0])

# --- singular values
#
# With P = U^H dx V, the rotations of U and V are (H + K) / 2 and (H - K) / 2, where H = (P + P^H)_ij / (s_j - s_i) off the
# diagonal and K = (P - P^H)_ij / (s_i + s_j). Outside of the spans of U and V the columns move by dx V / s and dx^H U / s.


def _inverse_sums(xp: Namespace, s: Array, x: Any, undefined: float = math.nan) -> Array:
    """Return 1 / (s[i] + s[j]); undefined where both are 0, except on the diagonal of a real problem: its numerator is 0."""
    total = s[..., None, :] + s[..., :, None]
    vanishing = total == 0
    inverted = xp.where(vanishing, undefined, 1 / xp.where(vanishing, 1.0, total))
    return inverted if is_complex(xp, x) else xp.where(_diagonal_mask(xp, total), 0.0, inverted)


def _singular_mean(xp: Namespace, s: Array, same: Array, x: Any) -> Array:
    """Return the mean over repeated singular values; 0 for those that vanish: minimum norm."""
    largest = s[..., :1] if s.shape[-1] else s
    positive = s > max(x.shape[-2:]) * xp.finfo(s.dtype).eps * largest
    return xp.where(positive[..., :, None], _mean(xp, same, s.dtype), 0.0)


def _outside(xp: Namespace, basis: Array, x: Array) -> Array:
    """Return the part of the columns outside of the span of the orthonormal basis."""
    return x - xp.matmul(basis, xp.matmul(adjoint(xp, basis), x))


def _reciprocal(xp: Namespace, s: Array, undefined: float = math.nan) -> Array:
    return _columns(xp.where(s == 0, undefined, 1 / xp.where(s == 0, 1.0, s)))


def _moved(xp: Namespace, lead: Array, full: Array, t_lead: Array) -> Array:
    """Return the tangent of a full basis from that of its leading columns; the others only turn towards those."""
    rest = full[..., lead.shape[-1] :]
    return xp.concat([t_lead, -xp.matmul(lead, xp.matmul(adjoint(xp, t_lead), rest))], axis=-1) if rest.shape[-1] else t_lead


def _gathered(xp: Namespace, lead: Array, full: Array, g: Array) -> Array:
    """Return the cotangent of the leading columns from that of a full basis: the adjoint of `_moved`."""
    k = lead.shape[-1]
    rest, g_rest = full[..., k:], g[..., k:]
    return g[..., :k] - xp.matmul(rest, xp.matmul(adjoint(xp, g_rest), lead)) if rest.shape[-1] else g


def _svd_push(
    xp: Namespace, t: Array, ans: Any, x: Any, /, *, full_matrices: bool = True, undefined: float = math.nan
) -> tuple[Array, Array, Array]:
    full_u, s, full_vh = ans
    k = s.shape[-1]
    full_v = adjoint(xp, full_vh)
    u, v, same = full_u[..., :k], full_v[..., :k], _repeated(xp, s)
    t_v, t_h_u = xp.matmul(t, v), xp.matmul(adjoint(xp, t), u)
    inner = xp.matmul(adjoint(xp, u), t_v)
    inner_h = adjoint(xp, inner)
    h = (inner + inner_h) * xp.astype(_inverse_gaps(xp, s, same, undefined), x.dtype)
    skew = (inner - inner_h) * xp.astype(_inverse_sums(xp, s, x, undefined), x.dtype)
    t_left, t_right = xp.matmul(u, (h + skew) / 2), xp.matmul(v, (h - skew) / 2)
    reciprocal = xp.astype(_reciprocal(xp, s, undefined), x.dtype)
    if x.shape[-2] > k:
        t_left = t_left + _outside(xp, u, t_v) * reciprocal
    if x.shape[-1] > k:
        t_right = t_right + _outside(xp, v, t_h_u) * reciprocal
    diagonal = xp.linalg.diagonal(inner)
    t_s = _apply(xp, _singular_mean(xp, s, same, x), xp.real(diagonal) if is_complex(xp, x) else diagonal)
    return _moved(xp, u, full_u, t_left), t_s, adjoint(xp, _moved(xp, v, full_v, t_right))


def _svd_pull(xp: Namespace, g: Any, ans: Any, x: Any, /, *, full_matrices: bool = True, undefined: float = math.nan) -> Array:
    full_u, s, full_vh = ans
    g_u, g_s, g_vh = g
    k = s.shape[-1]
    full_v = adjoint(xp, full_vh)
    u, v, same = full_u[..., :k], full_v[..., :k], _repeated(xp, s)
    pulled = None
    if g_s is not None:
        weights = xp.astype(_apply(xp, transposed(_singular_mean(xp, s, same, x)), g_s), x.dtype)
        pulled = xp.matmul(u * _columns(weights), adjoint(xp, v))
    if g_u is None and g_vh is None:
        return pulled
    g_u = xp.zeros_like(u) if g_u is None else _gathered(xp, u, full_u, g_u)
    g_v = xp.zeros_like(v) if g_vh is None else _gathered(xp, v, full_v, adjoint(xp, g_vh))
    turned = _turns_pull(xp, g_u, g_v, u, s, v, same, x, undefined)
    return turned if pulled is None else pulled + turned


def _turns_pull(
    xp: Namespace, g_u: Array, g_v: Array, u: Array, s: Array, v: Array, same: Array, x: Any, undefined: float
) -> Array:
    """Return the part of the cotangent that comes from the singular vectors."""
    used = xp.concat([g_u, g_v], axis=-2)
    turn_u, turn_v = xp.matmul(adjoint(xp, u), g_u), xp.matmul(adjoint(xp, v), g_v)
    h = (turn_u + turn_v) * xp.astype(_inverse_gaps(xp, s, same, undefined), x.dtype)
    h = _unless_unused(xp, same, used, h)
    skew = (turn_u - turn_v) * xp.astype(_inverse_sums(xp, s, x, undefined), x.dtype)
    skew = _unless_unused(xp, s[..., None, :] + s[..., :, None] == 0, used, skew)
    pulled = xp.matmul(xp.matmul(u, (h + adjoint(xp, h) + skew - adjoint(xp, skew)) / 2), adjoint(xp, v))
    reciprocal = xp.astype(_unless_unused(xp, _columns(s == 0), used, _reciprocal(xp, s, undefined)), x.dtype)
    if g_u.shape[-2] > s.shape[-1]:
        pulled = pulled + xp.matmul(_outside(xp, u, g_u) * reciprocal, adjoint(xp, v))
    if g_v.shape[-2] > s.shape[-1]:
        pulled = pulled + xp.matmul(u, adjoint(xp, _outside(xp, v, g_v) * reciprocal))
    return pulled


rule("linalg.svd", jvp=_svd_push, vjp=_svd_pull, keep=(-1,), outputs=3)
composite("linalg.svdvals", lambda xp, x, /: xp.linalg.svd(x, full_matrices=False)[1])

# Norms are symmetric functions of singular values, or the mean of those that attain an extreme: they do not depend on how the
# vectors of repeated values turn among themselves, so that without that turn, their derivatives of every order are right.

rule(
    "linalg._smooth_svd",
    jvp=lambda xp, t, ans, x, /: _svd_push(xp, t, ans, x, full_matrices=False, undefined=0.0),
    vjp=lambda xp, g, ans, x, /: _svd_pull(xp, g, ans, x, full_matrices=False, undefined=0.0),
    keep=(-1,),
    outputs=3,
    implementation=lambda xp, x, /: xp.linalg.svd(x, full_matrices=False),
)
BATCHERS["linalg._smooth_svd"] = lambda xp, call, flags, x: call(x)
