"""CuPy: the engine over ``array_api_compat.cupy``.

Arrays are created on the device of the arrays they meet, results stay there, and nothing is copied to the host but by
`to_numpy`. Operations run on CuPy's current stream of each device, in the order of the calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import array_api_compat
import array_api_compat.cupy as xp
import cupy as cp

from unidiff.engine import EngineBackend, GivenWay, Library
from unidiff.errors import BackendLoadError, DeviceError
from unidiff.rules import RULES
from unidiff_backends.plugins.cupy import unidiff_register_backends

(INFO,) = unidiff_register_backends()


def scatter_add(buffer: Any, key: Any, values: Any) -> None:
    """Add in place; repeated indices accumulate, by atomic additions on the device."""
    with buffer.device:
        cp.add.at(buffer, key, values)


def own(x: Any, shared: bool) -> Any:
    """Return an array that shares memory with nothing else."""
    return x.copy() if shared or x.base is not None else x


def to_device(x: Any, device: Any) -> Any:
    """Return the array on a device: the number of one, or CuPy's own object."""
    return array_api_compat.to_device(x, _device(device))


def _device(device: Any) -> Any:
    count = cp.cuda.runtime.getDeviceCount()
    number = device if isinstance(device, int) else getattr(device, "id", None)
    if not isinstance(number, int) or not 0 <= number < count:
        raise DeviceError(f"{INFO.name} has no device {device!r} here; these exist: {', '.join(map(str, range(count)))}")
    return cp.cuda.Device(number)


def check_device() -> None:
    """Raise unless there is a CUDA device and a driver for it."""
    try:
        count = cp.cuda.runtime.getDeviceCount()
    except cp.cuda.runtime.CUDARuntimeError as error:
        raise BackendLoadError(f"CuPy is installed, but there is no device that it can use: {error}") from error
    if not count:
        raise BackendLoadError("CuPy is installed, but there is no device: it needs a GPU with CUDA.")


class CupyBackend(EngineBackend):
    """CuPy arrays, differentiated by unidiff's own engine."""

    def __init__(self) -> None:
        check_device()
        library = Library(
            name=INFO.name,
            xp=xp,
            array_types=(cp.ndarray,),
            to_numpy=cp.asnumpy,
            to_device=to_device,
            own=own,
            scatter_add=scatter_add,
            defers=True,
            mixin=GivenWay,
        )
        super().__init__(INFO, library, RULES)

    def devices(self) -> Sequence[Any]:
        """Return the CUDA devices of this machine."""
        return tuple(map(cp.cuda.Device, range(cp.cuda.runtime.getDeviceCount())))

    def asarray(self, obj: Any, *, dtype: Any = None, device: Any = None) -> Any:
        """Return ``obj`` as an array on a device, the current one by default."""
        return super().asarray(obj, dtype=dtype, device=None if device is None else _device(device))
