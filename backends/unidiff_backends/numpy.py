"""NumPy: the engine over ``array_api_compat.numpy``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from unidiff.engine import EngineBackend, Library
from unidiff.rules import RULES
from unidiff_backends.numpy_natives import NATIVES
from unidiff_backends.numpy_protocols import NumpyProtocols
from unidiff_backends.numpy_scatter import scatter_add
from unidiff_backends.plugins.numpy import unidiff_register_backends
from unidiff_backends.scipy_special import special_functions

(INFO,) = unidiff_register_backends()


def own(x: Any, shared: bool) -> Any:
    """Return a writable array that shares memory with nothing else."""
    if isinstance(x, np.ndarray):
        flags = x.flags
        return x if flags.owndata and flags.writeable and not shared else np.array(x)
    return np.asarray(x)


def freeze(x: Any, lasting: bool) -> tuple[Any, Callable[[], None] | None]:
    """Copy what is small, a view, or for a lasting recording; make any other array read-only for as long as it is recorded.

    A view could still be changed through its base. (A large array can be through a view that was made before.)
    """
    if isinstance(x, np.generic):
        return x, None
    if lasting or x.nbytes <= _COPIED_BYTES or x.base is not None:
        return x.copy(), None
    if not x.flags.writeable:
        return x, None
    x.flags.writeable = False
    return x, partial(_thaw, x)


_COPIED_BYTES = 1 << 16


def _thaw(x: Any) -> None:
    x.flags.writeable = True


def keep_freed_memory() -> None:
    """Let the C library keep freed memory, up to 64 MiB, for the next arrays.

    Recordings allocate and free the same large arrays over and over. glibc at first gives those back to the system at once,
    and faulting their pages in again takes longer than computing their elements; it keeps blocks up to the size of the largest
    one that a program has freed so far. The block is never written to, so it costs no memory; elsewhere this does nothing.
    """
    np.empty(_LARGEST_KEPT_BYTES, np.uint8)


_LARGEST_KEPT_BYTES = (1 << 25) - (1 << 13)  # just below the most that glibc adapts to, its header included


class NumpyBackend(EngineBackend):
    """NumPy arrays, differentiated by unidiff's own engine."""

    def __init__(self) -> None:
        keep_freed_memory()
        library = Library(
            name=INFO.name,
            xp=xp,
            array_types=(np.ndarray, np.generic),
            refused_types=(np.matrix, np.ma.MaskedArray),
            scalar_types=(np.generic,),
            to_numpy=np.asarray,
            own=own,
            mixin=NumpyProtocols,
            natives=NATIVES | special_functions(),
            defers=True,
            freeze=freeze,
            quiet=partial(np.errstate, all="ignore"),
            scatter_add=scatter_add,
        )
        super().__init__(INFO, library, RULES)
