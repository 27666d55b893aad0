"""CUDA devices: where arrays are, and how operations run there.

CuPy allocates results on the *current* device, wherever the operands are, and its arrays are copied there, too; the option
``device`` of the standard's creation functions is accepted and has no effect. Here every function runs on the device that its
option names, else on that of its first array, as the standard asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Any

import cupy as cp

from unidiff.errors import DeviceError


class Device(cp.cuda.Device):  # type: ignore[misc]  # CuPy has no types
    """A device of CuPy that can be a key of a dictionary, which its own cannot."""

    def __hash__(self) -> int:
        return hash(self.id)


def device_of(x: Any) -> Any:
    """Return the device of a plain or traced array; a number of NumPy is wherever CuPy computes."""
    found = x.device
    return Device(getattr(found, "id", None))


def devices() -> tuple[Any, ...]:
    """Return the devices of this machine."""
    return tuple(map(Device, range(cp.cuda.runtime.getDeviceCount())))


def device_named(named: Any) -> Any:
    """Return a device that is named by its number or by an object of CuPy's."""
    count = cp.cuda.runtime.getDeviceCount()
    number = named if isinstance(named, int) else getattr(named, "id", None)
    if not isinstance(number, int) or not 0 <= number < count:
        raise DeviceError(f"cupy has no device {named!r} here; these exist: {', '.join(map(str, range(count)))}")
    return Device(number)


def on_device_of(arrays: Iterable[Any]) -> AbstractContextManager[Any]:
    """Make a context in which CuPy computes where the first of the arrays is."""
    for x in arrays:
        if isinstance(getattr(x, "device", None), cp.cuda.Device):
            return on(x.device)
    return nullcontext()


def on(wanted: Any) -> AbstractContextManager[Any]:
    """Make a context in which a device is the current one."""
    return nullcontext() if wanted.id == cp.cuda.runtime.getDevice() else Device(wanted.id)


def placed(function: Callable[..., Any], *, asks: bool = False) -> Callable[..., Any]:
    """Return a function that runs on the device that its option says, else on that of its first array.

    ``asks`` says that the function itself makes something of the option.
    """

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        wanted = options.pop("device", None)
        if wanted is not None:
            wanted = device_named(wanted)
            if asks:
                options["device"] = wanted
        with on_device_of(_arrays(args)) if wanted is None else on(wanted):
            return function(*args, **options)

    return call


def _arrays(args: Iterable[Any]) -> Iterator[Any]:
    for arg in args:
        if isinstance(arg, (list, tuple)):
            yield from _arrays(arg)
        else:
            yield arg
