"""NumPy: the engine over ``array_api_compat.numpy``."""

from __future__ import annotations

from functools import partial
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from unidiff.engine import EngineBackend, Library
from unidiff.rules import RULES
from unidiff_backends.numpy_natives import NATIVES
from unidiff_backends.numpy_protocols import NumpyProtocols
from unidiff_backends.plugins.numpy import unidiff_register_backends

(INFO,) = unidiff_register_backends()


def own(x: Any, shared: bool) -> Any:
    """Return a writable array that shares memory with nothing else."""
    if isinstance(x, np.generic):
        return np.asarray(x)
    flags = x.flags
    return np.array(x) if shared or not (flags.owndata and flags.writeable) else x


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
            natives=NATIVES,
            defers=True,
            quiet=partial(np.errstate, all="ignore"),
            scatter_add=scatter_add,
        )
        super().__init__(INFO, library, RULES)
