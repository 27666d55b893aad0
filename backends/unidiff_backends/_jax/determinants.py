"""Determinants, whose derivatives at singular matrices ``jax.numpy`` takes differently."""

from typing import Any, NamedTuple

import jax.numpy as jnp

from unidiff_backends._jax.rules import is_complex, jit, with_push


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
