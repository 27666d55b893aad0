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
    """Copy a small array, or any array for a lasting recording; make a large one read-only for as long as it is recorded.

    A large array that is a view can still be changed through its base.
    """
    if isinstance(x, np.generic):
        return x, None
    if lasting or x.nbytes <= _COPIED_BYTES:
        return x.copy(), None
    if not x.flags.writeable:
        return x, None
    x.flags.writeable = False
    return x, partial(_thaw, x)


_COPIED_BYTES = 1 << 16


def _thaw(x: Any) -> None:
    x.flags.writeable = True


def scatter_add(buffer: Any, key: Any, values: Any) -> None:
    """Add into a part of the buffer in place; repeated indices accumulate."""
    np.add.at(buffer, key, values)


class NumpyBackend(EngineBackend):
    """NumPy arrays, differentiated by unidiff's own engine."""

    def __init__(self) -> None:
        library = Library(
            name=INFO.name,
            xp=xp,
            array_types=(np.ndarray, np.generic),
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
