"""The ``fft`` extension: linear functions, so tangents go through the function itself.

The adjoint of a discrete Fourier transform is the inverse one with the other normalization. A real transform leaves out half of
the spectrum; its adjoint counts each frequency that stands for two accordingly. Cropping and padding are each other's adjoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from unidiff.engine.extend import BATCHERS, Array, Namespace, creation, device_of, is_complex, normalize_axes, rule
from unidiff.rules.batching import shifted

creation("fft.fftfreq", "fft.rfftfreq")

_OTHER_NORM = {"backward": "forward", "ortho": "ortho", "forward": "backward", None: "forward"}
_INVERSE = {
    "fft": "ifft", "ifft": "fft", "rfft": "irfft", "irfft": "rfft", "hfft": "ihfft", "ihfft": "hfft",
    "fftn": "ifftn", "ifftn": "fftn", "rfftn": "irfftn", "irfftn": "rfftn",
}  # fmt: skip
_FROM_HALF = frozenset({"irfft", "hfft", "irfftn"})
_TO_HALF = frozenset({"rfft", "ihfft", "rfftn"})


def _resized(xp: Namespace, x: Array, axis: int, length: int) -> Array:
    """Crop the axis, or pad it with zeros, to the length."""
    present = x.shape[axis]
    if present == length:
        return x
    if present > length:
        return x[(slice(None),) * axis + (slice(0, length), Ellipsis)]
    missing = (*x.shape[:axis], length - present, *x.shape[axis + 1 :])
    return xp.concat([x, xp.zeros(missing, dtype=x.dtype, device=device_of(x))], axis=axis)


def _weighted(xp: Namespace, x: Array, axis: int, length: int, weight: float) -> Array:
    """Multiply the frequencies that stand for two, of a signal of the length, by the weight."""
    index = xp.arange(x.shape[axis], device=device_of(x))
    inner = (index > 0) & (2 * index < length)
    one = xp.ones(inner.shape, dtype=xp.real(x).dtype, device=device_of(x))
    return x * xp.reshape(xp.where(inner, weight * one, one), (-1,) + (1,) * (x.ndim - 1 - axis))


def _signal_length(name: str, x: Any, axis: int, n: int | None) -> int:
    """Return the length of the transform, which for a half spectrum is that of the full signal."""
    if n is not None and n != -1:
        return n
    present: int = x.shape[axis]
    return 2 * (present - 1) if name in _FROM_HALF else present


def _pull(xp: Namespace, name: str, g: Array, x: Any, over: Sequence[int], length: int, options: dict[str, Any]) -> Array:
    """Apply the adjoint: weigh, transform back, crop or pad to the shape of ``x``; the last axis is the halved one."""
    if name in _TO_HALF:
        g = _weighted(xp, g, over[-1], length, 0.5)
    g = getattr(xp.fft, _INVERSE[name])(g, **options)
    if name in _FROM_HALF:
        g = _weighted(xp, g, over[-1], length, 2.0)
    for axis in over:
        g = _resized(xp, g, axis, x.shape[axis])
    return xp.real(g) if is_complex(xp, g) and not is_complex(xp, x) else g


def _pull_one(name: str) -> Callable[..., Array]:
    def pull(xp: Namespace, g: Array, ans: Any, x: Any, *, n: int | None, axis: int, norm: str | None) -> Array:
        axis %= x.ndim
        n = _signal_length(name, x, axis, n)
        return _pull(xp, name, g, x, (axis,), n, {"n": n, "axis": axis, "norm": _OTHER_NORM[norm]})

    return pull


def _pull_several(name: str) -> Callable[..., Array]:
    def pull(xp: Namespace, g: Array, ans: Any, x: Any, *, s: Any, axes: Any, norm: str | None) -> Array:
        if axes is None and s is not None:
            axes = tuple(range(-len(s), 0))
        axes = normalize_axes(axes, x.ndim)
        if not axes:
            return g
        given = (None,) * len(axes) if s is None else tuple(s)
        kinds = ["fft"] * (len(axes) - 1) + [name]
        lengths = [_signal_length(kind, x, axis, n) for kind, axis, n in zip(kinds, axes, given, strict=True)]
        return _pull(xp, name, g, x, axes, lengths[-1], {"s": tuple(lengths), "axes": axes, "norm": _OTHER_NORM[norm]})

    return pull


def _push(name: str) -> Callable[..., Array]:
    return lambda xp, t, ans, x, **options: getattr(xp.fft, name)(t, **options)


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    rule(
        f"fft.{_name}",
        jvp=_push(_name),
        vjp=_pull_one(_name),
        arguments=lambda x, /, n=None, axis=-1, norm="backward": ((x,), {"n": n, "axis": axis, "norm": norm}),
    )
for _name in ("fftn", "ifftn", "rfftn", "irfftn"):
    rule(
        f"fft.{_name}",
        jvp=_push(_name),
        vjp=_pull_several(_name),
        arguments=lambda x, /, s=None, axes=None, norm="backward": ((x,), {"s": s, "axes": axes, "norm": norm}),
    )
for _name, _back in (("fftshift", "ifftshift"), ("ifftshift", "fftshift")):
    rule(
        f"fft.{_name}",
        jvp=_push(_name),
        vjp=lambda xp, g, ans, x, back=_back, **options: getattr(xp.fft, back)(g, **options),
        arguments=lambda x, /, axes=None: ((x,), {"axes": axes}),
    )


def _batch_one(xp: Namespace, call: Any, flags: Any, x: Array, *, axis: int, **options: Any) -> Array:
    return call(x, axis=shifted(axis, x.ndim - 1), **options)


def _batch_several(xp: Namespace, call: Any, flags: Any, x: Array, *, s: Any, axes: Any, norm: str | None) -> Array:
    if axes is None and s is not None:
        axes = tuple(range(-len(s), 0))
    return call(x, s=s, axes=shifted(axes, x.ndim - 1), norm=norm)


BATCHERS |= dict.fromkeys((f"fft.{name}" for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")), _batch_one)
BATCHERS |= dict.fromkeys((f"fft.{name}" for name in ("fftn", "ifftn", "rfftn", "irfftn")), _batch_several)
BATCHERS |= dict.fromkeys(
    ("fft.fftshift", "fft.ifftshift"), lambda xp, call, flags, x, *, axes: call(x, axes=shifted(axes, x.ndim - 1))
)
