"""Sums into parts of a NumPy array, where repeated indices accumulate.

``numpy.add.at`` is fast, and faster than sorting or counting, for one vector of indices into a vector, and ten times slower for
anything else. So the elements of a part are numbered in the flattened array and added there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

_SMALL = 64


def scatter_add(buffer: Any, key: Any, values: Any) -> None:
    """Add into a part of the buffer in place; repeated indices accumulate."""
    if buffer.ndim > 1 and values.size > _SMALL and buffer.flags.c_contiguous:
        places = element_numbers(buffer.shape, key if isinstance(key, tuple) else (key,))
        if places is not None:
            np.add.at(buffer.reshape(-1), places.reshape(-1), np.broadcast_to(values, places.shape).reshape(-1))
            return
    np.add.at(buffer, key, values)


def element_numbers(shape: tuple[int, ...], key: tuple[Any, ...]) -> Any:
    """Return the numbers, in row-major order, of the elements that an index names.

    Parameters
    ----------
    shape : tuple of int
        Shape of the indexed array.
    key : tuple
        An index that is valid for the shape.

    Returns
    -------
    array of int or None
        The numbers, in the shape of the part; None for an index with parts other than slices, an ellipsis and integers or
        arrays of them side by side.
    """
    parts = _without_ellipsis(key, len(shape))
    places = [i for i, part in enumerate(parts) if not isinstance(part, slice)]
    if not places or places[-1] - places[0] != len(places) - 1 or not all(map(_is_integral, (parts[i] for i in places))):
        return None
    joint = np.broadcast(*(parts[i] for i in places)).ndim
    ndim = len(shape) - len(places) + joint
    numbers: Any = 0
    for axis, (part, length) in enumerate(zip(parts, shape, strict=True)):
        if isinstance(part, slice):
            offsets, after = np.arange(*part.indices(length)), len(shape) - axis - 1
            if axis < places[0]:
                after += joint - len(places)
        else:
            offsets, after = np.where(np.less(part, 0), np.add(part, length), part), ndim - places[0] - joint
        stride = math.prod(shape[axis + 1 :])
        numbers = numbers + (offsets.astype(np.intp) * stride).reshape(offsets.shape + (1,) * after)
    return numbers


def _without_ellipsis(key: tuple[Any, ...], ndim: int) -> list[Any]:
    """Return one part per axis."""
    where = next((i for i, part in enumerate(key) if part is Ellipsis), len(key))
    rest = key[where + 1 :]
    return [*key[:where], *(slice(None),) * (ndim - where - len(rest)), *rest]


def _is_integral(part: Any) -> bool:
    return isinstance(part, int) or (isinstance(part, (np.ndarray, np.integer)) and part.dtype.kind in "iu")
