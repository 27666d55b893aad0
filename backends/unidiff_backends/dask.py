"""Dask: the engine over ``array_api_compat.dask.array``; derivatives are graphs, which Dask's schedulers execute.

Nothing is computed while a derivative is taken, unless the function itself asks for a value, as ``if x > 0`` does. Results are
lazy arrays with the chunks of what they are derivatives of, and their graphs grow linearly with the number of chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import dask.array as da
import numpy as np

from unidiff.engine import GivenWay, Library
from unidiff.engine.backend import EngineBackend  # without a compiler: graphs are Dask's programs
from unidiff.errors import DeviceError
from unidiff.rules import RULES
from unidiff_backends._dask.functions import NATIVES
from unidiff_backends._dask.namespace import namespace
from unidiff_backends.plugins.dask import unidiff_register_backends

(INFO,) = unidiff_register_backends()
DEVICE = "cpu"
"""The device that all arrays of Dask say to be on: their chunks are where their graph puts them."""


def device_of(x: Any) -> str:  # noqa: ARG001  # it is the same for all
    """Return the device of an array."""
    return DEVICE


def another(x: Any) -> Any:
    """Return another array with the same graph: ``x[key] = value`` gives an array a new graph, and no copy needs one."""
    return da.Array(x.dask, x.name, x.chunks, meta=x._meta)


def own(x: Any, shared: bool) -> Any:
    """Return an array that no assignment to another one changes."""
    return da.asarray(x) if not isinstance(x, da.Array) else another(x) if shared else x


def freeze(x: Any, _lasting: bool) -> tuple[Any, Callable[[], None] | None]:
    """Return what stays as it is when a constant operand is assigned to."""
    return (another(x) if isinstance(x, da.Array) else x), None


class DaskBackend(EngineBackend):
    """Arrays of Dask, differentiated by unidiff's own engine."""

    def __init__(self) -> None:
        xp, natives = namespace(NATIVES)
        library = Library(
            name=INFO.name,
            xp=xp,
            array_types=(da.Array, np.generic),
            scalar_types=(np.generic,),
            to_numpy=np.asarray,
            own=own,
            freeze=freeze,
            mutable=False,  # derivatives are not added up in place: that would make a graph of many assignments
            natives=natives,
            defers=True,
            mixin=GivenWay,
            device_of=device_of,
            layout=device_of,
            quiet=partial(np.errstate, all="ignore"),
        )
        super().__init__(INFO, library, RULES)

    def is_zero(self, _x: Any) -> bool:
        """Take it for zero: to ask would compute it."""
        return True

    def devices(self) -> Sequence[str]:
        """Return the only device."""
        return (DEVICE,)

    def asarray(self, obj: Any, *, dtype: Any = None, device: Any = None) -> Any:
        """Return ``obj`` as an array of the library."""
        if device not in (None, DEVICE):
            raise DeviceError(f"{INFO.name} has no device {device!r} here; this exists: {DEVICE}")
        return super().asarray(obj, dtype=dtype, device=device)

    def _private(self, x: Any) -> Any:
        return freeze(x, True)[0]

    def from_dlpack(self, x: Any, *, device: Any = None) -> Any:  # noqa: ARG002  # there is one
        """Return another library's array in one chunk for each 128 MiB, which share its memory."""
        return da.from_array(np.from_dlpack(x))
