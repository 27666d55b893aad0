"""Decompositions of matrices whose derivatives ``jax.numpy`` takes differently, or not at all.

Eigenvalues, or singular values, that are closer than the rounding errors of their computation, n eps times the largest, count
as repeated. Each of k repeated ones gets the mean of their derivatives: the eigenprojection over k, which is the element of
minimum norm of Clarke's generalized derivative and makes symmetric functions such as sums exact. A singular value 0 has the
derivative 0, by minimum norm. The vectors that belong to repeated values have no derivative, and those
values themselves no second one: NaN.

Eigenvectors and singular vectors are determined up to signs or phases, and the vectors that fill up a full basis up to a
rotation. Their derivatives are those of the smallest motion; they are right for functions that do not depend on the choice.

Sources: M. B. Giles, "An extended collection of matrix derivative results" (2008); J. R. Magnus, Econometric Theory 1 (1985),
for eigenvalues and eigenvectors; Z. Wan and S. Zhang, arXiv:1909.02659, for the complex singular value decomposition.
"""

from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from unidiff_backends._jax.absorbing import absorbing_product, nan_or_zero
from unidiff_backends._jax.rules import is_complex, jit, with_push, with_tangents


class Eigen(NamedTuple):
    """Eigenvalues and, in the columns, eigenvectors."""

    eigenvalues: Any
    eigenvectors: Any


class Singular(NamedTuple):
    """Left singular vectors, singular values and the adjoint of the right singular vectors."""

    U: Any
    S: Any
    Vh: Any


def adjoint(x: Any) -> Any:
    """Return the conjugate transpose of matrices."""
    return jnp.conj(jnp.matrix_transpose(x))


def _hermitian(x: Any) -> Any:
    return (x + adjoint(x)) / 2


def _repeated(values: Any) -> Any:
    """Return which pairs of the sorted values count as equal."""
    values = jax.lax.stop_gradient(values)
    tolerance = values.shape[-1] * jnp.finfo(values.dtype).eps * jnp.max(abs(values), axis=-1, keepdims=True, initial=0)
    apart = abs(jnp.diff(values, axis=-1)) > tolerance
    group = jnp.cumulative_sum(apart, axis=-1, dtype=jnp.int32, include_initial=True)[..., : values.shape[-1]]
    return group[..., :, None] == group[..., None, :]


def _mean(same: Any, values: Any) -> Any:
    """Return for each value the mean over those that count as equal, untouched by NaN among the others."""
    total = jnp.sum(jnp.where(same, values[..., None, :], 0), axis=-1)
    return total / jnp.sum(same, axis=-1, dtype=jnp.finfo(values.dtype).dtype)


def _diagonal(x: Any, like: Any) -> Any:
    """Return the diagonal, whose imaginary part is rounding where the values are real."""
    diagonal = jnp.linalg.diagonal(x)
    return diagonal if is_complex(like) else jnp.real(diagonal)


def _turn(inner: Any, divisors: Any, vanishing: Any) -> Any:
    """Return inner / divisors, and 0 where those vanish."""
    return jnp.where(vanishing, 0, inner) / jnp.where(vanishing, 1, divisors).astype(inner.dtype)


def _gaps(values: Any) -> Any:
    return values[..., None, :] - values[..., :, None]


def _splitting(inner: Any, same: Any) -> Any:
    """Return NaN for the elements of a direction that split repeated values, 0 for the others.

    Repeated values stay together in a direction whose block is a multiple of the identity.
    """
    shared = _mean(same, jnp.linalg.diagonal(inner))[..., None, :]
    deviation = inner - jnp.where(jnp.eye(inner.shape[-1], dtype=bool), shared, 0)
    return nan_or_zero(deviation, same & (jnp.sum(same, axis=-2, keepdims=True) > 1))


def _undefined_turn(vectors: Any, inner: Any, same: Any) -> Any:
    """Return a zero tangent of the columns, NaN in those that belong to repeated values.

    The outer map is for the cotangents: NaN wherever such a column is used at all.
    """
    return nan_or_zero(vectors @ _splitting(inner, same), jnp.sum(same, axis=-2, keepdims=True) > 1)


_once = with_tangents(
    lambda inner, same: jnp.ones(same.shape[:-1], dtype=inner.dtype),
    lambda t, ans, inner, same: jnp.sum(_splitting(t, same), axis=-2),
)
"""1 for every value, with the derivative NaN where it is repeated."""


