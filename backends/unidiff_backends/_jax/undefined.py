"""The linear map whose derivative says that there is none."""

from typing import Any

import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir


def _nan_or_zero(t: Any, undefined: Any) -> Any:
    return jnp.where(undefined & (t != 0), jnp.nan, jnp.zeros_like(t))


_nan_or_zero_p = Primitive("nan_or_zero")
_nan_or_zero_p.def_impl(_nan_or_zero)
_nan_or_zero_p.def_abstract_eval(lambda t, undefined: t)


def _jvp(primals: Any, tangents: Any) -> Any:
    (t, undefined), dt = primals, tangents[0]
    return _nan_or_zero_p.bind(t, undefined), dt if type(dt) is ad.Zero else _nan_or_zero_p.bind(dt, undefined)


ad.primitive_jvps[_nan_or_zero_p] = _jvp
ad.primitive_transposes[_nan_or_zero_p] = lambda g, t, undefined: [
    g if type(g) is ad.Zero else _nan_or_zero_p.bind(g, undefined),
    None,
]
batching.defbroadcasting(_nan_or_zero_p)
mlir.register_lowering(_nan_or_zero_p, mlir.lower_fun(_nan_or_zero, multiple_results=False))


def nan_or_zero(t: Any, undefined: Any) -> Any:
    """Return NaN where a derivative does not exist and the element of ``t`` is not 0, and 0 elsewhere.

    A map of tangents and, being diagonal, of cotangents too. It takes a primitive because ``t * nan`` would turn the
    cotangents of results that are not used, which are 0, into NaN.
    """
    return _nan_or_zero_p.bind(t, jnp.broadcast_to(undefined, t.shape))
