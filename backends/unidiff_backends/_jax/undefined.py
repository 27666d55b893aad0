"""The linear map whose derivative says that there is none."""

from typing import Any

import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir


def _nan_unless_zero(t: Any, undefined: Any) -> Any:
    return jnp.where(undefined & (t != 0), jnp.nan, t)


_unless_zero_p = Primitive("nan_unless_zero")
_unless_zero_p.def_impl(_nan_unless_zero)
_unless_zero_p.def_abstract_eval(lambda t, undefined: t)


def _jvp(primals: Any, tangents: Any) -> Any:
    (t, undefined), dt = primals, tangents[0]
    return _unless_zero_p.bind(t, undefined), dt if type(dt) is ad.Zero else _unless_zero_p.bind(dt, undefined)


ad.primitive_jvps[_unless_zero_p] = _jvp
ad.primitive_transposes[_unless_zero_p] = lambda g, t, undefined: [
    g if type(g) is ad.Zero else _unless_zero_p.bind(g, undefined),
    None,
]
batching.defbroadcasting(_unless_zero_p)
mlir.register_lowering(_unless_zero_p, mlir.lower_fun(_nan_unless_zero, multiple_results=False))


def nan_unless_zero(t: Any, undefined: Any) -> Any:
    """Return ``t`` with NaN for the elements that are not 0 where a derivative does not exist.

    A map of tangents and, being diagonal, of cotangents too: it takes a primitive because ``t * nan`` would turn the
    cotangents of results that are not used, which are 0, into NaN.
    """
    return _unless_zero_p.bind(t, jnp.broadcast_to(undefined, t.shape))