def _rates(same: Any, inner: Any, position: Any, like: Any) -> Any:
    """Return the derivatives of the values from the direction ``inner``; NaN is their own derivative for repeated ones.

    ``position`` is the matrix itself in the same bases, held constant, of which the values are the diagonal.
    """
    rates = _mean(same, _diagonal(inner, like))
    once = _once(position, same)
    return absorbing_product(rates, once if is_complex(like) else jnp.real(once))


# --- Hermitian matrices


_without_repetition = with_tangents(
    lambda v, x, same: v,
    lambda t, ans, v, x, same: t,
    lambda t, ans, v, x, same: _undefined_turn(v, adjoint(v) @ _hermitian(t) @ v, same),
)
"""The identity of eigenvectors, whose derivative is NaN where they belong to repeated eigenvalues."""


def _eigh_push(t: Any, ans: Any, x: Any) -> Any:
    w, v = ans
    same = _repeated(w)
    inner = adjoint(v) @ _hermitian(t) @ v
    fixed = jax.lax.stop_gradient(v)
    t_w = _rates(same, inner, adjoint(fixed) @ _hermitian(x) @ fixed, w)
    return Eigen(t_w, v @ _turn(inner, _gaps(w), same))


_eigh = with_push(lambda x: Eigen(*jnp.linalg.eigh(x)), _eigh_push)


@jit
def eigh(x: Any, /) -> Eigen:
    """Decompose Hermitian matrices; JAX takes an arbitrary element for the derivatives of repeated eigenvalues."""
    w, v = _eigh(x)
    return Eigen(w, _without_repetition(v, x, _repeated(w)))


@jit
def eigvalsh(x: Any, /) -> Any:
    """Return the eigenvalues of Hermitian matrices; JAX takes an arbitrary element where they are repeated."""
    return _eigh(x).eigenvalues


# --- general matrices


def _repeated_complex(w: Any) -> Any:
    w = jax.lax.stop_gradient(w)
    size = abs(w)
    tolerance = w.shape[-1] * jnp.finfo(size.dtype).eps * jnp.max(size, axis=-1, keepdims=True, initial=0)
    return abs(_gaps(w)) <= tolerance[..., None]


def _across(v: Any, x: Any) -> Any:
    """Return the part of each column that is orthogonal to that of ``v``, which has length 1."""
    return x - v * jnp.sum(jnp.conj(v) * x, axis=-2, keepdims=True)


def _in_basis(v: Any, t: Any) -> Any:
    return jnp.linalg.solve(v, t.astype(v.dtype) @ v)


_without_repetition_general = with_tangents(
    lambda v, x, same: v,
    lambda t, ans, v, x, same: t,
    lambda t, ans, v, x, same: _undefined_turn(v, _in_basis(v, t), same),
)


def _eig_push(t: Any, ans: Any, x: Any) -> Any:
    w, v = ans
    same = _repeated_complex(w)
    inner = _in_basis(v, t)
    t_w = _rates(same, inner, _in_basis(jax.lax.stop_gradient(v), x), w)
    return Eigen(t_w, _across(v, v @ _turn(inner, _gaps(w), same)))


_eig = with_push(lambda x: Eigen(*jnp.linalg.eig(x)), _eig_push)


@jit
def eig(x: Any, /) -> Eigen:
    """Decompose general matrices into eigenvectors of length 1, whose derivatives JAX keeps behind a flag."""
    w, v = _eig(x)
    return Eigen(w, _without_repetition_general(v, x, _repeated_complex(w)))


@jit
def eigvals(x: Any, /) -> Any:
    """Return the eigenvalues of general matrices; JAX takes an arbitrary element where they are repeated."""
    return _eig(x).eigenvalues


# --- singular values
#
# With P = U^H dx V, the rotations of U and V are (H + K) / 2 and (H - K) / 2, where H = (P + P^H)_ij / (s_j - s_i) off the
# diagonal and K = (P - P^H)_ij / (s_i + s_j). Outside of the spans of U and V the columns move by dx V / s and dx^H U / s.


def _vanishing(s: Any, shape: tuple[int, ...]) -> Any:
    """Return which of the descending singular values are 0 within rounding."""
    s = jax.lax.stop_gradient(s)
    return s <= s[..., :1] * (max(shape[-2:]) * jnp.finfo(s.dtype).eps)


def _outside(basis: Any, x: Any) -> Any:
    """Return the part of the columns outside of the span of the orthonormal basis."""
    return x - basis @ (adjoint(basis) @ x)


class _Parts(NamedTuple):
    """A reduced decomposition, and the columns that make its bases full; U, S and V differentiate, the others are constants."""

    u: Any
    s: Any
    v: Any
    rest_u: Any
    rest_v: Any


