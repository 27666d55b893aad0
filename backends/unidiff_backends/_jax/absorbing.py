"""The product in which 0 absorbs even NaN, which says that a derivative does not exist only to those who ask for it."""

from typing import Any

import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir


def _product(x: Any, y: Any) -> Any:
    return jnp.where((x == 0) | (y == 0), jnp.zeros_like(x), x * y)


def _batch(args: Any, dims: Any) -> Any:
    pairs = list(zip(args, dims, strict=True))
    shape = next(jnp.moveaxis(x, d, 0).shape for x, d in pairs if d is not None)
    return _product_p.bind(*(jnp.broadcast_to(x, shape) if d is None else jnp.moveaxis(x, d, 0) for x, d in pairs)), 0


_product_p = Primitive("absorbing_product")
_product_p.def_impl(_product)
_product_p.def_abstract_eval(lambda x, y: x)
ad.defbilinear(_product_p, lambda g, x, y: _product_p.bind(g, y), lambda g, x, y: _product_p.bind(x, g))
batching.primitive_batchers[_product_p] = _batch
mlir.register_lowering(_product_p, mlir.lower_fun(_product, multiple_results=False))


def absorbing_product(x: Any, y: Any) -> Any:
    """Return x * y, and 0 where either is 0; y is broadcast and cast to x.

    It takes a primitive because the rules that JAX derives for ``where`` and ``*`` would turn the cotangents of results that
    are not used, which are 0, into NaN.
    """
    return _product_p.bind(x, jnp.broadcast_to(y, x.shape).astype(x.dtype))


def nan_or_zero(t: Any, undefined: Any) -> Any:
    """Return NaN where a derivative does not exist and the element of ``t`` is not 0, and 0 elsewhere."""
    return absorbing_product(t, jnp.where(undefined, jnp.nan, 0))
