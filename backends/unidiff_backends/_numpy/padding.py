"""Padding, by every mode of ``numpy.pad`` that has a derivative, axis after axis as NumPy does it."""

from __future__ import annotations

from typing import Any

import numpy as np

from unidiff.errors import MissingRuleError
from unidiff_backends._numpy.arranging import part
from unidiff_backends._numpy.quantiles import median
from unidiff_backends._numpy.table import means, missing

_GATHERING = ("edge", "reflect", "symmetric", "wrap")


@means(np.pad)
def _pad(xp: Any, array: Any, pad_width: Any, mode: Any = "constant", **options: Any) -> Any:
    if mode not in (*_GATHERING, *_SIDES):
        raise MissingRuleError(missing(f"pad with mode={mode!r}"))
    for axis, (before, after) in enumerate(_widths(pad_width, array.ndim)):
        if before < 0 or after < 0:
            raise ValueError("index can't contain negative values")
        if before or after:
            array = _padded(xp, array, axis, (before, after), mode, options)
    return xp.positive(array)


def _widths(pad_width: Any, ndim: int) -> list[tuple[int, int]]:
    if isinstance(pad_width, dict):
        widths: Any = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            widths[axis] = (width, width) if np.ndim(width) == 0 else tuple(width)
        return list(widths)
    return [(int(before), int(after)) for before, after in np.broadcast_to(np.asarray(pad_width), (ndim, 2))]


def _padded(xp: Any, x: Any, axis: int, widths: tuple[int, int], mode: str, options: dict[str, Any]) -> Any:
    n = x.shape[axis]
    if mode in _GATHERING:
        if options.get("reflect_type", "even") == "odd" and mode in ("reflect", "symmetric"):
            return _odd(xp, x, axis, widths, mode)
        places = np.pad(np.arange(n), widths, mode)  # type: ignore[call-overload]  # one of the modes
        return xp.take(x, xp.asarray(places), axis=axis)
    left, right = (_SIDES[mode](xp, x, axis, side, width, options) for side, width in enumerate(widths))
    return xp.concat([left, x, right], axis=axis)


def _odd(xp: Any, x: Any, axis: int, widths: tuple[int, int], mode: str) -> Any:
    """Reflect with the opposite sign about the value at the edge, a linear map that is NumPy's of the unit vectors."""
    rows = np.pad(np.eye(x.shape[axis]), (widths, (0, 0)), mode, reflect_type="odd")  # type: ignore[call-overload]  # as above
    weights = xp.asarray(np.asarray(rows, x.dtype))
    return xp.moveaxis(xp.tensordot(weights, x, axes=((1,), (axis,))), 0, axis)


def _filled(xp: Any, value: Any, x: Any, axis: int, width: int) -> Any:
    shape = (*x.shape[:axis], width, *x.shape[axis + 1 :])
    return xp.broadcast_to(xp.astype(xp.asarray(value), x.dtype), shape)


def _given(xp: Any, option: Any, x: Any, axis: int, side: int) -> Any:
    """Return the number that an option gives for one side of an axis, a 0-d array that may be traced."""
    return xp.broadcast_to(xp.asarray(option), (x.ndim, 2))[axis, side]


def _constant(xp: Any, x: Any, axis: int, side: int, width: int, options: dict[str, Any]) -> Any:
    return _filled(xp, _given(xp, options.get("constant_values", 0), x, axis, side), x, axis, width)


def _ramp(xp: Any, x: Any, axis: int, side: int, width: int, options: dict[str, Any]) -> Any:
    end = xp.astype(_given(xp, options.get("end_values", 0), x, axis, side), x.dtype)
    edge = part(x, axis, slice(0, 1) if side == 0 else slice(-1, None))
    steps = np.linspace(0, 1, width, endpoint=False, dtype=np.float64).astype(x.dtype)
    weights = xp.asarray(steps if side == 0 else steps[::-1]).reshape((width, *(1,) * (x.ndim - axis - 1)))
    return end + weights * (edge - end)


def _statistic(name: str) -> Any:
    def side_of(xp: Any, x: Any, axis: int, side: int, width: int, options: dict[str, Any]) -> Any:
        n, length = x.shape[axis], options.get("stat_length")
        length = n if length is None else min(int(np.broadcast_to(length, (x.ndim, 2))[axis, side]), n)
        near = part(x, axis, slice(0, length) if side == 0 else slice(n - length, None))
        value = median(xp, near, axis, keepdims=True) if name == "median" else getattr(xp, name)(near, axis=axis, keepdims=True)
        return _filled(xp, value, x, axis, width)

    return side_of


_SIDES = {
    "constant": _constant,
    "linear_ramp": _ramp,
    "maximum": _statistic("max"),
    "minimum": _statistic("min"),
    "mean": _statistic("mean"),
    "median": _statistic("median"),
}
"""How the modes that make new values make those of one side."""