def _decompose(x: Any, *, full: bool) -> _Parts:
    u, s, vh = jnp.linalg.svd(x, full_matrices=full)
    v, k = adjoint(vh), s.shape[-1]
    return _Parts(u[..., :k], s, v[..., :k], u[..., k:], v[..., k:])


def _undefined_turns(t: Any, basis: Any, x: Any, partner: Any, s: Any) -> Any:
    """Return a zero tangent of the basis of singular vectors, NaN where it has no derivative along ``t``."""
    vanishing = _vanishing(s, x.shape)
    image = t @ partner
    inner = adjoint(basis) @ image
    turned = _undefined_turn(basis, _hermitian(inner), _repeated(s))
    free = vanishing & (is_complex(x) | (jnp.sum(vanishing, axis=-1, keepdims=True) > 1))
    turned = turned + basis @ nan_or_zero(inner, free[..., :, None] & free[..., None, :])
    if basis.shape[-2] > s.shape[-1]:
        turned = turned + nan_or_zero(_outside(basis, image), vanishing[..., None, :])
    return nan_or_zero(turned, (vanishing | (jnp.sum(_repeated(s), axis=-1) > 1))[..., None, :])


_without_degeneracy = with_tangents(
    lambda basis, x, partner, s: basis,
    lambda t, ans, basis, x, partner, s: t,
    lambda t, ans, basis, x, partner, s: _undefined_turns(t, basis, x, partner, s),
)
"""The identity of singular vectors, whose derivative is NaN where they belong to repeated or vanishing singular values."""


def _svd_push(smooth: bool, t: Any, ans: _Parts, x: Any) -> _Parts:
    u, s, v, *rest = ans
    same, vanishing = _repeated(s), _vanishing(s, x.shape)
    t_v, t_h_u = t @ v, adjoint(t) @ u
    inner = adjoint(u) @ t_v
    inner_h = adjoint(inner)
    turn = _turn(inner + inner_h, _gaps(s), same)
    skew = _turn(inner - inner_h, s[..., None, :] + s[..., :, None], vanishing[..., :, None] & vanishing[..., None, :])
    t_left, t_right = u @ (turn + skew) / 2, v @ (turn - skew) / 2
    if u.shape[-2] > s.shape[-1]:
        t_left = t_left + _turn(_outside(u, t_v), s[..., None, :], vanishing[..., None, :])
    if v.shape[-2] > s.shape[-1]:
        t_right = t_right + _turn(_outside(v, t_h_u), s[..., None, :], vanishing[..., None, :])
    left, right = jax.lax.stop_gradient((u, v))
    position = jax.lax.stop_gradient(x) if smooth else x
    t_s = jnp.where(vanishing, 0, _rates(same, inner, _hermitian(adjoint(left) @ position @ right), s))
    return _Parts(t_left, t_s, t_right, *map(jnp.zeros_like, rest))


_svd = cache(lambda full: with_push(partial(_decompose, full=full), partial(_svd_push, False)))
_smooth_svd = with_push(partial(_decompose, full=False), partial(_svd_push, True))


def smooth_svdvals(x: Any) -> Any:
    """Return singular values whose derivatives of second order leave out what repeated ones do to one another.

    That cancels in their sum, and makes an extreme one as smooth as its derivative, the mean over the repeated ones, allows.
    """
    return _smooth_svd(x).s


_complement = with_tangents(
    lambda basis, rest: rest,
    lambda t, ans, basis, rest: -(basis @ (adjoint(t) @ ans)),
)
"""The columns that complete an orthonormal basis, which only turn towards those of it."""


@partial(jit, static_argnames=("full_matrices",))
def svd(x: Any, /, *, full_matrices: bool = True) -> Singular:
    """Decompose matrices by singular values; JAX has no derivative of full bases and an arbitrary one at repeated values."""
    u, s, v, rest_u, rest_v = _svd(full_matrices)(x)
    left, right = _without_degeneracy(u, x, v, s), _without_degeneracy(v, adjoint(x), u, s)
    if rest_u.shape[-1]:
        left = jnp.concat([left, _complement(left, rest_u)], axis=-1)
    if rest_v.shape[-1]:
        right = jnp.concat([right, _complement(right, rest_v)], axis=-1)
    return Singular(left, s, adjoint(right))


@jit
def svdvals(x: Any, /) -> Any:
    """Return the singular values; JAX takes an arbitrary element for the derivatives of repeated and vanishing ones."""
    return _svd(False)(x).s
