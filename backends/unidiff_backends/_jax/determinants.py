"""Determinants, whose derivatives at singular matrices ``jax.numpy`` takes differently."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from unidiff_backends._jax.absorbing import absorbing_product, nan_or_zero
from unidiff_backends._jax.rules import is_complex, is_floating, jit, with_push, with_tangents


class SignAndLogarithm(NamedTuple):
    """The sign, or phase, of a determinant and the logarithm of its magnitude."""

    sign: Any
    logabsdet: Any


def _slogdet_push(t: Any, ans: SignAndLogarithm, x: Any) -> SignAndLogarithm:
    sign, logabsdet = ans
    singular = sign == 0  # the limits from both sides differ: NaN
    regular = jnp.where(singular[..., None, None], jnp.eye(x.shape[-1], dtype=x.dtype), x)
    rate = jnp.linalg.trace(jnp.linalg.solve(regular, t))
    t_sign = sign * 1j * jnp.imag(rate) if is_complex(x) else jnp.zeros_like(sign)
    return SignAndLogarithm(t_sign, jnp.real(rate) * jnp.where(singular, jnp.nan, 1).astype(logabsdet.dtype))


_slogdet = with_push(lambda x: SignAndLogarithm(*jnp.linalg.slogdet(x)), _slogdet_push)


@jit
def slogdet(x: Any, /) -> Any:
    """Return the sign and the logarithm of the magnitude; JAX takes infinities for the derivatives at singular matrices."""
    return _slogdet(x)


# --- the determinant
#
# Its first derivative is the adjugate. The derivative of the adjugate of U S V^H along t is, up to the determinants of U and
# V^H, that of the adjugate of S along U^H t V, which takes products of all singular values but two, and divides by none.


def _adjugate_of_diagonal(s: Any, p: Any) -> Any:
    """Return the derivative of the adjugate of diagonal matrices along ``p``."""
    kept = 1 - jnp.eye(s.shape[-1], dtype=s.dtype)
    without = kept[:, None, :] * kept[None, :, :]
    others = jnp.prod(jnp.where(without == 1, s[..., None, None, :], 1), axis=-1) * kept
    along = (others.astype(p.dtype) @ jnp.linalg.diagonal(p)[..., None])[..., 0]
    return along[..., :, None] * jnp.eye(s.shape[-1], dtype=p.dtype) - others.astype(p.dtype) * p


_twice = with_tangents(
    lambda x, singular: jnp.ones(singular.shape, dtype=x.dtype),
    lambda t, ans, x, singular: jnp.sum(nan_or_zero(t, jnp.broadcast_to(singular[..., None, None], t.shape)), axis=(-2, -1)),
)
"""1 for every matrix, with the derivative NaN where it is singular: the third derivative of its determinant is not known."""


def _adjugate_push(t: Any, ans: Any, x: Any) -> Any:
    u, s, vh = jnp.linalg.svd(jax.lax.stop_gradient(x), full_matrices=False)
    singular = s[..., -1] <= math.sqrt(jnp.finfo(s.dtype).eps) * s[..., 0]
    u_h, v = (jnp.conj(jnp.matrix_transpose(a)) for a in (u, vh))
    phase = jnp.linalg.det(u) * jnp.linalg.det(vh)
    turned = v @ _adjugate_of_diagonal(s, u_h @ t @ v) @ u_h * phase[..., None, None]
    at_singular = absorbing_product(turned, _twice(x, singular)[..., None, None])
    regular = jnp.where(singular[..., None, None], jnp.eye(x.shape[-1], dtype=x.dtype), x)
    rate = jnp.linalg.solve(regular, t)
    elsewhere = jnp.linalg.trace(rate)[..., None, None] * ans - rate @ ans
    return jnp.where(singular[..., None, None], at_singular, elsewhere)


def _adjugate_value(x: Any) -> Any:
    value, pull = jax.vjp(jnp.linalg.det, x)
    return jnp.matrix_transpose(pull(jnp.ones_like(value))[0])


_adjugate = with_push(_adjugate_value, _adjugate_push)
_det = with_push(jnp.linalg.det, lambda t, ans, x: jnp.linalg.trace(_adjugate(x) @ t))


@jit
def det(x: Any, /) -> Any:
    """Return the determinant; JAX takes NaN for its second derivative at matrices that lack one rank, from 4 rows on."""
    return _det(x) if is_floating(x) and x.shape[-1] > _POLYNOMIAL else jnp.linalg.det(x)


_POLYNOMIAL = 3  # up to this number of rows JAX multiplies it out
