"""CuPy: the engine over ``array_api_compat.cupy``.

Arrays are created on the device of the arrays they meet, results stay there, and nothing is copied to the host but by
`to_numpy`, nor from it but by `asarray` and `from_dlpack`. Operations run on CuPy's current stream of each device, in the order
of the calls. A function and its derivative run on one device, that of its first argument: CuPy's operators ask for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import array_api_compat
import cupy as cp
import numpy as np

from unidiff._typing import Array, Arrays, FlatFunction
from unidiff.engine import GivenWay, Library
from unidiff.engine.backend import EngineBackend  # without a compiler, which no GPU has tried
from unidiff.errors import BackendLoadError
from unidiff.rules import RULES
from unidiff_backends._cupy.devices import device_named, device_of, devices, on, on_device_of
from unidiff_backends._cupy.namespace import HOST, SPECIAL, namespace, scatter_add
from unidiff_backends.plugins.cupy import unidiff_register_backends

(INFO,) = unidiff_register_backends()


def copy(x: Any) -> Any:
    """Return a copy on the same device; CuPy makes it on the current one."""
    with on(x.device):
        return x.copy()


def own(x: Any, shared: bool) -> Any:
    """Return an array that shares memory with nothing else."""
    if not isinstance(x, cp.ndarray):
        return cp.asarray(x)
    return copy(x) if shared or x.base is not None else x


def freeze(x: Any, _lasting: bool) -> tuple[Any, Callable[[], None] | None]:
    """Copy a constant operand, which could be assigned to before the recording is used."""
    return (copy(x) if isinstance(x, cp.ndarray) else x), None


def to_device(x: Any, wanted: Any) -> Any:
    """Return the array on a device: the number of one, or CuPy's own object."""
    return array_api_compat.to_device(x, device_named(wanted))


def check_device() -> None:
    """Raise unless there is a CUDA device and a driver for it."""
    try:
        count = cp.cuda.runtime.getDeviceCount()
    except cp.cuda.runtime.CUDARuntimeError as error:
        raise BackendLoadError(f"CuPy is installed, but there is no device that it can use: {error}") from error
    if not count:
        raise BackendLoadError("CuPy is installed, but there is no device: it needs a GPU with CUDA.")


def _beside(method: Any) -> Any:
    """Return a method of a function and its arrays that runs on the device of the first of them."""

    @wraps(method)
    def run(self: Any, f: FlatFunction, arrays: Arrays, *args: Any, **options: Any) -> Any:
        with on_device_of(arrays):
            return method(self, f, arrays, *args, **options)

    return run


class CupyBackend(EngineBackend):
    """CuPy arrays, differentiated by unidiff's own engine."""

    def __init__(self) -> None:
        check_device()
        library = Library(
            name=INFO.name,
            xp=namespace(),
            array_types=(cp.ndarray, np.generic),  # CuPy's operators take numbers of NumPy, as finfo and NumPy's functions make
            scalar_types=(np.generic,),
            to_numpy=cp.asnumpy,
            to_device=to_device,
            own=own,
            freeze=freeze,
            scatter_add=scatter_add,
            natives=SPECIAL,
            defers=True,
            mixin=GivenWay,
            device_of=device_of,
            layout=device_of,
        )
        super().__init__(INFO, library, RULES)

    def devices(self) -> Sequence[Any]:
        """Return the CUDA devices of this machine."""
        return devices()

    def asarray(self, obj: Any, *, dtype: Any = None, device: Any = None) -> Any:
        """Return ``obj`` as an array on a device: its own, or else the current one, by default."""
        return super().asarray(obj, dtype=dtype, device=None if device is None else device_named(device))

    def from_dlpack(self, x: Any, *, device: Any = None) -> Any:
        """Return an array made from another library's: of one on the host a copy on a device."""
        if x.__dlpack_device__()[0] == HOST:
            return self.asarray(np.from_dlpack(x), device=device)
        return super().from_dlpack(x, device=device)

    def vjp(self, f: FlatFunction, primals: Arrays, *, has_aux: bool = False) -> Any:
        """Return ``(outs, pullback)`` or ``(outs, pullback, aux)``; both run where the first primal is."""
        with on_device_of(primals):
            outs, pullback, *aux = super().vjp(f, primals, has_aux=has_aux)

        def pull(cotangents: Arrays) -> tuple[Array, ...]:
            with on_device_of(primals):
                found: tuple[Array, ...] = pullback(cotangents)
                return found

        return outs, pull, *aux

    value_and_grad = _beside(EngineBackend.value_and_grad)
    jvp = _beside(EngineBackend.jvp)
    taylor = _beside(EngineBackend.taylor)
    vmap = _beside(EngineBackend.vmap)
    jacfwd = _beside(EngineBackend.jacfwd)
    jacrev = _beside(EngineBackend.jacrev)
    dependence = _beside(EngineBackend.dependence)
