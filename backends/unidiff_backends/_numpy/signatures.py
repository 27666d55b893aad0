"""The signatures of NumPy's functions, which before version 2.4 those written in C do not tell."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

_WRITTEN_IN_C = {
    "arange": "start_or_stop, /, stop=None, step=1, *, dtype=None, device=None, like=None",
    "array": "object, dtype=None, *, copy=True, order='K', subok=False, ndmin=0, like=None",
    "asanyarray": "a, dtype=None, order=None, *, device=None, copy=None, like=None",
    "asarray": "a, dtype=None, order=None, *, device=None, copy=None, like=None",
    "ascontiguousarray": "a, dtype=None, *, like=None",
    "asfortranarray": "a, dtype=None, *, like=None",
    "bincount": "x, /, weights=None, minlength=0",
    "can_cast": "from_, to, casting='safe'",
    "concatenate": "arrays, /, axis=0, out=None, *, dtype=None, casting='same_kind'",
    "copyto": "dst, src, casting='same_kind', where=True",
    "dot": "a, b, out=None",
    "empty": "shape, dtype=None, order='C', *, device=None, like=None",
    "empty_like": "prototype, /, dtype=None, order='K', subok=True, shape=None, *, device=None",
    "from_dlpack": "x, /, *, device=None, copy=None",
    "inner": "a, b, /",
    "lexsort": "keys, axis=-1",
    "may_share_memory": "a, b, /, max_work=0",
    "min_scalar_type": "a, /",
    "packbits": "a, /, axis=None, bitorder='big'",
    "promote_types": "type1, type2, /",
    "putmask": "a, /, mask, values",
    "ravel_multi_index": "multi_index, dims, mode='raise', order='C'",
    "result_type": "*arrays_and_dtypes",
    "shares_memory": "a, b, /, max_work=-1",
    "unpackbits": "a, /, axis=None, count=None, bitorder='big'",
    "unravel_index": "indices, shape, order='C'",
    "vdot": "a, b, /",
    "where": "condition, x=None, y=None, /",
    "zeros": "shape, dtype=None, order='C', *, device=None, like=None",
}
_OPTIONS = "casting='same_kind', order='K', dtype=None, subok=True, signature=None"


def signature(function: Any) -> inspect.Signature:
    """Return the signature of a function of NumPy, or of any other."""
    try:
        return inspect.signature(function)
    except ValueError:
        text = _of_ufunc(function) if isinstance(function, np.ufunc) else _WRITTEN_IN_C.get(function.__name__)
        if text is None:
            raise
        like = eval(f"lambda {text}: None", {"NO_VALUE": np._NoValue})  # noqa: S307  # a text of this module
        return inspect.signature(like)


def _of_ufunc(function: np.ufunc) -> str:
    operands = "x" if function.nin == 1 else ", ".join(f"x{k + 1}" for k in range(function.nin))
    out = "None" if function.nout == 1 else repr((None,) * function.nout)
    axes = "where=True" if function.signature is None else "axes=NO_VALUE, axis=NO_VALUE, keepdims=False"
    return f"{operands}, /, out={out}, *, {axes}, {_OPTIONS}"
