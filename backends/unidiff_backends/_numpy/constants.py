"""Functions whose result carries no derivative: integers, truth values, shapes, dtypes, texts, and arrays like another."""

from __future__ import annotations

from typing import Any

import numpy as np

from unidiff_backends._numpy.table import Function, means

OF_VALUES = (
    np.allclose, np.argpartition, np.argwhere, np.array2string, np.array_equal, np.array_equiv, np.array_repr, np.array_str,
    np.common_type, np.count_nonzero, np.diag_indices_from, np.digitize, np.einsum_path, np.flatnonzero, np.isclose,
    np.iscomplex, np.iscomplexobj, np.isin, np.isneginf, np.isposinf, np.isreal, np.isrealobj, np.lexsort, np.min_scalar_type,
    np.nanargmax, np.nanargmin, np.ndim, np.packbits, np.ravel_multi_index, np.searchsorted, np.shape, np.size,
    np.tril_indices_from, np.triu_indices_from, np.unpackbits, np.unravel_index, np.linalg.matrix_rank,
)  # fmt: skip
"""Functions that are evaluated on the values."""


def of_values(function: Function, unwrap: Any) -> Function:
    """Evaluate on values a function whose result carries no derivative."""

    def bare(x: Any) -> Any:
        return type(x)(map(bare, x)) if type(x) in (list, tuple) else unwrap(x)

    def evaluated(*args: Any, **kwargs: Any) -> Any:
        return function(*map(bare, args), **{key: bare(value) for key, value in kwargs.items()})

    return evaluated


def _shape(a: Any, shape: Any) -> Any:
    return tuple(a.shape) if shape is None else (int(shape),) if np.ndim(shape) == 0 else tuple(map(int, shape))


def _traced(xp: Any, a: Any) -> Any:
    """Return the namespace that makes arrays like ``a``: into a traced constant, traced values can be put in place."""
    return xp if isinstance(a, np.ndarray) else a.__array_namespace__()


def _filled(name: str) -> Function:
    def like(
        xp: Any, a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *, device: Any = None  # noqa: ARG001
    ) -> Any:  # fmt: skip
        return getattr(_traced(xp, a), name)(_shape(a, shape), dtype=a.dtype if dtype is None else np.dtype(dtype))

    return like


for _like, _name in ((np.zeros_like, "zeros"), (np.ones_like, "ones"), (np.empty_like, "empty")):
    means(_like)(_filled(_name))


@means(np.full_like)
def _full_like(
    xp: Any, a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None,  # noqa: ARG001
    *, device: Any = None,  # noqa: ARG001
) -> Any:  # fmt: skip
    dtype, shape = a.dtype if dtype is None else np.dtype(dtype), _shape(a, shape)
    if hasattr(fill_value, "shape"):
        return xp.broadcast_to(xp.astype(fill_value, dtype), shape)
    return _traced(xp, a).asarray(np.full(shape, fill_value, dtype))
