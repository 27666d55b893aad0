"""Differences, integrals, interpolation, convolution, sequences between ends, and other functions of numbers in a row."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from unidiff.errors import MissingRuleError
from unidiff_backends._numpy.algebra import outer
from unidiff_backends._numpy.arranging import part
from unidiff_backends._numpy.reductions import flattened
from unidiff_backends._numpy.table import absent, means, missing

# --- elementwise

means(np.sinc)(lambda xp, x: xp.special.sinc(xp.asarray(x)))
means(np.i0)(lambda xp, x: xp.special.i0(xp.asarray(x)))
means(np.fix)(lambda xp, x: xp.trunc(x))
means(np.around, np.round)(lambda xp, a, decimals=0: xp.round(a, decimals=decimals) if decimals else xp.round(a))
means(np.real)(lambda xp, val: xp.real(val))
means(np.imag)(lambda xp, val: xp.imag(val))


@means(np.angle)
def _angle(xp: Any, z: Any, deg: bool = False) -> Any:
    angle = xp.atan2(xp.imag(z), xp.real(z))
    return angle * (180 / math.pi) if deg else angle


@means(np.real_if_close)
def _real_if_close(xp: Any, a: Any, tol: float = 100) -> Any:
    kept = np.real_if_close(np.asarray(xp._constant(a)), tol)
    return xp.real(a) if np.isrealobj(kept) and np.dtype(a.dtype).kind == "c" else xp.asarray(a)


@means(np.nan_to_num)
def _nan_to_num(
    xp: Any, x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None  # noqa: ARG001  # NumPy's
) -> Any:  # fmt: skip
    if np.dtype(x.dtype).kind == "c":
        real, imag = (_nan_to_num(xp, f(x), True, nan, posinf, neginf) for f in (xp.real, xp.imag))
        return real + 1j * imag
    limits = np.finfo(x.dtype)
    highest, lowest = limits.max if posinf is None else posinf, limits.min if neginf is None else neginf
    for place, value in ((xp.isnan(x), nan), (x == np.inf, highest), (x == -np.inf, lowest)):
        x = xp.where(place, xp.full_like(x, value), x)
    return x


# --- differences and integrals


@means(np.diff)
def _diff(xp: Any, a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    a = xp.asarray(a)

    def edge(value: Any) -> Any:
        if absent(value):
            return None
        value = xp.asarray(value)
        if value.ndim:
            return value
        shape = list(a.shape)
        shape[axis] = 1
        return xp.broadcast_to(value, tuple(shape))

    return xp.diff(a, n=n, axis=axis, prepend=edge(prepend), append=edge(append))


@means(np.ediff1d)
def _ediff1d(xp: Any, ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    flat = flattened(xp, ary)
    parts = [None if x is None else xp.astype(flattened(xp, x), flat.dtype) for x in (to_begin, to_end)]
    parts.insert(1, flat[1:] - flat[:-1])
    return xp.concat([x for x in parts if x is not None])


@means(np.trapezoid)
def _trapezoid(xp: Any, y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    y = xp.asarray(y)
    if x is None:
        steps: Any = dx
    else:
        x = xp.asarray(x)
        steps = xp.diff(x, axis=axis) if x.ndim > 1 else xp.reshape(xp.diff(x), _column(y.ndim, axis))
    return xp.sum(steps * (part(y, axis, slice(1, None)) + part(y, axis, slice(None, -1))) / 2.0, axis=axis)


def _column(ndim: int, axis: int) -> tuple[int, ...]:
    return tuple(-1 if i == axis % ndim else 1 for i in range(ndim))


@means(np.gradient)
def _gradient(xp: Any, f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    f = xp.asarray(f)
    axes = tuple(range(f.ndim)) if axis is None else tuple(a % f.ndim for a in ((axis,) if np.ndim(axis) == 0 else axis))
    if len(varargs) not in (0, 1, len(axes)) or (len(varargs) == 1 and len(axes) > 1 and np.ndim(varargs[0])):
        raise TypeError("invalid number of arguments")
    steps = list(varargs) if len(varargs) == len(axes) else list(varargs or [1.0]) * len(axes)
    if edge_order not in (1, 2):
        raise ValueError("'edge_order' greater than 2 not supported")
    out = [_slope(xp, f, step, a, edge_order) for step, a in zip(steps, axes, strict=True)]
    return out[0] if len(out) == 1 else tuple(out)


def _slope(xp: Any, f: Any, step: Any, axis: int, edge_order: int) -> Any:
    """Return the derivative of the parabolas through three neighbours, and at the ends of lines or parabolas."""
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are required."
        )
    step = xp.asarray(step)
    if step.ndim == 0:
        h = xp.broadcast_to(step, (n - 1,))
    elif step.ndim == 1 and step.shape[0] == n:
        h = xp.diff(step)
    else:
        raise ValueError("when 1d, distances must match the length of the corresponding dimension")
    h = xp.reshape(h, _column(f.ndim, axis))

    def at(x: Any, start: int | None, stop: int | None) -> Any:
        return part(x, axis, slice(start, stop))

    rise = xp.diff(f, axis=axis) / h
    left, right = at(h, None, -1), at(h, 1, None)
    inner = (at(rise, None, -1) * right + at(rise, 1, None) * left) / (left + right)
    first, last = at(rise, None, 1), at(rise, -1, None)
    if edge_order == 2:
        bend = (at(rise, 1, None) - at(rise, None, -1)) / (left + right)
        first, last = first - at(bend, None, 1) * at(h, None, 1), last + at(bend, -1, None) * at(h, -1, None)
    return xp.concat([first, inner, last], axis=axis)


@means(np.unwrap)
def _unwrap(xp: Any, p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * math.pi) -> Any:
    """Add multiples of the period: a piecewise constant correction, unless the period itself is traced."""
    d = xp.diff(p, axis=axis)
    discont = period / 2 if discont is None else discont
    low = -period / 2
    turned = (d - low) % period + low
    turned = xp.where(xp.logical_and(turned == low, d > 0), period / 2 + 0 * turned, turned)
    correction = xp.where(xp.abs(d) < discont, xp.zeros_like(d), turned - d)
    later = part(p, axis, slice(1, None)) + xp.cumulative_sum(correction, axis=axis)
    return xp.concat([part(p, axis, slice(None, 1)), later], axis=axis)


# --- interpolation


@means(np.interp)
def _interp(xp: Any, x: Any, xp_: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    return _interpolated(xp, xp.asarray(x), xp.asarray(xp_), xp.asarray(fp), left, right, period)


def _interpolated(xp: Any, x: Any, knots: Any, values: Any, left: Any, right: Any, period: Any) -> Any:
    """Follow the line of the segment; at a knot that of minimum slope among those between its two neighbours."""
    if period is not None:
        left = right = None
        x, knots = x % period, knots % period
        order = xp.argsort(knots)
        knots, values = xp.take(knots, order), xp.take(values, order)
        knots = xp.concat([knots[-1:] - period, knots, knots[:1] + period])
        values = xp.concat([values[-1:], values, values[:1]])
    n = knots.shape[0]
    if n == 0 or n != values.shape[0]:
        raise ValueError("fp and xp are not of the same length, or empty")
    slopes = xp.concat([xp.zeros_like(values[:1]), xp.diff(values) / xp.diff(knots), xp.zeros_like(values[:1])])
    segment = xp.searchsorted(knots, x, side="right")  # segment 0 is left of all knots
    before = xp.clip(segment - 1, 0, n - 1)
    base, here, behind = (xp.take(a, xp.reshape(i, (-1,))) for a, i in ((knots, before), (slopes, segment), (slopes, before)))
    base, here, behind = (xp.reshape(a, x.shape) for a in (base, here, behind))
    at_knot = x == base
    slope = xp.where(at_knot, _least(xp, behind, here), here)
    inside = xp.logical_and(x >= knots[0], x <= knots[-1])
    out = slope * (xp.where(inside, x, base) - base) + xp.reshape(xp.take(values, xp.reshape(before, (-1,))), x.shape)
    for beyond, edge, value in ((x < knots[0], 0, left), (x > knots[-1], -1, right)):
        if value is None:
            continue
        out = xp.where(beyond, xp.asarray(value, dtype=out.dtype), out)
        jumps = xp.logical_and(x == knots[edge], xp.asarray(value) != values[edge])  # the one-sided limits differ: NaN
        out = out + xp.where(jumps, math.nan, 0.0) * (x - xp._constant(x)) if bool(xp.any(jumps)) else out
    return xp.where(xp.isnan(x), x, out)


def _least(xp: Any, a: Any, b: Any) -> Any:
    """Return the number of least magnitude on the line between two."""
    across = b - a
    square = xp.real(xp.conj(across) * across)
    along = -xp.real(xp.conj(across) * a) / xp.where(square == 0, 1.0, square)
    return a + xp._constant(xp.clip(along, 0.0, 1.0)) * across


# --- convolution


@means(np.convolve)
def convolve(xp: Any, a: Any, v: Any, mode: str = "full") -> Any:
    """Return the discrete convolution of two vectors."""
    a, v = vector(xp, a), vector(xp, v)
    n, m = a.shape[0], v.shape[0]
    if not n or not m:
        raise ValueError("a cannot be empty" if not n else "v cannot be empty")
    places = xp.expand_dims(xp.arange(n), axis=1) + xp.expand_dims(xp.arange(m), axis=0)
    full = xp._scatter(outer(xp, a, v), (n + m - 1,), (places,))
    shorter, longer = sorted((n, m))
    keep = {"full": n + m - 1, "same": longer, "valid": longer - shorter + 1}[mode]
    start = (n + m - 1 - keep) // 2
    return full[start : start + keep]


@means(np.correlate)
def _correlate(xp: Any, a: Any, v: Any, mode: str = "valid") -> Any:
    a, v = vector(xp, a), vector(xp, v)
    v = xp.conj(v) if np.dtype(v.dtype).kind == "c" else v
    n, m = a.shape[0], v.shape[0]
    full = convolve(xp, a, xp.flip(v), "full")
    shorter, longer = sorted((n, m))
    keep = {"full": n + m - 1, "same": longer, "valid": longer - shorter + 1}[mode]
    start = (n + m - 1 - keep) // 2 if n >= m or mode != "same" else (n + m - keep) // 2
    return full[start : start + keep]


def vector(xp: Any, x: Any) -> Any:
    """Return an array of at least one axis."""
    x = xp.asarray(x)
    return xp.reshape(x, (1,)) if x.ndim == 0 else x


# --- sequences between two ends


@means(np.linspace)
def _linspace(
    xp: Any, start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None,
    axis: int = 0, *, device: Any = None,  # noqa: ARG001  # NumPy's
) -> Any:  # fmt: skip
    start, stop = (xp.asarray(x) * 1.0 for x in (start, stop))
    divisions = num - 1 if endpoint else num
    step = (stop - start) / divisions if divisions else start * math.nan
    real = np.empty(0, np.result_type(start.dtype, stop.dtype)).real.dtype
    places = xp.asarray(np.arange(num - (endpoint and num > 1)).astype(real))
    out = xp.reshape(places, (-1, *(1,) * max(start.ndim, stop.ndim))) * (step if divisions else 0 * (stop - start)) + start
    if endpoint and num > 1:
        out = xp.concat([out, xp.expand_dims(xp.broadcast_to(stop, out.shape[1:]), axis=0)])
    if dtype is not None:
        out = xp.astype(out, np.dtype(dtype))
    out = xp.moveaxis(out, 0, axis)
    return (out, step) if retstep else out


@means(np.logspace)
def _logspace(
    xp: Any, start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Any:  # fmt: skip
    exponents = _linspace(xp, start, stop, num, endpoint, axis=0)
    out = xp.moveaxis(xp.pow(xp.asarray(base), exponents), 0, axis)
    return out if dtype is None else xp.astype(out, np.dtype(dtype))


@means(np.geomspace)
def _geomspace(
    xp: Any, start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:  # fmt: skip
    start, stop = (xp.asarray(x) * 1.0 for x in (start, stop))
    if bool(xp.any(start == 0)) or bool(xp.any(stop == 0)):
        raise ValueError("Geometric sequence cannot include zero")
    ratio = stop / start
    out = start * xp.exp(_linspace(xp, xp.zeros_like(ratio), xp.log(ratio), num, endpoint))
    out = xp.moveaxis(out, 0, axis)
    return out if dtype is None else xp.astype(out, np.dtype(dtype))


@means(np.meshgrid)
def _meshgrid(xp: Any, *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:  # noqa: ARG001
    arrays = [xp.asarray(x) for x in xi]
    if not sparse:
        return xp.meshgrid(*(flattened(xp, x) for x in arrays), indexing=indexing)
    n = len(arrays)
    axes = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    return tuple(xp.reshape(x, tuple(-1 if a == axis else 1 for a in range(n))) for x, axis in zip(arrays, axes, strict=True))


@means(np.vander)
def vander(xp: Any, x: Any, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803  # NumPy's name
    """Return the matrix of powers."""
    if x.ndim != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    n = x.shape[0] if N is None else N
    powers = [xp.ones_like(x)]
    for _ in range(n - 1):
        powers.append(powers[-1] * x)
    if not n:
        raise MissingRuleError(missing("vander without columns"))
    return xp.stack(powers[:n] if increasing else powers[:n][::-1], axis=1)
