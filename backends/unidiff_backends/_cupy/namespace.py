"""CuPy's array API namespace, completed where it differs from the standard."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import array_api_compat.cupy as xp
import cupy as cp
import cupyx.scipy.special as scipy_special
import numpy as np

from unidiff.errors import DeviceError, UnsupportedOperationError
from unidiff_backends._cupy.devices import placed
from unidiff_backends.scipy_special import NAMES

HOST = 1
"""The number of the CPU among the kinds of devices of DLPack."""
_Eig = xp.linalg.EighResult
"""Eigenvalues and eigenvectors by name, which CuPy returns in a tuple."""


def asarray(obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    """Return ``obj`` as an array; one of CuPy stays on its device unless another is asked for."""
    moves = device is not None and isinstance(obj, cp.ndarray) and obj.device != device
    if moves and copy is False:
        raise ValueError(f"an array on {obj.device} needs a copy to be on {device}; leave copy=False out")
    return xp.asarray(obj, dtype=dtype, device=device, copy=None if moves else copy)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    """Return the elements as another dtype, on another device if one is asked for."""
    return xp.astype(x, dtype, copy=copy, device=device)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Any:
    """Return an array that shares the memory of another library's on the same device; one on the host is refused."""
    kind = x.__dlpack_device__()[0]
    if kind == HOST:
        raise DeviceError(
            "cupy cannot share an array on the host, and copies none to a device unasked: unidiff.to_backend(x, 'cupy') does"
        )
    if copy is False and device is not None:
        raise ValueError("an array may need a copy to be on another device; leave copy=False out")
    shared = cp.from_dlpack(x)
    return asarray(shared, device=device, copy=copy)


def solve(x1: Any, x2: Any, /) -> Any:
    """Return the solution of ``x1 @ y = x2``; CuPy does not broadcast one stack of matrices to another."""
    vector = x2.ndim == 1
    right = x2[:, None] if vector else x2
    stack = np.broadcast_shapes(x1.shape[:-2], right.shape[:-2])
    left = cp.broadcast_to(x1, (*stack, *x1.shape[-2:]))
    result = cp.linalg.solve(left, cp.broadcast_to(right, (*stack, *right.shape[-2:])))
    return result[..., 0] if vector else result


def eig(x: Any, /) -> Any:
    """Return eigenvalues and eigenvectors."""
    return _Eig(*_newer("eig")(_complex(x)))


def eigvals(x: Any, /) -> Any:
    """Return eigenvalues."""
    return _newer("eigvals")(_complex(x))


def _newer(name: str) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(cp.linalg, name, None)
    if function is None:
        raise UnsupportedOperationError(f"cupy has linalg.{name} from version 14 on, but version {cp.__version__} is installed")
    return function


def _complex(x: Any) -> Any:
    return x if x.dtype.kind == "c" else x.astype(cp.complex64 if x.dtype == cp.float32 else cp.complex128)


def repeat(x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    """Return ``x`` with its elements repeated; before version 14 CuPy takes no array of numbers."""
    if isinstance(repeats, cp.ndarray):
        repeats = int(repeats) if repeats.ndim == 0 else repeats.tolist()
    return cp.repeat(x, repeats, axis=axis)


def scatter_add(buffer: Any, key: Any, values: Any) -> None:
    """Add in place; repeated indices accumulate, by atomic additions on the device."""
    cp.add.at(buffer, key, values)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "astype": astype,
    "asarray": asarray,
    "from_dlpack": from_dlpack,
    "repeat": repeat,
    "linalg.eig": eig,
    "linalg.eigvals": eigvals,
    "linalg.solve": solve,
}
"""What CuPy lacks, or does in another way than the standard says."""


def _special(name: str) -> Callable[..., Any]:
    """Return a special function that also takes Python numbers, beside an array."""
    function = getattr(scipy_special, name)

    def call(*args: Any) -> Any:
        arrays = [x for x in args if isinstance(x, cp.ndarray)]
        dtype = cp.result_type(*arrays) if arrays else cp.float64
        return function(*(x if isinstance(x, cp.ndarray) else cp.asarray(x, dtype=dtype) for x in args))

    call.__name__ = call.__qualname__ = name
    return placed(call)


SPECIAL = {f"special.{name}": _special(name) for name in NAMES if hasattr(scipy_special, name)}
"""The special functions that CuPy has."""


def namespace() -> ModuleType:
    """Return the namespace, every function of which runs where its arrays are."""
    top = _copied(xp, "")
    for name in ("linalg", "fft"):
        setattr(top, name, _copied(getattr(xp, name), f"{name}."))
    return top


def _placed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    return placed(function, asks=name in {"asarray", "astype", "from_dlpack"})


def _copied(module: Any, prefix: str) -> ModuleType:
    made = ModuleType(f"{__name__}.{prefix or 'functions'}")
    for name in dir(module):
        value = FUNCTIONS.get(prefix + name, getattr(module, name))
        if isinstance(value, ModuleType):
            continue
        is_function = callable(value) and not isinstance(value, type) and not name.startswith("_")
        setattr(made, name, _placed(prefix + name, value) if is_function else value)
    for name in (full.removeprefix(prefix) for full in FUNCTIONS if full.startswith(prefix)):
        if "." not in name and not hasattr(made, name):
            setattr(made, name, _placed(prefix + name, FUNCTIONS[prefix + name]))
    return made
